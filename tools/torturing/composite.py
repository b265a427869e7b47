"""Operations of many calls, whose single results differ between filesystems that are both right.

Each returns a word that is the same wherever the rules were kept.
"""

from __future__ import annotations

import errno
import mmap
import os
import random
import stat

from torturing import calls

RIGHT = "right"

_PAGE_BYTES = mmap.PAGESIZE
_COPY_BYTES = 1 << 20
_LISTED_AT_ONCE_BYTES = 1024


def check_regular(fd: int) -> None:
    """Refuse what is no regular file: sizes and positions of directories are each filesystem's own (EISDIR)."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))


def check_holes(fd: int) -> str:
    """Walk a file by SEEK_DATA and SEEK_HOLE: whatever is no data must read as zeros."""
    check_regular(fd)
    os.pread(fd, 0, 0)  # a descriptor that cannot read fails here on both sides, not only where there are holes
    position = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        return _walk(fd, os.fstat(fd).st_size)
    finally:
        os.lseek(fd, position, os.SEEK_SET)


def _walk(fd: int, size: int) -> str:
    at = 0
    while at < size:
        data = _seek_or(fd, at, os.SEEK_DATA, size)
        if not at <= data <= size:
            return f"SEEK_DATA from {at} of {size} gives {data}"
        if not _is_zero(fd, at, data):
            return f"there is data in the hole {at}-{data} of {size}"
        if data == size:
            break
        at = _seek_or(fd, data, os.SEEK_HOLE, None)
        if not data < at <= size:
            return f"SEEK_HOLE from {data} of {size} gives {at}"
    for whence in (os.SEEK_DATA, os.SEEK_HOLE):
        if _seek_or(fd, size, whence, None) is not None:
            return f"whence {whence} at the end succeeds"
    return RIGHT


def _seek_or(fd: int, offset: int, whence: int, otherwise: int | None) -> int | None:
    try:
        return os.lseek(fd, offset, whence)
    except OSError as failure:
        if failure.errno != errno.ENXIO:
            raise
        return otherwise


def _is_zero(fd: int, start: int, end: int) -> bool:
    while start < end:
        data = os.pread(fd, min(_COPY_BYTES, end - start), start)
        if not data or data.strip(b"\0"):
            return False
        start += len(data)
    return True


def write_mapped(fd: int, offset: int, data: bytes) -> int:
    """Write what of *data* is inside the file through a shared mapping; returns its length."""
    start, length = _mappable(fd, offset, len(data))
    if length <= 0:
        return 0
    with mmap.mmap(fd, offset - start + length, mmap.MAP_SHARED, offset=start) as mapped:
        mapped[offset - start :] = data[:length]
        mapped.flush()
    return length


def read_mapped(fd: int, offset: int, size: int) -> bytes:
    """Read through a private mapping."""
    start, length = _mappable(fd, offset, size)
    if length <= 0:
        return b""
    with mmap.mmap(fd, offset - start + length, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=start) as mapped:
        return mapped[offset - start :]


def _mappable(fd: int, offset: int, size: int) -> tuple[int, int]:
    """Return the page where a mapping for *offset* begins, and how much of *size* is inside the file."""
    check_regular(fd)
    return offset - offset % _PAGE_BYTES, min(size, os.fstat(fd).st_size - offset)


def scan_while_changing(directory: int, path: bytes, chance: random.Random, count: int) -> str:
    """Read a new directory of *count* entries while some come and go; those that stay are seen exactly once.

    Then go back to a position in the middle: what stays is seen from there on as it was the first time.
    """
    os.mkdir(path, 0o777, dir_fd=directory)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return _scan(fd, chance, count)
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
        for name in os.listdir(fd):
            os.unlink(name, dir_fd=fd)
        os.close(fd)
        os.rmdir(path, dir_fd=directory)


def _scan(fd: int, chance: random.Random, count: int) -> str:
    names = [b"%d-%s" % (number, b"x" * chance.randrange(60)) for number in range(count)]
    for name in names:
        os.symlink(b"x", name, dir_fd=fd)
    chance.shuffle(names)
    going, moving, staying = names[: count // 4], names[count // 4 : count // 3], set(names[count // 3 :])
    seen: list[calls.Entry] = []
    while entries := calls.read_entries(fd, _LISTED_AT_ONCE_BYTES):
        seen += entries
        if going and chance.random() < 0.7:
            os.unlink(going.pop(), dir_fd=fd)
            os.symlink(b"y", b"new%d" % len(seen), dir_fd=fd)
        if moving and chance.random() < 0.5:
            os.rename(moving[-1], b"moved-" + moving.pop(), src_dir_fd=fd, dst_dir_fd=fd)
    stayed = [entry for entry in seen if entry.name in staying]
    if sorted(entry.name for entry in stayed) != sorted(staying):
        return _what_is_wrong(staying, [entry.name for entry in stayed])
    if sum(entry.name in (b".", b"..") for entry in seen) != 2:
        return ". and .. are not there exactly once"
    return _scan_again(fd, chance, stayed)


def _scan_again(fd: int, chance: random.Random, stayed: list[calls.Entry]) -> str:
    if not stayed:
        return RIGHT
    index = chance.randrange(len(stayed))
    os.lseek(fd, stayed[index].next, os.SEEK_SET)
    expected = {entry.name for entry in stayed[index + 1 :]}
    names = {entry.name for entry in stayed}
    again = [entry.name for entry in calls.all_entries(fd) if entry.name in names]
    if sorted(again) != sorted(expected):
        return "after seekdir: " + _what_is_wrong(expected, again)
    os.lseek(fd, 0, os.SEEK_SET)
    if sorted(entry.name for entry in calls.all_entries(fd) if entry.name in names) != sorted(names):
        return "after rewinddir it is not complete"
    return RIGHT


def _what_is_wrong(expected: set[bytes], seen: list[bytes]) -> str:
    missing = len(expected - set(seen))
    return f"of {len(expected)} entries that stayed, {missing} were missed and {len(seen) - len(set(seen))} seen twice"
