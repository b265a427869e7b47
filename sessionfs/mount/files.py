"""Files of the live tree: reading, and staging what is written until it becomes a version.

All handles of an inode share what is staged. It becomes one version when a descriptor is closed or synced, however many
``write(2)`` calls it came from. A new file hangs in the tree unrecorded until then, and everything that is set on it
meanwhile (``pending``) goes into the same record.

Those who have a file open keep its content when another process stores a newer version (close-to-open): their inode is
*retired*, and whoever looks the name up from then on gets another inode, with a number of its own for that while. Both
may write; the last to close wins, and both are versions.

Concurrency: everything runs on the loop's thread. Only hashing, compressing and copying of what is larger than
INLINE_BYTES happens in a worker, with the inode's lock held; writers wait for that lock, and readers of staged content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import trio
from pyfuse3 import EntryAttributes

from sessionfs.artifacts.mime import SNIFFED_BYTES
from sessionfs.mount.artifacts import ArtifactInode
from sessionfs.mount.file_handles import FileHandle
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import Caller, build_attributes
from sessionfs.mount.loop import holding, in_worker
from sessionfs.objects import ObjectReader, Staged, Stored
from sessionfs.oid import ObjectId
from sessionfs.store import proposals
from sessionfs.store.artifacts import check_artifact_size, encode_attributes, with_mime_type

if TYPE_CHECKING:
    from sessionfs.mount.keeper import Kept

# Up to here hashing and compressing cost less than handing them to a thread and back (about 100 us).
INLINE_BYTES = 64 << 10

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Content(NamedTuple):
    """What is in a file."""

    oid: ObjectId | None
    size: int
    mtime_ns: int


class ArtifactFile(ArtifactInode):
    """A regular file.

    Most files are only looked at, tens of thousands at a time: these hold nothing but what every inode does.
    """

    size = 0  # of what is staged
    dirty = False  # what is staged differs from the newest version
    written = False  # …and not only because it was created, or truncated when it was opened
    pending: Mapping[str, Any] = _NOTHING  # fields that are in no record yet
    retired = False  # another process stored a newer version than those have who have this open
    kept: Kept | None = None  # what survives this process of what is staged
    _staged: Staged | None = None
    _writes = 0  # how often what is staged was changed
    _versions = 0  # how many of them were recorded
    _is_told = True  # hooks were asked about the last one
    _begun_from: ObjectId | None = None  # what was there before what is staged was written
    _reader: tuple[ObjectId, ObjectReader] | None = None
    _writers: frozenset[FileHandle] = frozenset()
    _as_opened: Content | None = None

    @cached_property
    def lock(self) -> trio.Lock:
        """Held while a worker has the staged content."""
        return trio.Lock()

    # What it says about itself

    @property
    def is_being_written(self) -> bool:
        return bool(self._writers)

    @property
    def is_unsaved(self) -> bool:
        return self.dirty

    @property
    def unsettled(self) -> bool:
        """Whether something about it is in no record yet."""
        return self.dirty or bool(self.pending) or not self.node.id

    def value(self, field: str) -> Any:
        return self.pending[field] if field in self.pending else super().value(field)

    @property
    def content(self) -> Content:
        """What is in it, for those who have it open; not what is staged."""
        if self.retired and self._as_opened is not None:
            return self._as_opened
        return Content(self.node.oid, self.node.size, self.node.mtime_ns)

    def build(self) -> EntryAttributes:
        if not self.unsettled and not self.retired:
            return super().build()
        node = self.node
        mode = stat.S_IFREG | stat.S_IMODE(self.value("mode"))
        return build_attributes(
            self.number,
            mode,
            uid=self.value("uid"),
            gid=self.value("gid"),
            size=self._shown_size(),
            mtime_ns=self.pending.get("mtime_ns", self.content.mtime_ns),
            ctime_ns=max(node.ctime_ns, self.touched_ns),
            atime_ns=self.atime_ns,
            links=self.links,
        )

    def change(self, changes: dict[str, Any]) -> None:
        if not self.unsettled:
            super().change(changes)
            return
        self.mounted.check_writable()
        self.mounted.check_fields(changes)
        if changes:
            self.pending = {**self.pending, **changes}
            self.touch()

    def record_touch(self) -> None:
        if self.unsettled:
            self.touch()
        else:
            super().record_touch()

    def is_doubtful_by_name(self) -> bool:
        return not self.handles and self.is_doubtful()

    # Opening and closing

    async def open(self, flags: int, caller: Caller) -> Handle:
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        if writes or flags & os.O_TRUNC:
            self.mounted.check_writable()
        if flags & os.O_TRUNC:
            await self.truncate(0, caller, opening=True)
        elif flags & os.O_ACCMODE != os.O_WRONLY and self.node.id:
            await self._note_retrieved(caller)
        return self._opened(flags, caller)

    async def _note_retrieved(self, caller: Caller) -> None:
        path = self.path if self.path is not None else self.node.name  # it may have been deleted
        mounted, session, id = self.mounted, self.mounted.session, self.node.id
        with await mounted.ask("artifact.retrieve", lambda: proposals.of_retrieval(session, path, id)):
            session.artifacts.note_retrieved(path, id, by=mounted.actor_of(caller))

    async def open_new(self, flags: int, caller: Caller) -> FileHandle:
        """Open a file that has just been created."""
        self._staged = self.mounted.store.objects.stage()
        self.size = 0
        self.dirty, self.written = True, False
        return self._opened(flags | os.O_RDWR, caller)

    def _opened(self, flags: int, caller: Caller) -> FileHandle:
        handle = FileHandle(self, flags, caller)
        if self.handles == 0:
            self._as_opened = self.content
        self.handles += 1
        if handle.writes:
            self._writers |= {handle}
        return handle

    def closed(self, handle: FileHandle) -> None:
        """Note that *handle* is gone."""
        self.handles -= 1
        self._writers -= {handle}
        if self.handles == 0:
            self._discard_staged()
            self._close_reader()
        elif not self._writers and not self.dirty:
            self._discard_staged()
        self.mounted.inodes.drop_unused(self)

    def _discard_staged(self) -> None:
        staged, self._staged = self._staged, None
        if staged is not None:
            staged.discard()
            self.cached = None
            self._end_keeping()

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader[1].close()

    # Content

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        if self.lock.locked():
            async with holding(self.lock):
                pass  # a worker has the staged content; taking its own lock would stop the whole loop
        if self._staged is not None:
            return self._staged.pread(length, offset)
        oid = self._as_opened.oid if self._as_opened is not None else self.node.oid
        if oid is None:
            return b""
        if self._reader is None or self._reader[0] != oid:
            self._close_reader()
            self._reader = (oid, self.mounted.store.objects.open(oid))
        return self._reader[1].pread(length, offset)

    async def write(self, offset: int, data: bytes) -> int:
        """Write *data* at *offset* and return its length."""
        self.mounted.check_writable()
        staged = await self._stage()
        end = offset + len(data)
        if end > self.size:
            check_artifact_size(self.mounted.session.config.max_artifact_bytes, end)
        staged.pwrite(data, offset)
        self.size = max(self.size, end)
        self._rewritten()
        self.written = True
        kept = self._keeping()
        if kept is not None:
            kept.wrote(offset, data)
        if staged.is_behind:
            await in_worker(staged.catch_up)
        return len(data)

    def _keeping(self) -> Kept | None:
        """Return what keeps it for the case that this process is killed; None for what has been removed."""
        if self.kept is None:
            path = self.path
            if path is not None:
                self.kept = self.mounted.keeper.begin(self.mounted.session.id, path, self._begun_from)
        return self.kept

    def _end_keeping(self) -> None:
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.end()

    async def keep(self) -> None:
        """Store what is staged as a blob that no record names yet."""
        async with holding(self.lock):
            path = self.path
            if self._staged is None or self.kept is None or path is None:
                return
            stored = await in_worker(self._staged.finish)
            self.kept.stored(path, stored.oid)

    async def truncate(self, size: int, caller: Caller, *, opening: bool = False) -> None:
        """Set the length in bytes, for ``open`` or for ``truncate(2)``."""
        self.mounted.check_writable()
        if size > self._shown_size():
            check_artifact_size(self.mounted.session.config.max_artifact_bytes, size)
        staged = await self._stage(empty=size == 0)
        staged.truncate(size)
        self.size = size
        self.written = not opening or (self.dirty and self.written)
        self._rewritten()
        kept = self.kept if opening else self._keeping()
        if kept is not None:
            kept.truncated(size)
        if caller.uid != 0:  # root has CAP_FSETID
            self.change(self.without_set_id(caller))

    async def truncate_by_name(self, size: int, caller: Caller) -> None:
        """Set the length in bytes; nobody will close it, so this is a version at once."""
        await self.truncate(size, caller)
        try:
            await self.store_version()
        except Exception:
            if not self._writers:
                self.give_up()
            raise
        if not self._writers:
            self._discard_staged()

    def _shown_size(self) -> int:
        return self.content.size if self._staged is None else self.size

    def _rewritten(self) -> None:
        """Note that what is staged changed just now."""
        self.dirty = True
        self._writes += 1
        self.touch()
        self.pending = {**self.pending, "mtime_ns": self.touched_ns}

    async def _stage(self, *, empty: bool = False) -> Staged:
        """Return the staged content, starting from the newest version unless it is to be *empty*."""
        if self._staged is not None and not self.lock.locked():
            return self._staged
        async with holding(self.lock):
            if self._staged is None:
                objects, (oid, size, _) = self.mounted.store.objects, self.content
                self._begun_from = None if empty else oid
                self._staged = objects.stage() if empty or oid is None or size == 0 else objects.stage(oid)
                self.size = self._staged.size
            return self._staged

    def retire(self) -> None:
        """Go on with the content that it has: another process stored a newer version."""
        self.retired = True
        self.cached = None

    # Versions

    async def store_version(self, *, keeps_name: bool = False) -> None:
        """Make one version of what is staged and pending, if there is anything.

        Args:
            keeps_name: The kernel is about to know the file by its name, so no hook can give it another one.

        Raises:
            Error: Nothing was recorded; it stays staged, and the next close tries again.
        """
        if not self.unsettled:
            return
        async with holding(self.lock):
            if not self.unsettled or self.path is None:
                return
            self.mounted.check_writable()
            if not self.dirty:
                self._record_pending()
                return
            stored = await self._finish()
            if not self.mounted.hooks.are_at("artifact.store", self.mounted.session):
                with self.mounted.changing():
                    path = self.path
                    if path is not None:
                        self._record(path, stored)
                        self._is_told = False
                return
        await self._record_if_let(stored, keeps_name)

    async def _record_if_let(self, stored: Stored, keeps_name: bool) -> None:
        """Record a version, if hooks let it pass.

        While they are asked nothing is locked: they may read the file, and write to it. If a hook, or somebody else,
        makes another version meanwhile, all that was written is in that one. What is written and not closed meanwhile
        is not in this version, and its close makes the next.
        """
        path, session = self.path, self.mounted.session
        if path is None:
            return
        head = self._head()
        writes, versions = self._writes, self._versions
        fields = with_mime_type(encode_attributes(dict(self.pending)), path, head)
        asked = await self.mounted.ask(
            "artifact.store", lambda: proposals.of_file(session, path, stored, fields), keeps_name=keeps_name
        )
        async with holding(self.lock):
            with asked as answer, self.mounted.changing():
                if self.path is None:
                    return
                if self._versions != versions:
                    if answer is not None and not self._is_told:  # it was a hook's: nobody else tells of it
                        answer.done(int(self.node.id.rpartition(":")[2]))
                        self._is_told = True
                    return
                self._is_told = True
                if answer is not None and answer.name is not None:
                    self._record_elsewhere(self.path, stored, head)
                else:
                    self._record(self.path, stored, head, is_all=self._writes == writes)

    async def _finish(self) -> Stored:
        assert self._staged is not None
        if self._staged.unfinished_bytes <= INLINE_BYTES:
            return self._staged.finish()
        return await in_worker(self._staged.finish)

    def _head(self) -> bytes:
        return b"" if self._staged is None else self._staged.pread(SNIFFED_BYTES, 0)

    def _record_elsewhere(self, path: str, stored: Stored, head: bytes) -> None:
        """Record it under the other name that hooks gave it; under its own it is as it was, or gone."""
        node, mounted = self.node, self.mounted
        made = mounted.session.artifacts.put(
            path,
            stored,
            head=head,
            make_parents=False,
            mode=stat.S_IMODE(self.value("mode")),
            uid=self.value("uid"),
            gid=self.value("gid"),
            mtime_ns=self.pending.get("mtime_ns", node.mtime_ns),
            created_by=node.created_by,
        )
        self._versions += 1
        self.give_up()
        mounted.made_elsewhere(made)

    def _record(self, path: str, stored: Stored, head: bytes | None = None, *, is_all: bool = True) -> None:
        """Record a version.

        Args:
            is_all: There is nothing newer that has been written and not recorded.
        """
        node, mounted = self.node, self.mounted
        is_new = not node.id
        fields = dict(self.pending)
        if is_new:
            known = {"mode": stat.S_IMODE(node.mode), "uid": node.uid, "gid": node.gid, "created_by": node.created_by}
            made = {"made_ns": node.created_ns, "entered_ns": self._entered_ns(), "mtime_ns": node.mtime_ns}
            fields = {**known, **made, **fields}
        mounted.session.artifacts.put(
            path,
            stored,
            # A type that somebody set, or that was found before, stays.
            head=(head or self._head()) if is_new or node.mime_type is None else None,
            ino=node.ino,
            make_parents=False,
            ctime_ns=max(node.ctime_ns, self.touched_ns),
            **fields,
        )
        self._versions += 1
        self.cached = None
        if not is_all:
            mounted.stored_through(self)
            return
        self.pending = _NOTHING
        self.dirty = self.written = False
        self._as_opened = Content(node.oid, node.size, node.mtime_ns)
        self._begun_from = node.oid
        self._end_keeping()
        mounted.stored_through(self)

    def _entered_ns(self) -> int | None:
        directory = self.mounted.known.get(self.node.parent)
        return None if directory is None else directory.entered_ns

    def _record_pending(self) -> None:
        with self.mounted.changing():
            path = self.path
            if path is not None:
                self.mounted.session.artifacts.change(path, **self.pending, ctime_ns=self.touched_ns)
                self.pending = _NOTHING
                self.cached = None

    def give_up_unless_written_by_others(self, handle: FileHandle) -> None:
        """Let go of what could not be recorded, when *handle* was the last that writes."""
        if self._writers <= {handle}:
            self.give_up()

    def give_up(self) -> None:
        """Let go of what could not be recorded; a file that never was in a record goes altogether."""
        self.dirty = False
        self.pending = _NOTHING
        self._discard_staged()
        self.mounted.forget_pages(self)  # the kernel has pages of what was not stored
        if not self.node.id and self.path is not None:
            parent, name = self.node.parent, self.node.name
            assert parent is not None
            self.mounted.session.tree.remove_unrecorded(self.node)
            self.mounted.invalidate_entry(parent, name, of=self)

    def is_open_elsewhere(self, caller: Caller) -> bool:
        """Whether the process that opened it has another descriptor of it (see :meth:`FileHandle.flush`)."""
        path = self.path
        if path is None:
            return False
        ending = "/artifacts/" + path
        directory = f"/proc/{caller.pid}/fd"
        try:
            return any(os.readlink(f"{directory}/{fd}").endswith(ending) for fd in os.listdir(directory))
        except OSError:
            return False  # it is gone, or not ours to look at: record what there is
