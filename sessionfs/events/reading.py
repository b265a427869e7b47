"""Reading events: of one session or of all, forwards or back, without folding what they add up to.

A log is read from where the first wanted record can be to where the last one can be; both places are found by halving.
Read back with a limit, a session costs two pages however long its log is.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from sessionfs.clock import format_time
from sessionfs.durable import Disk
from sessionfs.errors import Corrupt, from_os_error
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.log import CorruptLog, NoSuchLog
from sessionfs.log.pages import End, Line, Place, find_end, read_back, read_on, start_of
from sessionfs.log.record import parse_line
from sessionfs.log.search import IsBefore, find_last
from sessionfs.sessions import BadSessionId, check_id
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

_ANY = Query()


def read(store: Store, session_id: str, query: Query = _ANY, *, end: End | None = None) -> Iterator[Event]:
    """Yield the events of one session that *query* asks for.

    Args:
        end: Where the good part of its log ends, if that is known.

    Raises:
        NoSuchSession: There is none.
        CorruptLog: At a damaged record, after all good ones that come before it in the order that was asked for.

    Concurrency:
        Sees what had been appended when it began. Takes no lock.
    """
    path = store.layout.log(check_id(session_id))
    try:
        found = end if end is not None else find_end(store.disk, path, session_id)
        if found.place.seq == 0 and found.damage is None:
            raise NoSuchLog("no record")
    except NoSuchLog as failure:
        raise _no_such_session(session_id) from failure
    return islice(_Reading(store, path, session_id, query, found).events(), query.limit)


def read_all(
    store: Store,
    query: Query = _ANY,
    session_ids: Iterable[str] | None = None,
    *,
    ends: Mapping[str, End] | None = None,
) -> Iterator[Event]:
    """Yield the events of several sessions, of all by default, in the order of their times.

    Sessions that are deleted meanwhile end there.

    Args:
        ends: Where the good parts of their logs end; then only these sessions are read.

    Raises:
        Corrupt: A log is damaged: after all that could be read, of all sessions.
    """
    failures: list[Corrupt] = []
    if session_ids is None:
        session_ids = store.session_ids() if ends is None else ends
    known = ends if ends is not None else {}
    several = [_until_gone(store, one, query, known.get(one), failures) for one in session_ids]
    merged = heapq.merge(*several, key=_when, reverse=query.reverse)
    yield from islice(merged, query.limit)
    if failures:
        raise failures[0]


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
    if not number.isdecimal():
        return None
    wanted = Query(start=int(number), end=int(number) + 1)
    try:
        return next(read(store, session_id, wanted), None)
    except (NoSuchSession, BadSessionId):
        return None


def _when(event: Event) -> tuple[str, str]:
    return event.record.time, event.session


def _until_gone(
    store: Store, session_id: str, query: Query, end: End | None, failures: list[Corrupt]
) -> Iterator[Event]:
    try:
        yield from read(store, session_id, query, end=end)
    except NoSuchSession:
        return
    except Corrupt as failure:
        failures.append(failure)


class _Reading:
    """One reading of one log."""

    def __init__(self, store: Store, path: str, session_id: str, query: Query, end: End) -> None:
        self._disk = store.disk
        self._objects = store.objects
        self._path = path
        self._session_id = session_id
        self._query = query
        self._end = end

    def events(self) -> Iterator[Event]:
        accepts = self._query.accepts()
        try:
            for line in self._lines():
                record = parse_line(line.text[:-1])
                if record is None:  # linked, and yet no record: nobody of ours wrote it
                    raise CorruptLog(self._path, line.place.seq, line.place.offset)
                event = Event(self._session_id, record, self._objects)
                if accepts is None or accepts(event):
                    yield event
        except NoSuchLog as failure:
            raise _no_such_session(self._session_id) from failure

    def _lines(self) -> Iterator[Line]:
        start, end = self._bounds()
        if not self._query.reverse:
            yield from read_on(self._disk, self._path, start, end.offset)
        else:
            for line in read_back(self._disk, self._path, self._session_id, end):
                if line.place.offset < start.offset:
                    return
                yield line
        if self._end.damage is not None and end == self._end.place:
            raise self._end.damage

    def _bounds(self) -> tuple[Place, Place]:
        """Return the places before the first record that can be wanted and behind the last."""
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
