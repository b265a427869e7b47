"""The FUSE handlers: each decodes its arguments, asks one inode or handle, and answers."""

from __future__ import annotations

import errno
import functools
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter_ns
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pyfuse3
from pyfuse3 import (
    EntryAttributes,
    FileHandleT,
    FileInfo,
    FileNameT,
    FlagT,
    FUSEError,
    InodeT,
    ModeT,
    ReaddirToken,
    RequestContext,
    SetattrFields,
    StatvfsData,
    XAttrNameT,
)

from sessionfs.artifacts.names import MAX_NAME_BYTES
from sessionfs.errors import Error, from_os_error
from sessionfs.mount.acting import NOBODY, Asker, Askers, asker_now
from sessionfs.mount.bursts import Bursts
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import Caller, Inode, known_seconds
from sessionfs.mount.loop import in_worker
from sessionfs.mount.stats import kind_of
from sessionfs.mount.view import View
from sessionfs.sessions import BadTransition
from sessionfs.store.operation import follow
from sessionfs.store.xattrs import USER

log = logging.getLogger(__name__)

_FORGET = kind_of("forget")

_NOT_SUPPORTED = FUSEError(errno.ENOTSUP)

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Where what an error says to people is not what its kind's errno says to programs.
_ERRNO_OF: dict[type[Error], int] = {
    BadTransition: errno.EPERM,  # as a Conflict it would be "File exists"
}


def errno_of(failure: Error) -> int:
    """Return the errno that says *failure*."""
    return _ERRNO_OF.get(type(failure), failure.errno)


def answered(
    handler: Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]]:
    """Turn errors into errnos; what nobody expected becomes EIO and is logged with its traceback."""

    kind = kind_of(handler.__name__)

    @functools.wraps(handler)
    async def wrapper(self: Operations, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        started_ns = perf_counter_ns()
        try:
            return await handler(self, *args, **kwargs)
        except FUSEError:
            raise
        except Error as failure:
            number = errno_of(failure)
            if number == errno.EIO:
                log.error("%s: %s", handler.__name__, failure)
            raise FUSEError(number) from failure
        except OSError as failure:
            log.error("%s: %s", handler.__name__, failure)
            raise FUSEError(from_os_error(failure, handler.__name__).errno) from failure
        except Exception as failure:
            log.exception("%s failed", handler.__name__)
            raise FUSEError(errno.EIO) from failure
        finally:
            self._stats.count(kind, started_ns)

    return cast("Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]]", wrapper)


def acting(
    handler: Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]],
) -> Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]]:
    """Record what a handler changes on behalf of the process that asks, or that opened what it asks about."""

    @functools.wraps(handler)
    async def wrapper(self: Operations, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        request = args[-1]
        if isinstance(request, RequestContext):
            pid = request.pid
            self._arriving_count += 1
            try:
                asker = await self._askers.of(pid)
            finally:
                self._arriving_count -= 1
        else:
            handle = cast(int, args[0])
            pid = self._openers.get(handle, 0)
            asker = self._on_behalf.get(handle, NOBODY)
        follow(self._bursts.of(pid))  # until the next request in this task
        if asker == NOBODY:
            return await handler(self, *args, **kwargs)
        with asker.acting():
            return await handler(self, *args, **kwargs)

    return cast("Callable[Concatenate[Operations, _P], Coroutine[Any, Any, _R]]", wrapper)


class OpenDirectory:
    """An open directory: its names as they were when it was last read from the beginning."""

    def __init__(self, inode: Inode) -> None:
        self.inode = inode
        self.names: Sequence[bytes] = ()


class Operations(pyfuse3.Operations):
    """The requests of the kernel."""

    supports_dot_lookup = False
    # The kernel would answer for sizes and times of files that other processes change too.
    enable_writeback_cache = False

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._stats = view.stats
        self._inodes = view.inodes
        self._handles: dict[int, Handle] = {}
        self._directories: dict[int, OpenDirectory] = {}
        self._last_handle = 0
        self._askers = Askers(view.hooks.key)
        self._bursts = Bursts()
        self._openers: dict[int, int] = {}  # pids by handle
        self._on_behalf: dict[int, Asker] = {}  # by handle: what its opener was started with
        self._arriving_count = 0  # requests that have been read, and not looked at yet
        self._sent_back: set[int] = set()  # threads that look up anew what they asked about, see _check_way

    def nothing_waits(self) -> None:
        """Note that every request of the kernel has been read."""
        if not self._arriving_count:
            self._view.requests_were_read()

    def _at(self, number: int) -> Inode:
        """Return an inode, up to date with what other processes did."""
        inode = self._inodes.at(number)
        inode.refresh()
        return inode

    def _check_way(self, ctx: RequestContext, *doubts: bool) -> None:
        """Check that a request is about what has the name it came by, as far as the kernel can have been told.

        Of what another process moved, the kernel hears a moment later. On ESTALE it looks every name up anew and asks
        again, once. So whoever has been sent back is let pass: they come by what is so.

        Args:
            doubts: For each inode or name that the request is about, whether something else may have been meant.

        Raises:
            FUSEError: ESTALE, in doubt.
        """
        pid = ctx.pid
        if not any(doubts) or pid in self._sent_back:
            self._sent_back.discard(pid)
        elif pid:  # 0 is who is in another pid namespace, together with all others there
            self._sent_back.add(pid)
            raise FUSEError(errno.ESTALE)

    def _directory(self, number: int, ctx: RequestContext, name: bytes | None = None) -> Inode:
        """Return the directory in which something is to be done to a name.

        Args:
            name: The name, if it matters what the kernel took it for.
        """
        directory = self._at(number)
        self._check_way(ctx, directory.is_doubtful(name))
        return directory

    def _add(self, handle: Handle, asker: Asker, pid: int) -> FileInfo:
        self._last_handle += 1
        self._openers[self._last_handle] = pid
        self._handles[self._last_handle] = handle
        if asker != NOBODY:
            self._on_behalf[self._last_handle] = asker
        # Who has seen the new length opens the file, and must not read old pages before we have been heard.
        keep_cache = handle.keep_cache and self._view.has_good_pages(handle.inode)
        return FileInfo(fh=FileHandleT(self._last_handle), direct_io=handle.direct_io, keep_cache=keep_cache)

    # Names and attributes

    @answered
    async def lookup(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> EntryAttributes:
        parent = self._at(parent_inode)
        if parent.must_load:
            await self._load(parent, ctx)
        found = parent.lookup(name)
        if found is not None:
            return self._inodes.remember(found)
        if parent.missing_seconds is None:
            raise FUSEError(errno.ENOENT)
        missing = EntryAttributes()
        missing.entry_timeout = known_seconds(parent.missing_seconds)
        return missing  # number 0: the kernel remembers that there is nothing

    async def _load(self, inode: Inode, ctx: RequestContext) -> None:
        with (await self._askers.of(ctx.pid)).acting():
            await inode.load()

    async def forget(self, inode_list: Sequence[tuple[InodeT, int]]) -> None:
        started_ns = perf_counter_ns()
        for number, lookups in inode_list:
            self._inodes.forget(number, lookups)
        self._stats.count(_FORGET, started_ns)

    @answered
    async def getattr(self, inode: InodeT, ctx: RequestContext) -> EntryAttributes:
        return self._at(inode).attributes()

    @answered
    @acting
    async def setattr(
        self,
        inode: InodeT,
        attr: EntryAttributes,
        fields: SetattrFields,
        fh: FileHandleT | None,
        ctx: RequestContext,
    ) -> EntryAttributes:
        found, caller = self._at(inode), _caller(ctx)
        self._check_way(ctx, found.is_doubtful_by_name())
        if fields.update_size:
            if fh is None:
                await found.truncate_by_name(attr.st_size, caller)
            else:
                await self._handles[fh].truncate(attr.st_size, caller)
        changes = _changes(attr, fields)
        if changes or not fields.update_size:
            found.set_attributes(changes, caller)
        return found.attributes()

    @answered
    async def readlink(self, inode: InodeT, ctx: RequestContext) -> FileNameT:
        found = self._at(inode)
        found.accessed()
        return FileNameT(found.target())

    # Making, renaming, removing

    @answered
    @acting
    async def mkdir(self, parent_inode: InodeT, name: FileNameT, mode: ModeT, ctx: RequestContext) -> EntryAttributes:
        made = await self._directory(parent_inode, ctx).make_directory(name, mode, _caller(ctx))
        return self._inodes.remember(made)

    @answered
    @acting
    async def mknod(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, rdev: int, ctx: RequestContext
    ) -> EntryAttributes:
        made = await self._directory(parent_inode, ctx).make_node(name, mode, rdev, _caller(ctx))
        return self._inodes.remember(made)

    @answered
    @acting
    async def symlink(
        self, parent_inode: InodeT, name: FileNameT, target: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        made = await self._directory(parent_inode, ctx).make_symlink(name, target, _caller(ctx))
        return self._inodes.remember(made)

    @answered
    @acting
    async def link(
        self, inode: InodeT, new_parent_inode: InodeT, new_name: FileNameT, ctx: RequestContext
    ) -> EntryAttributes:
        found, directory = self._at(inode), self._at(new_parent_inode)
        self._check_way(ctx, found.is_doubtful(), directory.is_doubtful())
        return self._inodes.remember(await directory.link(found, new_name))

    @answered
    @acting
    async def unlink(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        await self._directory(parent_inode, ctx).remove(name)

    @answered
    @acting
    async def rmdir(self, parent_inode: InodeT, name: FileNameT, ctx: RequestContext) -> None:
        await self._directory(parent_inode, ctx).remove_directory(name)

    @answered
    @acting
    async def rename(
        self,
        parent_inode_old: InodeT,
        name_old: FileNameT,
        parent_inode_new: InodeT,
        name_new: FileNameT,
        flags: FlagT,
        ctx: RequestContext,
    ) -> None:
        source, target = self._at(parent_inode_old), self._inodes.at(parent_inode_new)
        exchanges = flags == pyfuse3.RENAME_EXCHANGE
        # What the kernel has by the old name it will have by the new one.
        self._check_way(ctx, source.is_doubtful(name_old), target.is_doubtful(name_new if exchanges else None))
        if exchanges:
            await source.exchange(name_old, target, name_new)
        elif flags & ~pyfuse3.RENAME_NOREPLACE:
            raise FUSEError(errno.EINVAL)
        else:
            await source.rename(name_old, target, name_new, replace=not flags)

    # Files

    @answered
    @acting
    async def create(
        self, parent_inode: InodeT, name: FileNameT, mode: ModeT, flags: FlagT, ctx: RequestContext
    ) -> tuple[FileInfo, EntryAttributes]:
        inode, handle = await self._directory(parent_inode, ctx, name).create(name, mode, flags, _caller(ctx))
        entry = self._inodes.remember(inode)
        return self._add(handle, asker_now(), ctx.pid), entry

    @answered
    async def open(self, inode: InodeT, flags: FlagT, ctx: RequestContext) -> FileInfo:
        view = self._view
        self._check_way(ctx, self._at(inode).is_doubtful())
        may_record = flags & (os.O_ACCMODE | os.O_TRUNC) or view.store.config.audit_reads or view.hooks.watch_reads
        asker = await self._askers.of(ctx.pid) if may_record else NOBODY
        with asker.acting():
            return self._add(await self._at(inode).open(flags, _caller(ctx)), asker, ctx.pid)

    @answered
    async def read(self, fh: FileHandleT, off: int, size: int) -> bytes:
        return await self._handles[fh].read(off, size)

    @answered
    async def write(self, fh: FileHandleT, off: int, buf: bytes) -> int:
        return await self._handles[fh].write(off, buf)

    @answered
    @acting
    async def flush(self, fh: FileHandleT) -> None:
        await self._handles[fh].flush()

    @answered
    @acting
    async def fsync(self, fh: FileHandleT, datasync: bool) -> None:
        await self._handles[fh].sync()

    @answered
    @acting
    async def release(self, fh: FileHandleT) -> None:
        try:
            await self._handles.pop(fh).release()
        finally:
            self._on_behalf.pop(fh, None)
            self._openers.pop(fh, None)

    # Directories

    @answered
    async def opendir(self, inode: InodeT, ctx: RequestContext) -> FileHandleT:
        found = self._at(inode)
        if found.must_load:
            await self._load(found, ctx)
        self._last_handle += 1
        self._directories[self._last_handle] = OpenDirectory(found)
        return FileHandleT(self._last_handle)

    @answered
    async def readdir(self, fh: FileHandleT, start_id: int, token: ReaddirToken) -> None:
        directory = self._directories[fh]
        inode = directory.inode
        inode.refresh()
        inode.accessed()
        if start_id == 0:
            directory.names = [b".", b"..", *inode.names()]
        names = directory.names
        for index in range(start_id, len(names)):
            if not self._add_entry(token, inode, names[index], index + 1):
                return

    def _add_entry(self, token: ReaddirToken, directory: Inode, name: bytes, next_id: int) -> bool:
        if name in (b".", b".."):
            # These count as no look-up.
            entry = EntryAttributes()
            entry.st_ino = InodeT(directory.number if name == b"." else directory.parent_number)
            entry.st_mode = ModeT(0o40755)
            return pyfuse3.readdir_reply(token, FileNameT(name), entry, next_id)
        found = directory.lookup(name)
        if found is None:
            return True  # gone since
        if not pyfuse3.readdir_reply(token, FileNameT(name), found.attributes(), next_id):
            return False
        self._inodes.remember(found)
        return True

    @answered
    async def releasedir(self, fh: FileHandleT) -> None:
        del self._directories[fh]

    @answered
    async def fsyncdir(self, fh: FileHandleT, datasync: bool) -> None:
        await in_worker(self._view.store.sync)

    # Extended attributes

    @answered
    async def getxattr(self, inode: InodeT, name: XAttrNameT, ctx: RequestContext) -> bytes:
        if not name.startswith(USER):
            raise _NOT_SUPPORTED  # security.capability is asked for at the first write to each file
        return self._at(inode).xattr(name)

    @answered
    async def listxattr(self, inode: InodeT, ctx: RequestContext) -> Sequence[XAttrNameT]:
        return [XAttrNameT(name) for name in self._at(inode).xattr_names()]

    @answered
    @acting
    async def setxattr(self, inode: InodeT, name: XAttrNameT, value: bytes, ctx: RequestContext) -> None:
        found = self._at(inode)
        self._check_way(ctx, found.is_doubtful_by_name())
        await found.set_xattr(name, value)

    @answered
    @acting
    async def removexattr(self, inode: InodeT, name: XAttrNameT, ctx: RequestContext) -> None:
        found = self._at(inode)
        self._check_way(ctx, found.is_doubtful_by_name())
        await found.remove_xattr(name, _caller(ctx))

    # The whole

    @answered
    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        try:
            below = os.statvfs(self._view.store.path)
        except OSError as failure:
            # The store has gone. That is logged where something is lost by it, and not each time that somebody looks.
            raise FUSEError(errno.EIO) from failure
        shown = StatvfsData()
        for field in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"):
            setattr(shown, field, getattr(below, field))
        shown.f_namemax = MAX_NAME_BYTES
        return shown


def _caller(ctx: RequestContext) -> Caller:
    return Caller(ctx.uid, ctx.gid, ctx.pid)


def _changes(attr: EntryAttributes, fields: SetattrFields) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if fields.update_mode:
        changes["mode"] = attr.st_mode & 0o7777
    if fields.update_uid:
        changes["uid"] = attr.st_uid
    if fields.update_gid:
        changes["gid"] = attr.st_gid
    if fields.update_mtime:
        changes["mtime_ns"] = attr.st_mtime_ns
    if fields.update_atime:
        changes["atime_ns"] = attr.st_atime_ns
    return changes
