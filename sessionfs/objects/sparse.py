"""Content that is written in any order, or with holes: a file on the disk from the beginning.

The file that holds it while it is written is the one that becomes the object: everything is written to the disk once.
So it is kept as it is, also when it would shrink; what is in memory, or written in order, is compressed as ever. What
was never written is a hole, in the object too.
"""

from __future__ import annotations

import errno

from sessionfs.durable import Temporary, pwrite_all
from sessionfs.errors import Error, InvalidInput, from_os_error
from sessionfs.objects.extents import Extents
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import Stored
from sessionfs.oid import Hasher

_HASHED_BYTES = 4 << 20  # at a time: threads pay from here
_GRANULE_BYTES = 256 << 10  # 10 GiB in random order are 40,000 ranges at most


class TooLarge(InvalidInput):
    """The filesystem below cannot hold a file of this length."""

    errno = errno.EFBIG


class Sparse:
    """One content in a file. Its owner holds a lock."""

    def __init__(self, staging: Staging, file: Temporary | None = None, size: int = 0) -> None:
        """Begin with nothing, or with *file*, which has *size* bytes and belongs to it from now on."""
        self._disk = staging.disk
        self._staging = staging
        self._file: Temporary | None = staging.create_temporary() if file is None else file
        self._data = Extents(_GRANULE_BYTES)
        if size:
            self._data.add(0, size)
        self._is_named = False  # the file may be an object already: it must not change
        self.size = size

    @property
    def unfinished_bytes(self) -> int:
        """What has to be hashed."""
        return self.size

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        try:
            return self._disk.pread(self._fd(), length, offset)
        except OSError as failure:
            raise from_os_error(failure, "read staged content") from failure

    def pwrite(self, data: memoryview, offset: int) -> None:
        """Write all of *data* at *offset*; a gap before it reads as zeros."""
        try:
            pwrite_all(self._disk, self._changeable_fd(), data, offset)
        except OSError as failure:
            raise _failed(failure, f"write {len(data)} bytes at {offset}") from failure
        self._data.add(offset, offset + len(data))
        self.size = max(self.size, offset + len(data))

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with a hole."""
        try:
            self._disk.truncate(self._changeable_fd(), size)
        except OSError as failure:
            raise _failed(failure, f"set the length to {size} bytes") from failure
        self._data.cut(size)
        self.size = size

    def finish(self) -> Stored:
        """Make the file itself a blob; what has become small is stored as what is small."""
        if self.size <= self._staging.limits.memory_bytes:
            return self._staging.writer.put_bytes(self.pread(self.size, 0), remember=True)
        hasher = self._hash()
        assert self._file is not None
        self._is_named = True
        return self._staging.writer.put_temporary(self._file, self.size, hasher)

    def discard(self) -> None:
        """Let go of the content; what was stored stays."""
        file, self._file = self._file, None
        if file is not None:
            self._disk.discard_temporary(file)

    def _hash(self) -> Hasher:
        hasher = Hasher()
        zeros = memoryview(bytes(_HASHED_BYTES))
        for start, end, is_data in self._data.cover(self.size):
            for offset in range(start, end, _HASHED_BYTES):
                length = min(_HASHED_BYTES, end - offset)
                hasher.update(self.pread(length, offset) if is_data else zeros[:length])
        return hasher

    def _fd(self) -> int:
        if self._file is None:
            raise ValueError("staged content was used after it was discarded")
        return self._file.fd

    def _changeable_fd(self) -> int:
        if self._is_named:
            self._copy()
        return self._fd()

    def _copy(self) -> None:
        """Go on in another file, after a failure that may have left this one in place."""
        target = self._staging.create_temporary()
        try:
            for start, end, is_data in self._data.cover(self.size):
                for offset in range(start, end if is_data else start, _HASHED_BYTES):
                    pwrite_all(self._disk, target.fd, self.pread(min(_HASHED_BYTES, end - offset), offset), offset)
            self._disk.truncate(target.fd, self.size)
        except BaseException:
            self._disk.discard_temporary(target)
            raise
        old, self._file = self._file, target
        self._is_named = False
        if old is not None:
            self._disk.discard_temporary(old)


def _failed(failure: OSError, doing: str) -> Error:
    if failure.errno == errno.EFBIG:
        return TooLarge(f"could not {doing}: the store's filesystem has no files of that length")
    return from_os_error(failure, doing)
