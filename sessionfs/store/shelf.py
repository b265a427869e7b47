r"""The bytes of a shelf: archived sessions in one file, which is written once. Pure.

Grammar::

    shelf = "sessionfs shelf 1\n" item* "index " rows "\n" "end " offset(20 digits) " " check(64 hex digits) "\n"
    item  = row "\n" frame
    row   = JSON ["<id>", start, length, "<oid>", modified_ns, [["log", size], ["refs/<name>", size]…]]
    rows  = JSON list of the rows, sorted by id

``start`` is where the item begins, and ``length`` that of the frame: a standard LZ4 frame, whose content is that of the
session's files, one after the other, and has the name ``oid``. ``offset`` is where "index " begins, ``check`` the
BLAKE3 hash of that line. The index says nothing that the items do not: without it, they are read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from sessionfs.errors import Corrupt
from sessionfs.log.damage import UnreadableLog
from sessionfs.objects.frame import FrameReader, encode
from sessionfs.oid import ObjectId, hash_bytes

T = TypeVar("T")

MAGIC = b"sessionfs shelf 1\n"

_INDEX = b"index "
_ITEM = b'["'
_END = b"end %020d %s\n"
_END_BYTES = len(_END % (0, b"0" * 64))
_MAX_ROW_BYTES = 1 << 20

Read = Callable[[int, int], bytes]
"""Returns up to so many bytes (first) from an offset (second)."""


class DamagedShelf(UnreadableLog):
    """What is on a shelf is not what was put there."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """Where one session lies, and what it is made of."""

    id: str
    start: int
    length: int  # of the frame, in bytes
    oid: ObjectId  # of its files, one after the other
    modified_ns: int  # when something was appended to its log last
    files: tuple[tuple[str, int], ...]  # names, and lengths in bytes: the log first

    def __post_init__(self) -> None:
        """Check it: who decodes one that cannot be gets a ValidationError."""
        names = [self.id, *(name.removeprefix("refs/") for name, _ in self.files)]
        if self.start < 0 or self.length <= 0 or not self.files or any(size < 0 for _, size in self.files):
            raise ValueError("no session lies there")
        if any("/" in name or name in ("", ".", "..") for name in names):
            raise ValueError("no session has such files")

    @property
    def size(self) -> int:
        """The length of all its files in bytes."""
        return sum(size for _, size in self.files)

    @property
    def log_size(self) -> int:
        """The length of its log in bytes."""
        return self.files[0][1]


class Contents(NamedTuple):
    """What a shelf has."""

    rows: list[Row]
    damage: str | None = None  # what is wrong with it, besides what the rows name
    is_complete: bool = True  # False: there may be more rows, which cannot be told


_encoder = msgspec.json.Encoder()
_decode_row = msgspec.json.Decoder(Row).decode
_decode_rows = msgspec.json.Decoder(list[Row]).decode


def make_item(session_id: str, start: int, modified_ns: int, files: Sequence[tuple[str, bytes]]) -> tuple[Row, bytes]:
    """Return the row of a session, and its item, which begins at *start*."""
    content = b"".join(data for _, data in files)
    frame = encode(content)
    sizes = tuple((name, len(data)) for name, data in files)
    row = Row(session_id, start, len(frame), hash_bytes(content), modified_ns, sizes)
    return row, _encoder.encode(row) + b"\n" + frame


def make_end(rows: Sequence[Row], offset: int) -> bytes:
    """Return what comes behind the items, which end at *offset*."""
    line = _INDEX + _encoder.encode(sorted(rows, key=lambda row: row.id)) + b"\n"
    return line + _END % (offset, hash_bytes(line).encode())


def read_rows(read: Read, size: int) -> Contents:
    """Return the rows of a shelf of *size* bytes: from its index, or if that is damaged, of its items.

    Of what is no shelf at all there are none.
    """
    begins = read(len(MAGIC), 0) == MAGIC
    rows = _indexed(read, size)
    if rows is not None:
        return Contents(rows, None if begins else "it does not begin as a shelf does")
    if not begins:
        return Contents([], "it does not begin as a shelf does, and its index is damaged", is_complete=False)
    rows, gap = _scan(read(size, 0))
    if gap is None:
        return Contents(rows, "its index is damaged")
    message = f"its index is damaged, and so is what lies at byte {gap}: what that was cannot be told"
    return Contents(rows, message, is_complete=False)


def _indexed(read: Read, size: int) -> list[Row] | None:
    """Return the rows that the index has; None when it is damaged."""
    end = read(_END_BYTES, max(0, size - _END_BYTES))
    offset = int(end[4:24]) if end.startswith(b"end ") and end[4:24].isdigit() else size
    line = read(size - _END_BYTES - offset, offset) if offset < size - _END_BYTES else b""
    return _decoded(_decode_rows, line[len(_INDEX) : -1]) if end == _END % (offset, hash_bytes(line).encode()) else None


def _scan(shelf: bytes) -> tuple[list[Row], int | None]:
    """Return the rows of the items that begin as one does, and where something else lies first, if anywhere.

    An item says itself where it lies, so the next one behind a damaged one is found.
    """
    rows: list[Row] = []
    gap: int | None = None
    start = end = len(MAGIC)
    while (start := shelf.find(_ITEM, start)) >= 0:
        newline = shelf.find(b"\n", start, start + _MAX_ROW_BYTES)
        row = _decoded(_decode_row, shelf[start:newline]) if newline >= 0 else None
        if row is None or row.start != start:
            start += 1
            continue
        rows.append(row)
        gap = end if gap is None and start != end else gap
        start = end = newline + 1 + row.length
    return rows, end if gap is None and not shelf.startswith(_INDEX, end) else gap


def _decoded(decode: Callable[[bytes], T], data: bytes) -> T | None:
    try:
        return decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def read_files(read: Read, row: Row) -> dict[str, bytes]:
    """Return the files of a session by name, checked against their hash.

    Raises:
        DamagedShelf: They are not what was put there.
    """
    head = _encoder.encode(row) + b"\n"
    if read(len(head), row.start) != head:
        raise DamagedShelf(f"session {row.id} on it cannot be read: another session lies there")
    return unpack(lambda length, offset: read(length, row.start + len(head) + offset), row)


def frame_of(read: Read, row: Row) -> bytes:
    """Return the bytes where the frame of a session lies, whatever they are now."""
    return read(row.length, row.start + len(_encoder.encode(row)) + 1)


def unpack(read: Read, row: Row) -> dict[str, bytes]:
    """Return the files of a session by name, of its frame, checked against their hash.

    Raises:
        DamagedShelf: They are not what was put there.
    """
    try:
        frame = FrameReader(lambda length, offset: read(max(0, min(length, row.length - offset)), offset))
        content = b"".join(frame.block(number) for number in range(frame.block_count))
    except Corrupt as failure:
        raise DamagedShelf(f"session {row.id} on it cannot be read: {failure}") from failure
    if hash_bytes(content) != row.oid or len(content) != row.size:
        raise DamagedShelf(f"session {row.id} on it is not what was put there")
    files, begin = {}, 0
    for name, size in row.files:
        files[name] = content[begin : begin + size]
        begin += size
    return files
