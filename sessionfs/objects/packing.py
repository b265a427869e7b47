"""The bytes of pack files: many objects in one file.

Grammar (numbers little-endian)::

    pack   = "sessionfs pack 1\n" group*
    group  = "obj\n" count(4) length(8) check(16) row*count bytes*count
    row    = form(1) zeros(7) length(8) oid(32)
    form   = 0 the content   1 .lz4   2 .chunks   3 .tree   4 .snapshot: as the file objects/<oid> with that suffix

A group is what was added at once: all of it is there, or nothing. Its ``length`` is that of its rows and bytes, and
``check`` the beginning of the BLAKE3 hash of what stands before it in the group, and of all that follows. So a group
that a crash has torn is recognised without knowing what it means; what is whole behind it is found by its mark and its
check.

    index  = "sessionfs idx 1\\n" length(8) count(8) fan_out(256 * 4) entry* check(32)
    entry  = oid(32) form(1) zeros(7) start(8) length(8)

The index of a pack that is complete: ``length`` is the pack's, ``fan_out[b]`` the number of entries whose oid begins
with a byte up to b, entries are sorted, ``start`` is where the bytes begin. ``check`` is the BLAKE3 hash of all before
it. An index says nothing that its pack does not.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

from sessionfs.errors import Corrupt
from sessionfs.oid import ObjectId

PACK_MAGIC = b"sessionfs pack 1\n"
FORMS = ("", ".lz4", ".chunks", ".tree", ".snapshot")

_HEAD = struct.Struct("<4sIQ")
_CHECK_BYTES = 16
HEAD_BYTES = _HEAD.size + _CHECK_BYTES
_GROUP_ROW = struct.Struct("<B7xQ32s")
_MARK = b"obj\n"

_INDEX_MAGIC = b"sessionfs idx 1\n"
_COUNTS = struct.Struct("<QQ")
_FAN_OUT = struct.Struct("<256I")
_ROW = struct.Struct("<32sB7xQQ")
_ROWS_START = len(_INDEX_MAGIC) + _COUNTS.size + _FAN_OUT.size


class MalformedIndex(Corrupt):
    """The bytes are not the index of a pack, or of another one."""


class Entry(NamedTuple):
    """Where an object's bytes lie in a pack."""

    oid: ObjectId
    suffix: str  # which form they have: one of FORMS
    start: int  # of the bytes, in the pack
    length: int


New = tuple[ObjectId, str, bytes]
"""An object that is to be added: its name, its form (a suffix), and its bytes."""


def encode_group(objects: Sequence[New]) -> bytes:
    """Return *objects* as a group."""
    rows = [_GROUP_ROW.pack(FORMS.index(suffix), len(data), bytes.fromhex(oid)) for oid, suffix, data in objects]
    body = b"".join([*rows, *(data for _, _, data in objects)])
    head = _HEAD.pack(_MARK, len(objects), len(body))
    return b"".join((head, _check(head, body), body))


def scan(data: bytes, base: int) -> tuple[list[Entry], int]:
    """Parse the whole groups at the beginning of *data*, which lies at *base* in its pack.

    Returns:
        What is in them; and where in the pack the first byte lies that belongs to none of them.
    """
    entries: list[Entry] = []
    position = 0
    while (length := group_length(data[position : position + HEAD_BYTES])) is not None:
        group = data[position : position + length]
        found = _parse_group(group, base + position)
        if found is None:
            break
        entries.extend(found)
        position += length
    return entries, base + position


def find_group(data: bytes, start: int) -> int | None:
    """Return where in *data* the next whole group begins, at *start* or after it; None if none does."""
    position = data.find(_MARK, start)
    while position >= 0:
        length = group_length(data[position : position + HEAD_BYTES])
        if length is not None and _parse_group(data[position : position + length], 0) is not None:
            return position
        position = data.find(_MARK, position + 1)
    return None


def group_length(data: bytes) -> int | None:
    """Return how long the group is that begins with *data*; None if that is no head."""
    if len(data) < HEAD_BYTES:
        return None
    mark, _, length = _HEAD.unpack_from(data)
    return HEAD_BYTES + int(length) if mark == _MARK else None


def _parse_group(group: bytes, base: int) -> list[Entry] | None:
    """Return what is in *group*, which lies at *base*; None if it is not whole."""
    head, check, body = group[: _HEAD.size], group[_HEAD.size : HEAD_BYTES], memoryview(group)[HEAD_BYTES:]
    _, count, length = _HEAD.unpack(head)
    if len(body) != length or count * _GROUP_ROW.size > length or _check(head, body) != check:
        return None
    entries = []
    start = base + HEAD_BYTES + count * _GROUP_ROW.size
    for form, size, oid in _GROUP_ROW.iter_unpack(body[: count * _GROUP_ROW.size]):
        entries.append(Entry(ObjectId(oid.hex()), FORMS[form], start, size))
        start += size
    return entries


def encode_index(entries: Iterable[Entry], pack_length: int) -> bytes:
    """Return the index of a pack of *pack_length* bytes."""
    rows = sorted((bytes.fromhex(entry.oid), FORMS.index(entry.suffix), *entry[2:]) for entry in entries)
    fan_out = [0] * 256
    for row in rows:
        fan_out[row[0][0]] += 1
    for byte in range(1, 256):
        fan_out[byte] += fan_out[byte - 1]
    parts = [_INDEX_MAGIC, _COUNTS.pack(pack_length, len(rows)), _FAN_OUT.pack(*fan_out)]
    body = b"".join([*parts, *(_ROW.pack(*row) for row in rows)])
    return body + blake3(body).digest()


class Index:
    """A sorted index. Thread-safe: it never changes."""

    def __init__(self, data: bytes) -> None:
        """Take *data*, which may be a memory map.

        Raises:
            MalformedIndex: It is not one.
        """
        if data[: len(_INDEX_MAGIC)] != _INDEX_MAGIC or len(data) < _ROWS_START + 32:
            raise MalformedIndex("it is not the index of a pack")
        self.pack_length, self._count = _COUNTS.unpack_from(data, len(_INDEX_MAGIC))
        if len(data) != _ROWS_START + self._count * _ROW.size + 32 or blake3(data[:-32]).digest() != data[-32:]:
            raise MalformedIndex("its check fails")
        self._data = data
        self._fan_out = _FAN_OUT.unpack_from(data, len(_INDEX_MAGIC) + _COUNTS.size)

    def __len__(self) -> int:
        return int(self._count)

    def find(self, oid: ObjectId) -> list[Entry]:
        """Return the entries of *oid*: one for each form it is there in."""
        wanted = bytes.fromhex(oid)
        low, high = self._fan_out[wanted[0] - 1] if wanted[0] else 0, self._fan_out[wanted[0]]
        row = bisect_left(range(low, high), wanted, key=self._oid) + low
        found = []
        while row < high and self._oid(row) == wanted:
            found.append(self._entry(row))
            row += 1
        return found

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in the order of the oids."""
        return map(self._entry, range(self._count))

    def _oid(self, row: int) -> bytes:
        start = _ROWS_START + row * _ROW.size
        return self._data[start : start + 32]

    def _entry(self, row: int) -> Entry:
        oid, form, start, length = _ROW.unpack_from(self._data, _ROWS_START + row * _ROW.size)
        return Entry(ObjectId(oid.hex()), FORMS[form], start, length)


def _check(head: bytes, body: bytes | memoryview) -> bytes:
    hasher = blake3(head)
    hasher.update(body)
    return hasher.digest(length=_CHECK_BYTES)
