"""A record: what one line of the log says. How it is framed is in :mod:`sessionfs.log.framing`."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from blake3 import blake3

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


class Draft(msgspec.Struct, frozen=True):
    """What the writer of a record decides; the log adds the rest."""

    type: str
    data: msgspec.Raw | None  # JSON; None when data_oid names an object with it
    data_oid: ObjectId | None = None
    correlation_id: str | None = None
    names_snapshot: bool = False  # the next opening starts here


class Body(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a line holds before its chain.

    ``data`` is what the event means; when it is too large for a line it lies in an object instead, named by
    ``data_oid``.
    """

    seq: int
    time: str
    type: str
    actor: str
    correlation_id: str | None = None
    data: msgspec.Raw | None = None
    data_oid: ObjectId | None = None
    base: int


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decoded line. ``data`` is still JSON: few readers need more than a few types."""

    seq: int
    time: str
    type: str
    actor: str
    correlation_id: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_oid: ObjectId | None = None
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
