"""One event: a record of a session's log, as a value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from sessionfs.clock import parse_time, to_datetime
from sessionfs.errors import Corrupt
from sessionfs.log import Record
from sessionfs.objects import NoSuchObject, ObjectDatabase

_UNREAD = object()


class LostData(Corrupt):
    """A record's data lies in an object that the store does not have."""


class Event:
    """A record, and the session it is in. What it says is decoded when it is asked for."""

    __slots__ = ("_data", "_objects", "record", "session")

    def __init__(self, session: str, record: Record, objects: ObjectDatabase) -> None:
        self.session = session
        self.record = record
        self._objects = objects
        self._data: Any = _UNREAD

    @property
    def id(self) -> str:
        """``<session>:<seq>``; for ``artifact.stored`` that is also the id of the version."""
        return f"{self.session}:{self.record.seq}"

    @property
    def seq(self) -> int:
        """Its place in the log: 0, 1, 2…"""
        return self.record.seq

    @property
    def time(self) -> str:
        """When it was recorded, as the log says it."""
        return self.record.time

    @property
    def time_ns(self) -> int:
        """When it was recorded, in nanoseconds since the epoch."""
        return parse_time(self.record.time)

    @property
    def at(self) -> datetime:
        """When it was recorded, in UTC, to the microsecond."""
        return to_datetime(self.time_ns)

    @property
    def type(self) -> str:
        """What kind of thing happened; see :data:`sessionfs.events.types.TYPES`."""
        return self.record.type

    @property
    def actor(self) -> str:
        """Who recorded it."""
        return self.record.actor

    @property
    def correlation_id(self) -> str | None:
        """What it shares with all events of one piece of work."""
        return self.record.correlation_id

    @property
    def cause(self) -> str | None:
        """The event that it follows from, ``<session>:<seq>``; or ``<session>:<block>``, which an event names in its
        data as its ``block``."""
        return self.record.cause

    @property
    def trace(self) -> str | None:
        """The W3C traceparent that its caller had."""
        return self.record.trace

    @property
    def operation(self) -> int:
        """The number of the first event of its operation; its own if it is that one."""
        return self.record.seq if self.record.operation is None else self.record.operation

    @property
    def chain(self) -> str:
        """Ties it, by a hash, to all events before it."""
        return self.record.chain

    @property
    def data(self) -> Any:
        """What happened, as JSON values. Read from an object when it was too large for the log.

        Raises:
            LostData: That object is missing.
            Corrupt: It is damaged.
        """
        if self._data is _UNREAD:
            self._data = msgspec.json.decode(self.data_json)
        return self._data

    @property
    def data_json(self) -> bytes:
        """What happened, as JSON text."""
        oid = self.record.data_oid
        if oid is None:
            return bytes(self.record.data)
        try:
            return self._objects.read(oid)
        except NoSuchObject as failure:
            raise LostData(f"the data of event {self.id} are lost: object {oid} is missing; run sessionfs fsck") from (
                failure
            )

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, with its data in place, and without what it does not have."""
        record = self.record
        fields = {
            "session": self.session,
            "seq": record.seq,
            "time": record.time,
            "type": record.type,
            "actor": record.actor,
            "correlation_id": record.correlation_id,
            "cause": record.cause,
            "trace": record.trace,
            "operation": record.operation,
        }
        return {name: value for name, value in fields.items() if value is not None} | {
            "data": self.data,
            "chain": record.chain,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and (self.session, self.record) == (other.session, other.record)

    def __hash__(self) -> int:
        return hash((self.session, self.record.chain))

    def __repr__(self) -> str:
        return f"<sessionfs.Event {self.id} {self.type}>"
