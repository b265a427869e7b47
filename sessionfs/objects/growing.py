"""Content that is written (mostly) in order: hashed, compressed and written while the writer goes on.

What lies more than ``window_bytes`` before the end is sealed, a whole piece at a time, and goes into the final file on
another thread. What is not sealed is in memory, and may be written in any order. So everything is written to the disk
once, in its final form, and :meth:`Growing.finish` has only the rest to do.
"""

from __future__ import annotations

import threading
from collections import deque

from sessionfs.errors import from_os_error
from sessionfs.objects.staging import Staging
from sessionfs.objects.stored import Stored


class Growing:
    """One content that grows. Its owner holds a lock, but not around :attr:`is_behind` and :meth:`catch_up`.

    Memory: the unsealed end (up to ``window_bytes`` and two pieces), and up to ``waiting_pieces`` pieces for the other
    thread.
    """

    def __init__(self, staging: Staging) -> None:
        self._limits = staging.limits
        self._piece_bytes = staging.limits.piece_bytes
        self._run = staging.run
        self._slot: threading.BoundedSemaphore | None = staging.growing
        self._writer = staging.writer
        self._incoming = staging.writer.receive()
        self.size = 0
        self._sealed_bytes = 0  # given to the other thread
        self._open: deque[bytearray] = deque()  # the pieces from there on; beyond the size they hold anything
        self._last_added = False  # the last, short piece is in the file, too: nothing can follow
        # The rest is shared with the other thread.
        self._changed = threading.Condition()
        self._waiting: deque[bytearray] = deque()
        self._written_bytes = 0  # the pieces before those that wait
        self._spare: bytearray | None = None  # new memory costs a page fault each 4 KiB, as much as copying
        self._is_scheduled = False
        self._is_busy = False  # a thread is writing the first piece that waits

    @property
    def sealed_bytes(self) -> int:
        """What lies before this can no longer be written to."""
        return self.size if self._last_added else self._sealed_bytes

    @property
    def unfinished_bytes(self) -> int:
        """What is not in the file yet."""
        return self.size - self._written_bytes

    def takes(self, offset: int) -> bool:
        """Say whether something can be written at *offset*."""
        return not self._last_added and self._sealed_bytes <= offset <= self.size + self._limits.window_bytes

    def pwrite(self, data: memoryview, offset: int) -> None:
        """Write *data* at *offset*, where :meth:`takes` says it can be.

        Raises:
            NoSpace: So much waits to be written that the writer had to, too; what went before is written.
        """
        if offset > self.size:
            self._fill(self.size, offset)
        while data:
            index, inside = divmod(offset - self._sealed_bytes, self._piece_bytes)
            part = data[: self._piece_bytes - inside]
            self._piece(index)[inside : inside + len(part)] = part
            offset += len(part)
            data = data[len(part) :]
            self.size = max(self.size, offset)
            self._seal()

    def truncate(self, size: int) -> None:
        """Set the length to *size*, which is not before what is sealed, nor far beyond the end."""
        if size > self.size:
            self._fill(self.size, size)
            self.size = size
            self._seal()
        self.size = size

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        with self._changed:
            written = self._written_bytes
            pieces = [*self._waiting, *self._open]
            parts = [self._in_memory(pieces, max(offset, written) - written, end - written)]
        if offset < written:
            try:
                parts.insert(0, self._incoming.pread(min(end, written) - offset, offset))
            except OSError as failure:
                raise from_os_error(failure, "read staged content") from failure
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> Stored:
        """Store the content; when it has succeeded, the file is an object and nothing but reading it is left."""
        while not self._last_added:
            self._wait_for(0)
            rest = self.size - self._sealed_bytes
            if rest >= self._piece_bytes:
                self._seal_first()
            else:
                if rest:
                    self._add(memoryview(self._open[0])[:rest])
                self._written_bytes += rest
                self._last_added = True
        stored = self._writer.put_incoming(self._incoming)
        self._return_slot()
        return stored

    def discard(self) -> None:
        """Let go of the content."""
        with self._changed:
            self._waiting.clear()
            while self._is_busy:
                self._changed.wait()
            self._open.clear()
        self._incoming.discard()
        self._return_slot()

    # The other thread

    @property
    def is_behind(self) -> bool:
        """Whether the writer should call :meth:`catch_up` before it goes on."""
        return len(self._waiting) >= self._limits.behind_pieces

    def catch_up(self) -> None:
        """Wait until the other thread has caught up, or help it.

        Raises:
            NoSpace, DiskFault: What waits could not be written; it may be tried again.
        """
        self._wait_for(self._limits.behind_pieces - 1)

    def _seal(self) -> None:
        while self.size >= self._sealed_bytes + self._piece_bytes + self._limits.window_bytes:
            self._wait_for(self._limits.waiting_pieces - 1)
            self._seal_first()

    def _seal_first(self) -> None:
        with self._changed:
            self._waiting.append(self._open.popleft())
            self._sealed_bytes += self._piece_bytes
            to_schedule = not self._is_scheduled
            self._is_scheduled = True
        if to_schedule:
            self._schedule()

    def _schedule(self) -> None:
        try:
            self._run(self._work)
        except RuntimeError:  # the interpreter is ending: whoever finishes does the work
            self._is_scheduled = False

    def _work(self) -> None:
        try:
            self._write_first()
        except Exception:
            # Whoever waits for the piece tries again, and meets the error.
            self._is_scheduled = False
            return
        with self._changed:
            self._is_scheduled = bool(self._waiting)
        if self._is_scheduled:
            self._schedule()  # behind the pieces of other contents

    def _wait_for(self, count: int) -> None:
        """Return when no more than *count* pieces wait."""
        while True:
            with self._changed:
                while self._is_busy and len(self._waiting) > count:
                    self._changed.wait()
                if len(self._waiting) <= count:
                    return
            self._write_first()

    def _write_first(self) -> None:
        """Write the first piece that waits, if no other thread is doing it."""
        with self._changed:
            if self._is_busy or not self._waiting:
                return
            self._is_busy = True
            piece = self._waiting[0]
        is_written = False
        try:
            self._add(memoryview(piece))
            is_written = True
        finally:
            with self._changed:
                if is_written and self._waiting:  # unless it was discarded meanwhile
                    self._spare = self._waiting.popleft()
                    self._written_bytes += self._piece_bytes
                self._is_busy = False
                self._changed.notify_all()

    def _add(self, piece: memoryview) -> None:
        try:
            self._incoming.add(piece)
        except OSError as failure:
            raise from_os_error(failure, f"stage more than {self._incoming.size} bytes") from failure

    # Memory

    def _piece(self, index: int) -> bytearray:
        while len(self._open) <= index:
            with self._changed:
                spare, self._spare = self._spare, None
            self._open.append(bytearray(self._piece_bytes) if spare is None else spare)
        return self._open[index]

    def _fill(self, start: int, end: int) -> None:
        """Put zeros where there may be anything."""
        while start < end:
            index, inside = divmod(start - self._sealed_bytes, self._piece_bytes)
            length = min(end - start, self._piece_bytes - inside)
            self._piece(index)[inside : inside + length] = bytes(length)
            start += length

    def _in_memory(self, pieces: list[bytearray], start: int, end: int) -> bytes:
        parts = []
        while start < end:
            index, inside = divmod(start, self._piece_bytes)
            part = bytes(memoryview(pieces[index])[inside : inside + end - start])
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _return_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()
