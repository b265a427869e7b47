"""Every version of every artifact of a session: a reading of the whole log, which goes on as that grows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import msgspec

from sessionfs.artifacts import NoSuchArtifact, Tree, events, from_text, text_of
from sessionfs.clock import parse_time
from sessionfs.errors import Corrupt, NotFound
from sessionfs.log import Log, Position, Record
from sessionfs.log.search import find_seq
from sessionfs.log.stretch import read_stretch
from sessionfs.oid import ObjectId
from sessionfs.store import past
from sessionfs.store.session import Session
from sessionfs.store.uncollected import uncollected
from sessionfs.travel.numbering import NUMBERED, Directory, File, Numbering, Version

# Indexes that are kept; one of a session with 100,000 artifacts takes 40 MB.
_MAX_INDEXES = 4


class NoSuchVersion(NotFound, KeyError):
    """The artifact has no version of this number."""


class VersionContent(NamedTuple):
    """What the record that stored a version says of it."""

    oid: ObjectId | None
    size: int
    time_ns: int
    mtime_ns: int
    actor: str


class VersionIndex:
    """The versions of one session's artifacts. Thread-safe."""

    def __init__(self, session: Session) -> None:
        """Begin before the first record, with what a fork begins with; :meth:`read_on` does the rest."""
        self._numbering = Numbering()
        self._contents: dict[Version, VersionContent] = {}  # of versions whose records cannot be read any more
        self._position = Position(0, 0, session.id, 0)  # where reading goes on
        self._next_seq = 0  # of the first record that is not taken in: later than there, when reading was broken off
        self._lock = threading.Lock()
        fork = past.fork_of(session)
        if fork is None:
            return
        try:
            parent = session.other(fork.session)
            begun = VersionIndex(parent)
            begun._read(parent, fork.position)
            self._numbering, self._contents = begun._numbering, begun._contents
        except (NotFound, Corrupt):
            self._begin_with(past.begin(session).fold.tree)

    def read_on(self, session: Session) -> None:
        """Take in what was appended.

        Raises:
            CorruptLog, NoSuchObject, DamagedObject: The log, or what a record says in an object, is damaged; what came
                before that is taken in, and the next call goes on there.
        """
        session.refresh()
        with self._lock:
            self._read(session, session.log.position)

    def names(self, path: str) -> list[str]:
        """Return the names of files and directories that are, or were, in the directory *path* ("" is the root).

        Raises:
            NoSuchArtifact: There is and was no such directory.
        """
        with self._lock:
            found = self._numbering.find(text_of(path))
            if not isinstance(found, Directory):
                raise NoSuchArtifact(f"there was never a directory {text_of(path)!r} in this session")
            return sorted(from_text(name) for name in {*found.gone, *found.entries} if found.find(name) is not None)

    def is_directory(self, path: str) -> bool | None:
        """Say whether *path* is, or was, a directory; None when it never was a directory or file."""
        with self._lock:
            found = self._numbering.find(text_of(path))
            return None if found is None else isinstance(found, Directory)

    def versions(self, path: str) -> list[Version]:
        """Return the versions of the file at *path*, or of the one that was there last.

        Raises:
            NoSuchArtifact: There is and was none.
        """
        with self._lock:
            found = self._numbering.find(text_of(path))
            if not isinstance(found, File):
                raise NoSuchArtifact(f"there was never a file {text_of(path)!r} in this session")
            return list(found.versions)

    def version(self, path: str, number: int) -> Version:
        """Return one version of the file at *path*.

        Raises:
            NoSuchVersion, NoSuchArtifact: There is none.
        """
        versions = self.versions(path)
        for version in versions:
            if version.number == number:
                return version
        raise NoSuchVersion(
            f"{text_of(path)!r} has no version {number}; it has {', '.join(str(known.number) for known in versions)}"
        )

    def content(self, session: Session, version: Version) -> VersionContent:
        """Return what *version* holds.

        Raises:
            NoSuchVersion: The log has no such record any more.
        """
        known = self._contents.get(version)
        return known if known is not None else _read_version(session, version)

    def _read(self, session: Session, end: Position) -> None:
        with uncollected:
            for record in read_stretch(session.log, self._position, end):
                if record.seq < self._next_seq:
                    continue
                if record.type in NUMBERED:
                    data = record.data if record.data_oid is None else session.objects.read(record.data_oid)
                    self._numbering.apply(record.type, data, Version(1, session.id, record.seq))
                self._next_seq = record.seq + 1
        self._position = end

    def _begin_with(self, tree: Tree) -> None:
        """Begin with what a fork began with, when its parent has been deleted: of each file the version it had then."""
        self._numbering = Numbering()
        inodes: dict[int, File] = {}
        for path, node in tree.walk():
            if node.is_directory:
                self._numbering.put(text_of(path), Directory())
                continue
            file = inodes.get(node.ino)
            if file is None and node.is_file:
                home, _, seq = node.id.rpartition(":")
                version = Version(node.version, home, int(seq))
                self._contents[version] = VersionContent(
                    node.oid, node.size, node.mtime_ns, node.mtime_ns, node.created_by
                )
                file = inodes[node.ino] = File([version])
            self._numbering.put(text_of(path), file)


_decode_stored = msgspec.json.Decoder(events.Stored).decode


def _read_version(session: Session, version: Version) -> VersionContent:
    home = session if version.session_id == session.id else session.other(version.session_id)
    record = _record(home, version.seq)
    text = record.data if record.data_oid is None else home.objects.read(record.data_oid)
    data = _decode_stored(text)
    mtime = data.mtime if isinstance(data.mtime, str) else record.time
    return VersionContent(data.oid, data.size, parse_time(record.time), parse_time(mtime), record.actor)


def _record(session: Session, seq: int) -> Record:
    log = session.log
    line = find_seq(log.read_at, log.size(), seq)
    record = None if line is None else log.record_at(line.offset)
    if record is None:
        raise NoSuchVersion(f"record {seq} of session {session.id} cannot be found; see sessionfs fsck")
    return record


def versions_at(session: Session, position: Position) -> VersionIndex:
    """Return the versions that *session*'s artifacts had at *position*; it is not kept.

    Raises:
        CorruptLog: The log is damaged before that.
    """
    index = VersionIndex(session)
    index._read(session, position)
    return index


_indexes: OrderedDict[Log, VersionIndex] = OrderedDict()
_indexes_lock = threading.Lock()


def versions_of(session: Session) -> VersionIndex:
    """Return the versions of *session*'s artifacts, up to date. The first time costs 4 us for each of its records.

    Raises:
        CorruptLog: The log is damaged.
        NoSuchSession: It was deleted.
    """
    with _indexes_lock:
        index = _indexes.get(session.log)
    if index is None:
        index = VersionIndex(session)
    with _indexes_lock:
        index = _indexes.setdefault(session.log, index)
        _indexes.move_to_end(session.log)
        while len(_indexes) > _MAX_INDEXES:
            _indexes.popitem(last=False)
    index.read_on(session)
    return index
