"""The events of a session by their numbers: an event's number is its place in the log, so any can be had at once.

What is read forwards is read on from where the last one was, page by page; what is asked for elsewhere is found by
halving the log's bytes. The newest events that were read are kept, for those who go back a little.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from msgspec.structs import replace

from sessionfs.errors import NotFound
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import read
from sessionfs.store.store import Store

_KEPT_EVENTS = 256


class NoSuchEvent(NotFound):
    """The log does not have the event any more: it was cut back by a repair."""


class Tape:
    """The events ``0`` to *end* - 1 of one session. Not thread-safe."""

    def __init__(self, store: Store, session_id: str, end: int) -> None:
        self._store = store
        self._session_id = session_id
        self.end = end
        self._kept: OrderedDict[int, Event] = OrderedDict()
        self._following: Iterator[Event] = iter(())
        self._following_seq = end  # of what it yields next

    def event(self, seq: int) -> Event:
        """Return event *seq*.

        Raises:
            NoSuchSession: It was deleted meanwhile.
            CorruptLog: The log is damaged before that event.
            NoSuchEvent: The log has become shorter.
        """
        known = self._kept.get(seq)
        if known is not None:
            self._kept.move_to_end(seq)
            return known
        if seq != self._following_seq:
            self._following = self._read(Query(start=seq))
        event = next(self._following, None)
        if event is None or event.seq != seq:
            self._following_seq = self.end
            raise NoSuchEvent(f"session {self._session_id} has no event {seq} any more; see: sessionfs fsck")
        self._following_seq = seq + 1
        self._kept[seq] = event
        if len(self._kept) > _KEPT_EVENTS:
            self._kept.popitem(last=False)
        return event

    def find(self, query: Query) -> Iterator[Event]:
        """Yield the events that *query* asks for."""
        return self._read(query)

    def _read(self, query: Query) -> Iterator[Event]:
        end = self.end if query.end is None else min(query.end, self.end)
        return read(self._store, self._session_id, replace(query, end=end))
