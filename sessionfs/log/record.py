"""A record: what one line of the log says. How it is framed is in :mod:`sessionfs.log.framing`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from blake3 import blake3

from sessionfs.correlation import Context
from sessionfs.errors import InvalidInput
from sessionfs.log.framing import (
    AFTER_CHAIN,
    BEFORE_CHAIN,
    FRAMING_LENGTH,
    MAX_RECORD_BYTES,
    chain_of,
)
from sessionfs.oid import ObjectId


class RecordTooLarge(InvalidInput):
    """A record would be longer than 64 KiB; large values belong into objects."""


class Position(msgspec.Struct, frozen=True):
    """A place between two records, and what is needed to go on from there."""

    seq: int  # of the record that follows
    offset: int  # in bytes
    chain: str  # of the record before; the session id at the start
    base: int  # offset in bytes of the newest record before that names a snapshot; 0 when none does


class Joined(msgspec.Struct, frozen=True):
    """What joins a record to others, where that is not what its caller has in common with them."""

    context: Context
    operation: int  # number of the first record of its operation, which may be itself


class Draft(msgspec.Struct, frozen=True):
    """What the writer of a record decides; the log adds the rest."""

    type: str
    data: msgspec.Raw | None  # JSON; None when data_oid names an object with it
    data_oid: ObjectId | None = None
    names_snapshot: bool = False  # the next opening starts here
    joined: Joined | None = None


class Body(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a line holds before its chain.

    ``data`` is what the event means; when it is too large for a line it lies in an object instead, named by
    ``data_oid``. What joins records to each other is left out when there is none.
    """

    seq: int
    time: str
    type: str
    actor: str
    correlation_id: str | None = None  # of all records of one piece of work, in whatever session
    cause: str | None = None  # "<session>:<seq>" of the record that this one follows from
    trace: str | None = None  # the W3C traceparent that the caller had, as it was
    operation: int | None = None  # number of the first record of its operation, unless it is that one
    data: msgspec.Raw | None = None
    data_oid: ObjectId | None = None
    more: int = 0  # how many records follow that were appended together with this one: all of them count, or none
    base: int


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decoded line. ``data`` is still JSON: few readers need more than a few types."""

    seq: int
    time: str
    type: str
    actor: str
    correlation_id: str | None = None
    cause: str | None = None
    trace: str | None = None
    operation: int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_oid: ObjectId | None = None
    more: int = 0
    base: int
    chain: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode_data(data: Any) -> bytes:
    """Return an event's data as JSON.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold it.
    """
    text = _encoder.encode(data)
    # msgspec writes null for what JSON has no number for; it would come back as None, and nobody would have been told.
    if b"null" in text and not _is_finite(data):
        raise ValueError("JSON has no NaN and no infinity")
    return text


def _is_finite(data: Any) -> bool:
    if isinstance(data, float):
        return math.isfinite(data)
    if isinstance(data, dict):
        return all(map(_is_finite, data.values()))
    return all(map(_is_finite, data)) if isinstance(data, list | tuple | set) else True


def format_line(body: Body, previous_chain: str) -> tuple[bytes, str]:
    """Return the line for *body*, its LF included, and its chain.

    Raises:
        RecordTooLarge: It would be longer than 64 KiB.
    """
    text = _encoder.encode(body)[:-1]
    chain = chain_of(previous_chain, text)
    line = text + BEFORE_CHAIN + chain.encode() + AFTER_CHAIN + b"\n"
    if len(line) > MAX_RECORD_BYTES:
        raise RecordTooLarge(f"a record of {len(line)} bytes was asked for; at most {MAX_RECORD_BYTES} fit")
    return line, chain


def parse_line(line: bytes) -> Record | None:
    """Return the record in *line* (without its LF), or None when it is not one. The chain is not checked."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def parse_linked(data: bytes, start: Position) -> tuple[list[Record], Position]:
    """Parse the whole, linked records at the start of *data*.

    Args:
        data: What the file holds from ``start.offset``.
        start: Where *data* begins.

    Returns:
        The records, and the position after the last of them: before the first line that is incomplete, fails its
        chain or has the wrong number. What follows that line is not looked at.
    """
    records: list[Record] = []
    add = records.append
    decode = _decoder.decode
    find = data.find
    seq, chain, base = start.seq, start.chain, start.base
    begin = 0
    while (end := find(b"\n", begin)) >= 0:
        mark = end - FRAMING_LENGTH
        found = blake3(chain.encode() + data[begin:mark]).hexdigest(length=16)
        try:
            record = decode(data[begin:end])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        if record.chain != found or record.seq != seq or data[mark : mark + 10] != BEFORE_CHAIN:
            break
        add(record)
        chain = found
        base = record.base
        seq += 1
        begin = end + 1
    return records, Position(seq, start.offset + begin, chain, base)


def whole_count(records: Sequence[Record]) -> int:
    """Return how many of *records* count: all, but for the last append if some of its records are missing.

    What is appended in one call may still be on its way to the file, or a kill may have cut it off between two lines.
    """
    count = len(records)
    if not records or not records[-1].more:
        return count
    count -= 1
    while count and records[count - 1].more == records[count].more + 1:
        count -= 1
    return count
