"""Reading events: of one session or of all, forwards or back, without folding what they add up to.

A log is read from where the first wanted record can be to where the last one can be; both places are found by halving.
Read back with a limit, a session costs two pages however long its log is.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from sessionfs.clock import format_time
from sessionfs.durable import Disk
from sessionfs.errors import Corrupt, Error, from_os_error
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.log import CorruptLog, NoSuchLog, Record
from sessionfs.log.appends import is_behind
from sessionfs.log.pages import End, Line, Place, find_end, read_back, read_on, start_of
from sessionfs.log.record import parse_line
from sessionfs.log.search import IsBefore, find_last
from sessionfs.objects import ObjectDatabase
from sessionfs.sessions import BadSessionId, check_id
from sessionfs.store.deleted import trashed_logs
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

_ANY = Query()
_SEQ = re.compile(r"0|[1-9][0-9]{0,17}")


def read(store: Store, session_id: str, query: Query = _ANY, *, end: End | None = None) -> Iterator[Event]:
    """Yield the events of one session that *query* asks for.

    Args:
        end: Where the good part of its log ends, if that is known.

    Raises:
        NoSuchSession: There is none.
        CorruptLog: At a damaged record, after all good ones that come before it in the order that was asked for.

    Concurrency:
        Sees what had been appended when it began, also when the session is deleted meanwhile. Takes no lock.
    """
    return islice(_Reading(store, session_id, query, end).events(), query.limit)


def read_all(
    store: Store,
    query: Query = _ANY,
    session_ids: Iterable[str] | None = None,
    *,
    ends: Mapping[str, End] | None = None,
    on_error: Callable[[str, Error], None] | None = None,
) -> Iterator[Event]:
    """Yield the events of several sessions, of all by default, in the order of their times.

    Args:
        ends: Where the good parts of their logs end; then only these sessions are read.
        on_error: Called with a session's id and what cannot be read of it; the rest is read all the same. By default
            the first failure is raised at the end.

    Raises:
        Corrupt: A log is damaged, or the data of an event are lost: after all that could be read, of all sessions.
        NoSuchSession: A session was deleted meanwhile, and removed from the trash as well.
    """
    failures: list[Error] = []
    tell = on_error if on_error is not None else lambda _, failure: failures.append(failure)
    if session_ids is None:
        session_ids = store.session_ids() if ends is None else ends
    known = ends if ends is not None else {}
    several = [_until_gone(store, one, query, known.get(one), tell) for one in session_ids]
    merged = heapq.merge(*several, key=_when, reverse=query.reverse)
    yield from islice(merged, query.limit)
    if failures:
        raise failures[0]


def find_start(store: Store, session_id: str, query: Query) -> Place:
    """Return the place in a session's log before the first event that *query* can ask for.

    Raises:
        NoSuchSession: There is none.
    """
    return _Reading(store, session_id, query).start()


def selecting(query: Query, objects: ObjectDatabase) -> Callable[[str, Record], Event | None]:
    """Return what makes an event of a session's id and its record, or None when *query* does not ask for that.

    For records as they come: where the query ends, and how many it wants, is not looked at. It raises LostData when an
    event's data are needed to tell, and lost.
    """
    accepts = query.accepts()
    since = "" if query.since_ns is None else format_time(query.since_ns)

    def select(session_id: str, record: Record) -> Event | None:
        if record.seq < query.start or record.time < since:
            return None
        event = Event(session_id, record, objects)
        return event if accepts is None or accepts(event) else None

    return select


def find_ends(store: Store, session_ids: Iterable[str] | None = None) -> dict[str, End]:
    """Return where the good parts of the logs of several sessions end, of all by default; who is gone has none."""
    ends: dict[str, End] = {}
    for session_id in session_ids if session_ids is not None else store.session_ids():
        with contextlib.suppress(NoSuchLog):
            ends[session_id] = find_end(store.disk, store.layout.log(check_id(session_id)), session_id)
    return ends


def find(store: Store, event_id: str) -> Event | None:
    """Return the event ``<session>:<seq>``; None when there is none, or its session has gone."""
    session_id, _, number = event_id.rpartition(":")
    if _SEQ.fullmatch(number) is None:
        return None
    wanted = Query(start=int(number), end=int(number) + 1)
    try:
        return next(read(store, session_id, wanted), None)
    except (NoSuchSession, BadSessionId):
        return None


def _when(event: Event) -> tuple[str, str]:
    return event.record.time, event.session


def _until_gone(
    store: Store, session_id: str, query: Query, end: End | None, tell: Callable[[str, Error], None]
) -> Iterator[Event]:
    try:
        reading = _Reading(store, session_id, query, end)
    except NoSuchSession:
        return  # deleted before anything of it was read
    try:
        yield from islice(reading.events(lambda lost: tell(session_id, lost)), query.limit)
    except (Corrupt, NoSuchSession) as failure:
        tell(session_id, failure)


class _Reading:
    """One reading of one log, which may go to the trash meanwhile."""

    def __init__(self, store: Store, session_id: str, query: Query, end: End | None = None) -> None:
        """Begin.

        Raises:
            NoSuchSession: There is none.
        """
        self._disk = store.disk
        self._objects = store.objects
        self._layout = store.layout
        self._path = store.layout.log(check_id(session_id))
        self._session_id = session_id
        self._query = query
        try:
            self._end = end if end is not None else find_end(store.disk, self._path, session_id)
        except NoSuchLog as failure:
            raise _no_such_session(session_id) from failure
        if self._end.place.seq == 0 and self._end.damage is None:
            raise _no_such_session(session_id)

    def start(self) -> Place:
        """Return the place before the first record that can be wanted.

        Raises:
            NoSuchSession: The log has gone.
        """
        try:
            return self._bounds()[0]
        except NoSuchLog as failure:
            raise _no_such_session(self._session_id) from failure

    def events(self, on_lost: Callable[[Corrupt], None] | None = None) -> Iterator[Event]:
        """Yield the events.

        Args:
            on_lost: Called for an event whose data are needed to tell whether it is wanted, and lost; by default that
                is raised.
        """
        accepts = self._query.accepts()
        try:
            for line in self._lines():
                record = parse_line(line.text[:-1])
                if record is None:  # linked, and yet no record: nobody of ours wrote it
                    raise CorruptLog(self._path, line.place.seq, line.place.offset)
                event = Event(self._session_id, record, self._objects)
                try:
                    is_wanted = accepts is None or accepts(event)
                except Corrupt as failure:
                    if on_lost is None:
                        raise
                    on_lost(failure)
                    continue
                if is_wanted:
                    yield event
        except NoSuchLog as failure:
            raise _no_such_session(self._session_id) from failure

    def _lines(self) -> Iterator[Line]:
        start, end = self._bounds()
        yield from self._back(start, end) if self._query.reverse else self._on(start, end)
        if self._end.damage is not None and end == self._end.place:
            raise self._end.damage

    def _on(self, place: Place, end: Place) -> Iterator[Line]:
        try:
            for line in read_on(self._disk, self._path, place, end.offset):
                place = line.after
                yield line
        except (NoSuchLog, CorruptLog):
            if not self._find_again():
                raise
            yield from self._on(place, end)

    def _back(self, start: Place, place: Place) -> Iterator[Line]:
        try:
            for line in read_back(self._disk, self._path, self._session_id, place):
                place = line.place
                if place.offset < start.offset:
                    return
                yield line
        except (NoSuchLog, CorruptLog):
            if not self._find_again():
                raise
            yield from self._back(start, place)

    def _find_again(self) -> bool:
        """Say whether the log is somewhere else now: its session was deleted, perhaps another one made under its id."""
        paths = [self._layout.log(self._session_id), *trashed_logs(self._disk, self._layout, self._session_id)]
        found = next((path for path in paths if is_behind(self._disk, path, self._end.place)), self._path)
        if found == self._path:
            return False
        self._path = found
        return True

    def _bounds(self) -> tuple[Place, Place]:
        """Return the places before the first record that can be wanted and behind the last."""
        try:
            return self._find_bounds()
        except NoSuchLog:
            if not self._find_again():
                raise
            return self._find_bounds()

    def _find_bounds(self) -> tuple[Place, Place]:
        query, start, end = self._query, start_of(self._session_id), self._end.place
        last_before: list[IsBefore] = []  # of what comes too early
        last_within: list[IsBefore] = []  # of what does not come too late
        if query.start > 0:
            last_before.append(_number_below(query.start))
        if query.since_ns is not None:
            last_before.append(_time_before(query.since_ns))
        if query.end is not None and query.end < end.seq:
            last_within.append(_number_below(query.end))
        if query.until_ns is not None:
            last_within.append(_time_before(query.until_ns))
        if last_before or last_within:
            with _Reader(self._disk, self._path) as reader:
                for condition in last_before:
                    start = max(start, reader.after(condition, end, self._session_id), key=_offset)
                for condition in last_within:
                    end = min(end, reader.after(condition, self._end.place, self._session_id), key=_offset)
        return start, (end if end.offset > start.offset else start)


class _Reader:
    """An open log, to search in."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        try:
            self._fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as failure:
            raise NoSuchLog(f"there is no log at {path}") from failure
        except OSError as failure:
            raise from_os_error(failure, f"open {path}") from failure

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._disk.close(self._fd)

    def after(self, is_before: IsBefore, end: Place, session_id: str) -> Place:
        """Return the place behind the last record for which *is_before* holds."""
        found = find_last(self._read, end.offset, is_before)
        if found is None:
            return start_of(session_id)
        return Line(Place(found.seq, found.offset, ""), found.text + b"\n").after

    def _read(self, offset: int, length: int) -> bytes:
        return self._disk.pread(self._fd, length, offset)


def _offset(place: Place) -> int:
    return place.offset


def _number_below(number: int) -> IsBefore:
    return lambda seq, time: seq < number


def _time_before(time_ns: int) -> IsBefore:
    limit = format_time(time_ns).encode()
    return lambda seq, time: time < limit


def _no_such_session(session_id: str) -> NoSuchSession:
    return NoSuchSession(f"there is no session {session_id!r} in this store")
