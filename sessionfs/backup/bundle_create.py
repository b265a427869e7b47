"""Making a bundle: the logs of sessions, their refs, and every object that the receiver may not have."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from sessionfs.backup.bundle_format import BundleWriter, Header, Part, Section
from sessionfs.backup.files import NotedRefs
from sessionfs.backup.lease import leased
from sessionfs.backup.logs import find_source_end, good_lines, log_of
from sessionfs.clock import format_time, parse_time
from sessionfs.errors import Corrupt, InvalidInput, NotFound
from sessionfs.log import NoSuchLog
from sessionfs.log.pages import Place, start_of
from sessionfs.log.search import find_seq
from sessionfs.objects import DamagedObject, ObjectFile, Verifier
from sessionfs.oid import ObjectId
from sessionfs.store import past
from sessionfs.store.reach import Named, Objects
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, Moment, resolve_moment
from sessionfs.travel.moment import AtCheckpoint, AtTime
from sessionfs.travel.resolve import BeforeSession, InFuture

_READ_BYTES = 1 << 20
_LINES_AT_ONCE = 1000
_SUFFIX_OF = {"tree": ".tree", "snapshot": ".snapshot", "lz4": ".lz4", "chunks": ".chunks"}


class NotWhole(Corrupt):
    """A session that is to be bundled is damaged."""


class MomentOfOne(InvalidInput):
    """A moment that one session has is asked of several."""


class Bundled(NamedTuple):
    """What a bundle holds."""

    sessions: tuple[Part, ...]
    object_count: int
    size: int  # bytes of logs, refs and objects

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        sessions = [
            {"id": part.id, "first": part.start.seq, "last": part.end.seq - 1, "chain": part.end.chain}
            for part in self.sessions
        ]
        return {"sessions": sessions, "object_count": self.object_count, "size": self.size}


def create_bundle(
    store: Store,
    out: BinaryIO,
    session_ids: Iterable[str] | None = None,
    *,
    since: Moment | None = None,
    progress: Callable[[int], None] | None = None,
) -> Bundled:
    """Write sessions to *out* as a bundle.

    What a fork was forked from comes along, because the fork begins with it.

    Args:
        session_ids: Which; all by default.
        since: Leave out what the sessions had at this moment: the receiver must have it.
        progress: Called with how many bytes of content have been written more.

    Raises:
        NoSuchSession: There is none of this id; nothing was written.
        MomentOfOne: *since* is a record's number or a checkpoint, and there are several sessions.
        NotWhole: One of them, or something that it needs, is damaged; nothing was written.
        DamagedObject: That was found when its turn came; *out* holds no whole bundle.
        OSError: *out* cannot be written.

    Concurrency:
        The store may be in use: each session is as it was when its turn came.
    """
    with leased(store):
        return _Creation(store, since, progress).run(out, session_ids)


class _Creation:
    """One bundle that is made."""

    def __init__(self, store: Store, since: Moment | None, progress: Callable[[int], None] | None) -> None:
        self._store = store
        self._since = since
        self._progress = progress
        self._ends: dict[str, Place] = {}  # parents before their forks
        self._refs: dict[str, NotedRefs] = {}

    def run(self, out: BinaryIO, session_ids: Iterable[str] | None) -> Bundled:
        store = self._store
        asked = tuple(store.session_ids() if session_ids is None else dict.fromkeys(session_ids))
        for session_id in asked:
            with contextlib.nullcontext() if session_ids is not None else contextlib.suppress(NoSuchSession):
                self._choose(session_id)
        since = self._common_moment(asked)
        starts = {id: self._start(id, end, self._since if id in asked else since) for id, end in self._ends.items()}
        parts = tuple(Part(id=id, start=starts[id], end=end) for id, end in self._ends.items())
        parts = tuple(part for part in parts if part.record_count or not self._is_needless(part, parts))
        files = self._files(parts)
        writer = BundleWriter(out, Header(created_at=format_time(store.clock()), sessions=parts))
        size = sum(self._write_log(writer, part) for part in parts)
        size += sum(self._write_refs(writer, part.id) for part in parts)
        verifier = store.objects.verifier()
        for file in files:
            self._write_object(writer, file, verifier)
        writer.finish()
        return Bundled(parts, len(files), size + sum(file.stored_size for file in files))

    # Which

    def _choose(self, session_id: str) -> None:
        """Take a session, after what it was forked from."""
        if session_id in self._ends:
            return
        refs = NotedRefs(self._store, session_id)
        found = find_source_end(self._store, session_id)
        if found is None:
            raise NoSuchSession(f"there is no session {session_id!r} in {self._store.path}")
        if found.damage is not None:
            raise NotWhole(f"session {session_id} cannot be bundled: {found.damage}")
        fork = past.fork_of(self._store.unread(session_id))
        if fork is not None:
            place = Place(fork.seq, fork.offset, fork.chain)
            if log_of(self._store, fork.session).has(place):  # else it was deleted, and the fork has its beginning
                self._choose(fork.session)
        self._ends[session_id] = found.place
        self._refs[session_id] = refs

    def _start(self, session_id: str, end: Place, since: Moment | None) -> Place:
        if since is None:
            return start_of(session_id)
        try:
            position = resolve_moment(self._store.unread(session_id), since)
        except BeforeSession:
            return start_of(session_id)
        except InFuture:
            return end
        return min(Place(position.seq, position.offset, position.chain), end)

    def _common_moment(self, asked: tuple[str, ...]) -> Moment | None:
        """Return the moment for sessions that were not asked for: the time of one that only the asked one has.

        Raises:
            MomentOfOne: It is one of those, and several were asked for.
        """
        if not isinstance(self._since, AfterRecord | AtCheckpoint):
            return self._since
        if len(asked) != 1:
            raise MomentOfOne(
                "a record's number and a checkpoint are moments of one session; name that session, or a time such as "
                "'7 days ago'"
            )
        session = self._store.unread(asked[0])
        position = resolve_moment(session, self._since)
        line = find_seq(session.log.read_at, session.log.size(), position.seq - 1)
        record = None if line is None else session.log.record_at(line.offset)
        return None if record is None else AtTime(parse_time(record.time))

    def _is_needless(self, part: Part, parts: tuple[Part, ...]) -> bool:
        """Say whether nothing depends on a session that has nothing new."""
        forks = (past.fork_of(self._store.unread(other.id)) for other in parts if other.start.seq == 0)
        return not any(fork is not None and fork.session == part.id for fork in forks)

    # What they need

    def _files(self, parts: tuple[Part, ...]) -> list[ObjectFile]:
        """Return the objects to be sent: what the new records and the refs need, without what the old ones needed."""
        objects = Objects(self._store.objects, ())
        had: set[ObjectId] = set()
        for part in parts:
            if part.start.seq:
                objects.needed(self._named(part.id, start_of(part.id), part.start), had)
        objects.unreadable.clear()  # what the receiver has is its own affair
        needed: set[ObjectId] = set()
        for part in parts:
            named = self._named(part.id, part.start, part.end)
            for _, content in self._refs[part.id].contents():
                of_refs = Named()
                of_refs.add(content.splitlines())
                named.oids |= of_refs.oids
            objects.needed(named, needed)
        if objects.unreadable:
            raise NotWhole(
                f"{len(objects.unreadable)} objects that the sessions need are missing or damaged, the first is "
                f"{min(objects.unreadable)}; nothing was bundled: run sessionfs fsck --repair"
            )
        files = [file for oid in sorted(needed - had) for file in self._places(oid)]
        return sorted(files, key=lambda file: file.compression == "chunks")

    def _named(self, session_id: str, start: Place, end: Place) -> Named:
        named = Named()
        lines = good_lines(self._store, session_id, start, end)
        while some := list(islice(lines, _LINES_AT_ONCE)):
            named.add(some)
        return named

    def _places(self, oid: ObjectId) -> Iterator[ObjectFile]:
        """Yield where an object lies: in one form, for each kind that it is of."""
        places = list(self._store.objects.places(oid))
        if not places and self._store.objects.rescue(oid):
            places = list(self._store.objects.places(oid))
        yield from {file.kind: file for file in reversed(places)}.values()

    # Writing

    def _write_log(self, writer: BundleWriter, part: Part) -> int:
        length = part.end.offset - part.start.offset
        writer.begin(Section("log", part.id, "", "", length))
        for line in good_lines(self._store, part.id, part.start, part.end):
            writer.write(line)
            length -= len(line)
        if length:
            raise NotWhole(f"session {part.id} was cut back by a repair while it was bundled; do it again")
        return part.end.offset - part.start.offset

    def _write_refs(self, writer: BundleWriter, session_id: str) -> int:
        written = 0
        for name, content in self._refs[session_id].contents():
            writer.begin(Section("ref", session_id, name, "", len(content)))
            writer.write(content)
            written += len(content)
        return written

    def _write_object(self, writer: BundleWriter, file: ObjectFile, verifier: Verifier) -> None:
        try:
            verifier.verify(file)
            suffix = _SUFFIX_OF.get(file.kind) or _SUFFIX_OF.get(file.compression, "")
            writer.begin(Section("object", "", file.oid, suffix, file.stored_size))
            for offset in range(0, file.stored_size, _READ_BYTES):
                length = min(_READ_BYTES, file.stored_size - offset)
                part = file._replace(start=(file.start or 0) + offset, stored_size=length)
                writer.write(self._store.objects.read_file(part))
                if self._progress is not None:
                    self._progress(length)
        except (NotFound, NoSuchLog) as failure:
            raise DamagedObject(f"object {file.oid} has gone while it was bundled; do it again") from failure
