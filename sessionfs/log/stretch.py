"""A stretch of a log between two known places: its records, verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sessionfs.log.damage import CorruptLog
from sessionfs.log.framing import written_chain
from sessionfs.log.record import Position, Record, parse_line, parse_linked
from sessionfs.log.search import Line

if TYPE_CHECKING:
    from sessionfs.log.log import Log

_READ_BYTES = 4 << 20


def position_after(line: Line) -> Position | None:
    """Return the place behind a line that was found in a log; None when the line is no record."""
    record = parse_line(line.text)
    return None if record is None else Position(line.seq + 1, line.end, written_chain(line.text), record.base)


def read_stretch(log: Log, start: Position, end: Position) -> Iterator[Record]:
    """Yield the records from *start*, which somebody vouches for, to *end*.

    Raises:
        CorruptLog: At a record that does not follow from the one before it, after all those before; also at the
            end, when *start* does not lead to *end*.

    Concurrency:
        Takes no file lock, and the log's thread lock for each read only.
    """
    position = start
    while position.offset < end.offset:
        data = log.read_at(position.offset, min(_READ_BYTES, end.offset - position.offset))
        found, position = parse_linked(data, position)
        if not found:
            raise CorruptLog(log.path, position.seq, position.offset)
        yield from found
    if (position.seq, position.chain) != (end.seq, end.chain):
        raise CorruptLog(log.path, position.seq, position.offset)
