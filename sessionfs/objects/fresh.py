"""Content that begins with nothing: in memory while it is small, then growing or sparse, as it is written.

in memory   up to ``memory_bytes``, in any order
growing     longer, and written in order (see :mod:`sessionfs.objects.growing`)
sparse      longer, and not in order, or with a gap (see :mod:`sessionfs.objects.sparse`)
over        growing content that was then written to where it is sealed: the growing part is finished as it
            is, and what was written later lies over it (see :mod:`sessionfs.objects.overlay`)
"""

from __future__ import annotations

from sessionfs.objects.base import Base
from sessionfs.objects.growing import Growing
from sessionfs.objects.overlay import Overlay
from sessionfs.objects.sparse import Sparse
from sessionfs.objects.staging import Bytes, Content, Staging, Waiting
from sessionfs.objects.stored import Stored


class Fresh:
    """One content of any form. Its owner holds a lock."""

    def __init__(self, staging: Staging, data: Bytes = b"") -> None:
        self._staging = staging
        self._memory = bytearray(data)
        self._form: Growing | Sparse | Overlay | None = None  # None: it is in memory

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        return len(self._memory) if self._form is None else self._form.size

    @property
    def unfinished_bytes(self) -> int:
        """About how much :meth:`finish` has to read, hash or write."""
        return len(self._memory) if self._form is None else self._form.unfinished_bytes

    @property
    def is_in_memory(self) -> bool:
        """Whether it is small."""
        return self._form is None

    @property
    def waiting(self) -> Waiting | None:
        """What another thread writes of it."""
        if isinstance(self._form, Overlay):
            return self._form.waiting
        return self._form if isinstance(self._form, Growing) else None

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        if self._form is None:
            return bytes(memoryview(self._memory)[offset : offset + length])
        return self._form.pread(length, offset)

    def pwrite(self, data: memoryview, offset: int) -> None:
        """Write all of *data* (not empty) at *offset*; a gap before it reads as zeros."""
        end = offset + len(data)
        if self._form is None and end <= self._staging.limits.memory_bytes:
            memory = self._memory
            if offset > len(memory):
                memory.extend(bytes(offset - len(memory)))
            memory[offset:end] = data
            return
        self._form_for(offset).pwrite(data, offset)

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with zeros."""
        if self._form is not None and size <= min(self.size, self._staging.limits.memory_bytes) and self._is_all_new:
            self._turn_into_memory(size)
        elif self._form is None and size <= self._staging.limits.memory_bytes:
            del self._memory[size:]
            self._memory.extend(bytes(size - len(self._memory)))
        elif self._form is None:
            self._turn_into_sparse().truncate(size)  # made long before it is written: it may be written anywhere
        else:
            self._form_for(size).truncate(size)

    def finish(self) -> Stored:
        """Store the content as a blob; only reading and discarding it is sure to be cheap afterwards."""
        if self._form is None:
            return self._staging.writer.put_bytes(bytes(self._memory), remember=True)
        return self._form.finish()

    def discard(self) -> None:
        """Let go of the content: it is empty."""
        form, self._form = self._form, None
        self._memory = bytearray()
        if form is not None:
            form.discard()

    @property
    def _is_all_new(self) -> bool:
        return not (isinstance(self._form, Overlay) and self._form.is_over_blob)

    def _form_for(self, offset: int) -> Content:
        """Return the form that can be changed at *offset*, now that it is too long for memory."""
        form = self._form
        if form is None:
            return self._turn_into_growing(offset) or self._turn_into_sparse()
        if not isinstance(form, Growing) or form.takes(offset):
            return form
        if not form.sealed_bytes:
            return self._turn_into_sparse()
        self._form = Overlay(self._staging, Base(self._staging, form, size=form.size), Fresh)
        return self._form

    def _turn_into_memory(self, size: int) -> None:
        """Let go of all but the first *size* bytes, which gives back what they take on a disk that may be full."""
        data = bytearray(self.pread(size, 0))
        self.discard()
        self._memory = data

    def _turn_into_growing(self, offset: int) -> Growing | None:
        limits, slots = self._staging.limits, self._staging.growing
        if offset > len(self._memory) + limits.window_bytes or not slots.acquire(blocking=False):
            return None
        try:
            growing = Growing(self._staging)
        except BaseException:
            slots.release()
            raise
        if self._memory:
            growing.pwrite(memoryview(self._memory), 0)
        self._form, self._memory = growing, bytearray()
        return growing

    def _turn_into_sparse(self) -> Sparse:
        """Write what is in memory to a file of its own."""
        sparse = Sparse(self._staging)
        try:
            if self.size:
                sparse.pwrite(memoryview(self.pread(self.size, 0)), 0)
        except BaseException:
            sparse.discard()
            raise
        self.discard()
        self._form = sparse
        return sparse
