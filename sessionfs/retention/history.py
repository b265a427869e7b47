"""Everything that was ever stored in a session, read from its log and those it begins with: what pruning decides on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from sessionfs.artifacts import Tree, events, text_of
from sessionfs.clock import format_time
from sessionfs.errors import Corrupt, NotFound
from sessionfs.log import Position, Record
from sessionfs.log.stretch import read_stretch
from sessionfs.oid import ObjectId
from sessionfs.store import past
from sessionfs.store.pruned import TYPE as PRUNED
from sessionfs.store.pruned import Pruned
from sessionfs.store.reach import oids_in
from sessionfs.store.session import Session
from sessionfs.store.uncollected import uncollected
from sessionfs.travel.numbering import NUMBERED, Directory, File, Numbering, Version

_decode_stored = msgspec.json.Decoder(events.Stored).decode
_decode_pruned = msgspec.json.Decoder(Pruned).decode


class Content(NamedTuple):
    """What one record stored."""

    path: str  # where, in text form
    oid: ObjectId
    size: int  # bytes of content
    time: str  # when, RFC 3339


class History:
    """What a session stored, up to one place in its log."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, int], Content] = {}
        """By session and number of the record, the oldest first."""
        self.named_otherwise: set[ObjectId] = set()
        """What other records name: values of state, snapshots, what callers recorded."""
        self.pruned: set[ObjectId] = set()
        """What has been given up already, and was not stored again since."""
        self._numbering = Numbering()

    def files(self) -> Iterator[tuple[str, list[Content]]]:
        """Yield the path of each file that is there, or was there last, with its versions, the oldest first."""
        waiting: list[tuple[str, Directory]] = [("", self._numbering.root)]
        while waiting:
            above, directory = waiting.pop()
            for name, entry in (*directory.gone.items(), *directory.entries.items()):
                path = f"{above}/{name}" if above else name
                if isinstance(entry, Directory):
                    waiting.append((path, entry))
                elif isinstance(entry, File):
                    places = [(version.session_id, version.seq) for version in entry.versions]
                    yield path, [self.contents[place] for place in places if place in self.contents]

    def take(self, session: Session, record: Record) -> None:
        """Take in the next record of *session*."""
        if record.data_oid is not None:
            self.named_otherwise.add(record.data_oid)
        if record.type == PRUNED:
            self.pruned.update(_decode_pruned(record.data).oids)
            return
        if record.type not in NUMBERED:
            self.named_otherwise |= oids_in(bytes(record.data))
            return
        data = record.data if record.data_oid is None else session.objects.read(record.data_oid)
        self._numbering.apply(record.type, data, Version(1, session.id, record.seq))
        if record.type == "artifact.stored":
            stored = _decode_stored(data)
            if stored.oid is not None:
                self.contents[session.id, record.seq] = Content(stored.path, stored.oid, stored.size, record.time)
                self.pruned.discard(stored.oid)

    def begin_with(self, tree: Tree) -> None:
        """Begin with what a fork began with, when its parent has been deleted."""
        files: dict[int, File] = {}
        for path, node in tree.walk():
            if node.is_directory:
                self._numbering.put(text_of(path), Directory())
            elif node.is_file:
                home, _, seq = node.id.rpartition(":")
                file = files.setdefault(node.ino, File([Version(node.version, home, int(seq))]))
                self._numbering.put(text_of(path), file)
                if node.oid is not None:
                    time = format_time(node.mtime_ns)
                    self.contents[home, int(seq)] = Content(text_of(path), node.oid, node.size, time)


def read_history(session: Session, end: Position) -> History:
    """Return what *session* stored up to *end*.

    Raises:
        CorruptLog, LostBeginning: That cannot be read.
    """
    with uncollected:
        history = _beginning(session)
        for record in read_stretch(session.log, Position(0, 0, session.id, 0), end):
            history.take(session, record)
        return history


def _beginning(session: Session) -> History:
    """Return what was stored before the first record of *session*: nothing, or what a fork begins with."""
    fork = past.fork_of(session)
    if fork is not None:
        try:
            return read_history(session.other(fork.session), fork.position)
        except (NotFound, Corrupt):
            history = History()
            history.begin_with(past.begin(session).fold.tree)
            return history
    return History()
