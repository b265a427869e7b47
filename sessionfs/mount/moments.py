"""Moments of a session as directories: ``checkpoints/<name>/`` and ``at/<seq or UTC time>/``.

    /sessions/<id>/checkpoints/<name>/{artifacts,state}
    /sessions/<id>/at/<seq or UTC time>/{artifacts,state}     found by name, not listed

Nothing in them ever changes, so the kernel may keep all of it, except for what a checkpoint's name stands for. An inode
in them holds its path, and nothing of the tree: the views of moments that were looked at last are kept (see
:mod:`sessionfs.travel.view`), and one that had to go is opened again when somebody asks. So a ``grep -r`` through a
hundred moments takes no more memory than the kernel's own names do.

The chain of a moment is part of every path, so the numbers of inodes differ from the live ones and between moments,
stay the same across remounts, and never mean what another session of the same id once had.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from sessionfs import refs
from sessionfs.clock import parse_time
from sessionfs.errors import Corrupt
from sessionfs.log import Position
from sessionfs.mount.handles import BytesHandle, Handle
from sessionfs.mount.inodes import KNOWN_SECONDS, Caller, Inode
from sessionfs.mount.namespace import READ_ONLY_DIRECTORY, READ_ONLY_FILE, Virtual
from sessionfs.mount.of_session import OfSession, OfSessionFolder
from sessionfs.mount.past_nodes import Moment
from sessionfs.mount.read_only import ReadOnly, check_reads_only
from sessionfs.travel import NoSuchMoment, parse_moment, resolve_moment
from sessionfs.travel.checkpoints import NoSuchCheckpoint, checkpoint_names, find_checkpoint
from sessionfs.travel.moment import AfterRecord, AtCheckpoint, AtTime, BadMoment

# Between a moment's name and its chain, in the paths of virtual inodes; no name can hold it.
_BEFORE_CHAIN = "\0"


class Moments(ReadOnly, OfSessionFolder):
    """``at``: found by name, because there are as many as records."""

    mode = READ_ONLY_DIRECTORY

    def names(self) -> Sequence[bytes]:
        return []

    def lookup(self, name: bytes) -> Inode | None:
        text = os.fsdecode(name)
        try:
            moment = parse_moment(text)
            if not isinstance(moment, AfterRecord | AtTime):
                return None  # what moves with the clock, or with a checkpoint, is no name for a directory
            position = resolve_moment(self.mounted.session, moment)
        except (BadMoment, NoSuchMoment):
            return None
        return _moment_folder(self, text, position, AtFolder)


class Checkpoints(ReadOnly, OfSessionFolder):
    """``checkpoints``: a directory for each."""

    mode = READ_ONLY_DIRECTORY

    def names(self) -> Sequence[bytes]:
        session = self.mounted.session
        return [name.encode() for name in checkpoint_names(session) if self._is_there(name)]

    def lookup(self, name: bytes) -> Inode | None:
        text = os.fsdecode(name)
        try:
            position = resolve_moment(self.mounted.session, AtCheckpoint(text))
        except (refs.MalformedRefName, NoSuchCheckpoint, NoSuchMoment):
            return None
        return _moment_folder(self, text, position, MomentFolder)

    def _is_there(self, name: str) -> bool:
        try:
            return find_checkpoint(self.mounted.session, name) is not None
        except Corrupt:
            return True  # looking it up says what is wrong


class _OfMoment(ReadOnly, OfSession):
    """What belongs to one moment: its path is that of the moment's directory, or goes on from there."""

    attr_seconds = KNOWN_SECONDS
    entry_seconds = KNOWN_SECONDS
    moment: Moment

    def refresh(self) -> None:
        """Nothing here changes."""

    def changed_ns(self) -> int:
        return self.moment.view().time_ns

    @property
    def missing_seconds(self) -> float | None:
        return KNOWN_SECONDS


class MomentFolder(_OfMoment, OfSessionFolder):
    """``checkpoints/<name>``, whose name may come to stand for another moment."""

    mode = READ_ONLY_DIRECTORY
    entry_seconds = 0.0

    def names(self) -> Sequence[bytes]:
        return [b"artifacts", b"state"]

    def lookup(self, name: bytes) -> Inode | None:
        if name == b"artifacts":
            return self.moment.inode_at("")
        if name != b"state":
            return None
        return self.child("state", lambda view, path: _with_moment(PastState(view, path), self.moment))


class AtFolder(MomentFolder):
    """``at/<seq or UTC time>``: what it stands for, it stands for for ever."""

    entry_seconds = KNOWN_SECONDS


class PastState(_OfMoment, OfSessionFolder):
    """``state`` of a moment."""

    mode = READ_ONLY_DIRECTORY

    def names(self) -> Sequence[bytes]:
        return [key.encode() for key in sorted(self.moment.view().state.values)]

    def lookup(self, name: bytes) -> Inode | None:
        key = os.fsdecode(name)
        if key not in self.moment.view().state:
            return None
        return self.child(key, lambda view, path: _with_moment(PastStateFile(view, path), self.moment))


class PastStateFile(_OfMoment):
    """``state/<key>`` of a moment: the value's JSON."""

    mode = READ_ONLY_FILE

    def size(self) -> int:
        return self.moment.view().state.values[self.name].size + 1

    def changed_ns(self) -> int:
        return parse_time(self.moment.view().state.values[self.name].changed_at)

    async def open(self, flags: int, caller: Caller) -> Handle:
        check_reads_only(flags)
        view = self.moment.view()
        with view.lock:
            return BytesHandle(self, view.state.get_json(self.name) + b"\n")


def _moment_folder(folder: OfSessionFolder, name: str, position: Position, kind: type[MomentFolder]) -> Inode:
    """Return the directory called *name* in *folder*, which is the moment at *position*."""
    path = f"{folder.path}/{name}{_BEFORE_CHAIN}{position.chain}"
    moment = Moment(folder.mounted, position, path, folder.view.inodes)
    return folder.view.virtual(path, lambda view, path: _with_moment(kind(view, path), moment))


def _with_moment(inode: _OfMoment, moment: Moment) -> Virtual:
    inode.moment = moment
    return inode
