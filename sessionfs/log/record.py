"""A record: what one line of the log says. How it is framed is in :mod:`sessionfs.log.framing`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from blake3 import blake3

from sessionfs.correlation import Context
from sessionfs.errors import Corrupt, InvalidInput
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


class UnreadableDepth(Corrupt):
    """A record is nested deeper than this process has room to read: an older version wrote it."""


MAX_DEPTH = 100
"""Lists and objects that callers give are nested no deeper, so that whoever reads them has room on Python's stack."""


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


_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def encode_data(data: Any, *, max_depth: int | None = MAX_DEPTH) -> bytes:
    """Return an event's data as JSON.

    Args:
        max_depth: How deep it may be nested; None for what says again what a log says already.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold it, or it is nested too deeply.
    """
    text = _encoder.encode(data)
    if max_depth is not None:
        check_depth(text, max_depth)
    # msgspec writes null for what JSON has no number for; it would come back as None, and nobody would have been told.
    if b"null" in text and not _is_finite(data):
        raise ValueError("JSON has no NaN and no infinity")
    return text


def check_depth(text: bytes, max_depth: int = MAX_DEPTH) -> None:
    """Check how deep lists and objects are nested in *text*, which is JSON.

    Raises:
        ValueError: More than *max_depth* deep.
    """
    # Nearly everything is too short or has too few brackets, which takes 0.1 us to see.
    if len(text) <= 2 * max_depth or text.count(b"[") + text.count(b"{") <= max_depth:
        return
    brackets = _TEXT.sub(b"", text).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(max_depth):  # each time the innermost go
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise ValueError(f"it is nested more than {max_depth} deep; make it flatter, or a file of it")


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
    """Return the record in *line* (without its LF), or None when it is not one. The chain is not checked.

    Raises:
        UnreadableDepth: It is nested too deeply.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    except RecursionError as failure:
        raise _too_deep(f"a record of {len(line)} bytes") from failure


def _too_deep(what: str) -> UnreadableDepth:
    return UnreadableDepth(
        f"{what} is nested too deeply to be read here; the session's log holds it as one line of JSON"
    )


def parse_linked(data: bytes, start: Position) -> tuple[list[Record], Position]:
    """Parse the whole, linked records at the start of *data*.

    Args:
        data: What the file holds from ``start.offset``.
        start: Where *data* begins.

    Returns:
        The records, and the position after the last of them: before the first line that is incomplete, fails its
        chain or has the wrong number. What follows that line is not looked at.

    Raises:
        UnreadableDepth: A record is nested too deeply.
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
        except RecursionError as failure:
            raise _too_deep(f"record {seq}") from failure
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
