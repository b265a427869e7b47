"""What a session's directory holds, and the virtual files in it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sessionfs.clock import parse_time
from sessionfs.mount import session_xattrs
from sessionfs.mount.handles import BytesHandle, Handle, TextHandle
from sessionfs.mount.inodes import KNOWN_SECONDS, Caller, Inode, error
from sessionfs.mount.moments import Checkpoints, Moments
from sessionfs.mount.namespace import WRITABLE_DIRECTORY, WRITABLE_FILE, Virtual, link_to
from sessionfs.mount.of_session import OfSession, OfSessionFolder
from sessionfs.mount.versions import Versions
from sessionfs.sessions import parse_status
from sessionfs.state import check_key, parse_value
from sessionfs.store import proposals
from sessionfs.store.session import checked_changes

if TYPE_CHECKING:
    from sessionfs.mount.view import View

_MAX_STATUS_BYTES = 64


class SessionDirectory(OfSessionFolder):
    """``sessions/<id>``. What is in it changes all the time; it itself does not."""

    mode = WRITABLE_DIRECTORY
    attr_seconds = KNOWN_SECONDS
    entry_seconds = KNOWN_SECONDS

    def changed_ns(self) -> int:
        return parse_time(self.mounted.session.fold.fields.created_at)

    def names(self) -> Sequence[bytes]:
        return [name.encode() for name, find in SESSION_ENTRIES.items() if find(self, name) is not None]

    def lookup(self, name: bytes) -> Inode | None:
        text = os.fsdecode(name)
        find = SESSION_ENTRIES.get(text)
        return None if find is None else find(self, text)

    def xattr_names(self) -> list[bytes]:
        return session_xattrs.names(self.mounted.session.info())

    def xattr(self, name: bytes) -> bytes:
        return session_xattrs.get(self.mounted.session.info(), name)

    async def set_xattr(self, name: bytes, value: bytes) -> None:
        await self._update(session_xattrs.changes_to_set(self.mounted.session.info(), name, value))

    async def remove_xattr(self, name: bytes, caller: Caller) -> None:
        await self._update(session_xattrs.changes_to_remove(self.mounted.session.info(), name))

    async def _update(self, changes: dict[str, Any]) -> None:
        if changes:
            session = self.mounted.session
            with await self.mounted.ask(
                "session.update", lambda: proposals.of_session(session, lambda _: checked_changes(changes))
            ):
                session.update(**changes)
            self.view.overview.changed(session.id)

    @property
    def must_load(self) -> bool:  # type: ignore[override]
        session = self.mounted.session
        if not session.is_loaded and not self.view.hooks.are_at("session.load", session):
            session.is_loaded = True
        return not session.is_loaded

    async def load(self) -> None:
        mounted = self.mounted
        with await mounted.ask("session.load", lambda: proposals.of_session(mounted.session)):
            self.view.store.load(mounted.session)


class InfoFile(OfSession):
    """``session.json``."""

    def size(self) -> int:
        return len(self._content())

    async def open(self, flags: int, caller: Caller) -> Handle:
        _check_reads_only(flags)
        return BytesHandle(self, self._content())

    def _content(self) -> bytes:
        text = json.dumps(self.mounted.session.info().to_dict(), indent=2, ensure_ascii=False)
        return text.encode() + b"\n"


class StatusFile(OfSession):
    """``status``: one word; writing another one moves the session there."""

    mode = WRITABLE_FILE

    def size(self) -> int:
        return len(self._content())

    async def open(self, flags: int, caller: Caller) -> Handle:
        return TextHandle(
            self, self._content(), self._move, flags=flags, at_newline=True, limit_bytes=_MAX_STATUS_BYTES
        )

    async def truncate_by_name(self, size: int, caller: Caller) -> None:
        """Accept it: whoever empties it is about to write a word."""

    def _content(self) -> bytes:
        return self.mounted.session.status.value.encode() + b"\n"

    async def _move(self, content: bytes) -> None:
        self.refresh()
        session, new = self.mounted.session, parse_status(content.decode("utf-8", "replace").strip())
        with await self.mounted.ask(proposals.STEPS[new], lambda: proposals.of_step(session, new, None)):
            session.set_status(new.value)
        self.view.overview.changed(session.id)


class EventsFile(OfSession):
    """``events``: the log, as far as it is whole; it grows while it is read."""

    def size(self) -> int:
        return self.mounted.session.log.position.offset

    async def open(self, flags: int, caller: Caller) -> Handle:
        _check_reads_only(flags)
        return EventsHandle(self)


class EventsHandle(Handle):
    """An open log."""

    inode: EventsFile
    direct_io = True
    keep_cache = False

    def __init__(self, inode: EventsFile) -> None:
        super().__init__(inode)
        self._disk = inode.view.store.disk
        self._fd = self._disk.open(inode.mounted.session.log.path, os.O_RDONLY | os.O_CLOEXEC)

    async def read(self, offset: int, length: int) -> bytes:
        self.inode.refresh()
        # What a crash or a slower writer left behind the last good record is not the log.
        length = min(length, self.inode.size() - offset)
        return self._disk.pread(self._fd, length, offset) if length > 0 else b""

    async def release(self) -> None:
        self._disk.close(self._fd)


class StateFolder(OfSessionFolder):
    """``state``: a file for each key."""

    mode = WRITABLE_DIRECTORY

    def names(self) -> Sequence[bytes]:
        return [key.encode() for key in self.mounted.session.fold.state.keys("")]

    def lookup(self, name: bytes) -> Inode | None:
        key = os.fsdecode(name)
        return self.child(key, StateFile) if key in self.mounted.session.fold.state else None

    async def create(self, name: bytes, mode: int, flags: int, caller: Caller) -> tuple[Inode, Handle]:
        self.mounted.check_writable()
        file = self.child(check_key(_text(name)), StateFile)
        return file, await file.open(flags, caller)

    async def remove(self, name: bytes) -> None:
        session, key = self.mounted.session, _text(name)
        with await self.mounted.ask("state.change", lambda: proposals.of_value(session, key, None)):
            session.values.delete(key)

    async def rename(self, name: bytes, target: Inode, new_name: bytes, *, replace: bool) -> None:
        if not isinstance(target, StateFolder) or target.mounted is not self.mounted:
            raise error(errno.EXDEV)
        session, key, new_key = self.mounted.session, _text(name), check_key(_text(new_name))
        if new_key in session.fold.state and not replace:
            raise error(errno.EEXIST)
        if new_key == key:
            return
        value = session.fold.state.get_json(key)
        setting = await self.mounted.ask("state.change", lambda: proposals.of_value(session, new_key, value))
        try:
            deleting = await self.mounted.ask("state.change", lambda: proposals.of_value(session, key, None))
        except BaseException:
            with setting:  # records what hooks did
                raise
        with session.writing():
            with setting:
                session.values.set_json(new_key, session.fold.state.get_json(key))
            with deleting:
                session.values.delete(key)


class StateFile(OfSession):
    """``state/<key>``: the value's JSON; what is written is set when it is closed."""

    mode = WRITABLE_FILE

    def size(self) -> int:
        value = self.mounted.session.fold.state.values.get(self.name)
        return 0 if value is None else value.size + 1

    def changed_ns(self) -> int:
        value = self.mounted.session.fold.state.values.get(self.name)
        return super().changed_ns() if value is None else parse_time(value.changed_at)

    async def open(self, flags: int, caller: Caller) -> Handle:
        if flags & (os.O_ACCMODE | os.O_TRUNC):
            self.mounted.check_writable()
        return TextHandle(self, self._content(), self._set, flags=flags)

    async def truncate_by_name(self, size: int, caller: Caller) -> None:
        """Accept it: whoever empties it is about to write a value."""
        self.mounted.check_writable()

    def _content(self) -> bytes:
        state = self.mounted.session.fold.state
        return state.get_json(self.name) + b"\n" if self.name in state else b""

    async def _set(self, content: bytes) -> None:
        session, value = self.mounted.session, parse_value(content)
        with await self.mounted.ask("state.change", lambda: proposals.of_value(session, self.name, value)):
            session.values.set_json(self.name, value)


class Children(OfSessionFolder):
    """``children``: links to the sessions whose parent this is."""

    def names(self) -> Sequence[bytes]:
        return [child.encode() for child in self._children()]

    def lookup(self, name: bytes) -> Inode | None:
        child = os.fsdecode(name)
        return self.child(child, link_to(f"../../{child}")) if child in self._children() else None

    def _children(self) -> list[str]:
        if self.view.only is not None:
            return []
        return self.view.overview.children(self.mounted.session.id)


def _artifacts(directory: SessionDirectory, name: str) -> Inode:
    mounted = directory.mounted
    return mounted.inode_of(mounted.session.tree.root)


def _parent(directory: SessionDirectory, name: str) -> Inode | None:
    parent = directory.mounted.session.fold.fields.parent
    return None if parent is None else directory.child(name, link_to(f"../{parent}"))


def _of_kind(kind: Callable[[View, str], Virtual]) -> Callable[[SessionDirectory, str], Inode | None]:
    return lambda directory, name: directory.child(name, kind)


SESSION_ENTRIES: dict[str, Callable[[SessionDirectory, str], Inode | None]] = {
    "artifacts": _artifacts,
    "state": _of_kind(StateFolder),
    "events": _of_kind(EventsFile),
    "session.json": _of_kind(InfoFile),
    "status": _of_kind(StatusFile),
    "checkpoints": _of_kind(Checkpoints),
    "at": _of_kind(Moments),
    "versions": _of_kind(Versions),
    "parent": _parent,
    "children": _of_kind(Children),
}


def _check_reads_only(flags: int) -> None:
    if flags & os.O_ACCMODE != os.O_RDONLY:
        raise error(errno.EROFS)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise error(errno.EINVAL) from None  # a key is text
