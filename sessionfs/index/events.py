"""What agents, tools and workflows did, as rows of the index."""

from __future__ import annotations

from typing import Any

import msgspec

from sessionfs.clock import parse_time
from sessionfs.errors import Corrupt, NotFound
from sessionfs.index.row import fit
from sessionfs.index.schema import EVENT_COLUMNS
from sessionfs.log import Record
from sessionfs.objects import ObjectDatabase

PREFIXES = ("agent.", "tool.", "workflow.", "error.", "warning.", "custom.")
"""Records of these types are indexed; what the others say is in the other tables."""

INSERT = f"INSERT INTO events VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"


class _Said(msgspec.Struct):
    """What is looked for in the data of a record; callers may put anything there under any name."""

    tool: Any = msgspec.field(name="gen_ai.tool.name", default=None)
    agent: Any = msgspec.field(name="gen_ai.agent.name", default=None)
    agent_id: Any = msgspec.field(name="gen_ai.agent.id", default=None)
    workflow: Any = msgspec.field(name="gen_ai.workflow.name", default=None)
    name: Any = None
    duration_ns: Any = None
    error: Any = msgspec.field(name="error.type", default=None)
    code: Any = None
    input_tokens: Any = msgspec.field(name="gen_ai.usage.input_tokens", default=None)
    output_tokens: Any = msgspec.field(name="gen_ai.usage.output_tokens", default=None)


_NOTHING = _Said()
_decode = msgspec.json.Decoder(_Said).decode

_NAMES = {
    "tool.": ("tool", "name"),
    "agent.": ("agent", "agent_id", "name"),
    "workflow.": ("workflow", "name"),
}


def row_of_event(objects: ObjectDatabase, session: int, record: Record) -> tuple[Any, ...]:
    """Return the row for a record.

    Args:
        session: The key of its session.
    """
    said = _said(objects, record)
    prefix = record.type[: record.type.index(".") + 1]
    names = (getattr(said, field) for field in _NAMES.get(prefix, ("name",)))
    failed = said.error if said.error is not None or prefix not in ("error.", "warning.") else said.code
    return (
        session,
        record.seq,
        fit(parse_time(record.time)),
        record.type,
        record.actor,
        record.correlation_id,
        record.cause,
        next((name for name in names if isinstance(name, str)), None),
        _count(said.duration_ns),
        str(failed) if isinstance(failed, str | int) else None,
        _count(said.input_tokens),
        _count(said.output_tokens),
    )


def _said(objects: ObjectDatabase, record: Record) -> _Said:
    try:
        return _decode(record.data if record.data_oid is None else objects.read(record.data_oid))
    except (msgspec.MsgspecError, RecursionError, Corrupt, NotFound):
        return _NOTHING  # data that are no object, too deeply nested, or lost: that it happened is known all the same


def _count(value: Any) -> int | None:
    return fit(value) if isinstance(value, int) and not isinstance(value, bool) else None
