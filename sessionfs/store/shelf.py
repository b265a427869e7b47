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

import msgspec

from sessionfs.errors import Corrupt
from sessionfs.objects.frame import FrameReader, encode
from sessionfs.oid import ObjectId, hash_bytes

MAGIC = b"sessionfs shelf 1\n"

_INDEX = b"index "
_END = b"end %020d %s\n"
_END_BYTES = len(_END % (0, b"0" * 64))
_MAX_ROW_BYTES = 1 << 20

Read = Callable[[int, int], bytes]
"""Returns up to so many bytes (first) from an offset (second)."""


class DamagedShelf(Corrupt):
    """What is on a shelf is not what was put there."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """Where one session lies, and what it is made of."""

    id: str
    start: int
    length: int  # of the frame, in bytes
    oid: ObjectId  # of its files, one after the other
    modified_ns: int  # when something was appended to its log last
    files: tuple[tuple[str, int], ...]  # names, and lengths in bytes: the log first

    @property
    def size(self) -> int:
        """The length of all its files in bytes."""
        return sum(size for _, size in self.files)

    @property
    def log_size(self) -> int:
        """The length of its log in bytes."""
        return self.files[0][1]


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


def read_rows(read: Read, size: int) -> list[Row]:
    """Return the rows of a shelf of *size* bytes: from its index, or if that is damaged, of the items that are whole.

    Raises:
        DamagedShelf: It is none.
    """
    if read(len(MAGIC), 0) != MAGIC:
        raise DamagedShelf("it does not begin as a shelf does")
    end = read(_END_BYTES, max(0, size - _END_BYTES))
    offset = int(end[4:24]) if end.startswith(b"end ") and end[4:24].isdigit() else size
    line = read(size - _END_BYTES - offset, offset) if offset < size else b""
    if end == _END % (offset, hash_bytes(line).encode()):
        return _decode_rows(line[len(_INDEX) : -1])
    return list(_scan(read, size))


def _scan(read: Read, size: int) -> list[Row]:
    rows = []
    start = len(MAGIC)
    while start < size:
        line, newline, _ = read(_MAX_ROW_BYTES, start).partition(b"\n")
        try:
            row = _decode_row(line) if newline else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            row = None
        if row is None or row.start != start or not row.files:
            break
        rows.append(row)
        start += len(line) + 1 + row.length
    return rows


def read_files(read: Read, row: Row) -> dict[str, bytes]:
    """Return the files of a session by name, checked against their hash.

    Raises:
        DamagedShelf: They are not what was put there.
    """
    head = _encoder.encode(row) + b"\n"
    start = row.start + len(head)
    try:
        if read(len(head), row.start) != head:
            raise DamagedShelf("another session lies there")
        frame = FrameReader(lambda length, offset: read(min(length, row.length - offset), start + offset))
        content = b"".join(frame.block(number) for number in range(frame.block_count))
    except Corrupt as failure:
        raise DamagedShelf(f"session {row.id} on it cannot be read: {failure}") from failure
    if hash_bytes(content) != row.oid:
        raise DamagedShelf(f"session {row.id} on it is not what was put there")
    files, begin = {}, 0
    for name, size in row.files:
        files[name] = content[begin : begin + size]
        begin += size
    return files
