"""Content that is being written at any offset: an open file of the mount or of the API, before it has a name.

Small content stays in memory and never touches ``tmp/``. Longer content is written to the disk once, in the form in
which it is kept, whether it is written in order or not, or lies over content that was there before:

    :mod:`sessionfs.objects.fresh`    begins with nothing
    :mod:`sessionfs.objects.overlay`  begins with a blob; and what has been finished goes on over what was stored
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from sessionfs.objects.staging import Bytes, Staging, Tail
from sessionfs.objects.stored import Stored


class Staged:
    """Bytes that can be read and written anywhere until they are finished. Thread-safe.

    Writing, reading and truncating never wait for hashing or compressing, unless the writer is so far ahead that memory
    would fill: see :attr:`is_behind`. :meth:`finish` may take long.
    """

    def __init__(self, staging: Staging, content: Tail, go_on: Callable[[Staging, Stored], Tail]) -> None:
        """Begin with *content*.

        Args:
            go_on: Returns what goes on with content that has been stored.
        """
        self._staging = staging
        self._content: Tail | None = content
        self._go_on = go_on
        self._stored: Stored | None = None  # what it was when it was finished last, if it has not changed since
        self._is_changed = False
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        with self._lock:
            return self._now().size

    @property
    def is_changed(self) -> bool:
        """Whether it was written to, or its length set, since it was begun or finished last."""
        return self._is_changed

    @property
    def unfinished_bytes(self) -> int:
        """About how much :meth:`finish` would have to read, hash or write: whether it is quick."""
        with self._lock:
            return 0 if self._stored is not None else self._now().unfinished_bytes

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be written that :meth:`catch_up` should be called, on a thread that may wait."""
        with self._lock:
            waiting = self._now().waiting
            return waiting is not None and waiting.is_behind

    def catch_up(self) -> None:
        """Wait until less waits to be written. Others may read and write meanwhile.

        Raises:
            NoSpace, DiskFault: It could not be written; nothing is lost, and it may be tried again.
        """
        with self._lock:
            waiting = self._now().waiting
        if waiting is not None:
            waiting.catch_up()

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        with self._lock:
            return self._now().pread(length, offset)

    def pwrite(self, data: Bytes, offset: int) -> int:
        """Write all of *data* at *offset* and return its length; a gap before it reads as zeros.

        Raises:
            NoSpace: The disk is full; what was there before is unchanged or partly overwritten, as POSIX has it.
        """
        with self._lock:
            return self._write(data, offset)

    def append(self, data: Bytes) -> int:
        """Write all of *data* at the end, wherever that is now."""
        with self._lock:
            return self._write(data, self._now().size)

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with zeros."""
        with self._lock:
            content = self._now()
            if size != content.size:
                self._note_change()
                content.truncate(size)

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Write all *pieces*, from offset 0."""
        offset = 0
        for piece in pieces:
            self.pwrite(piece, offset)
            offset += len(piece)

    def finish(self) -> Stored:
        """Store the content as a blob. It may be written to, and finished, again.

        Raises:
            NoSpace, ReadOnlyStore, DiskFault: Nothing was stored; it may be tried again.
            DamagedObject: What it was begun from is damaged.

        Durability:
            relaxed: survives this process. full: survives a power cut.
        """
        with self._lock:
            content = self._now()
            if self._stored is None:
                stored = content.finish()
                if stored.size > self._staging.limits.whole_bytes:
                    content.discard()
                    self._content = self._go_on(self._staging, stored)
                self._stored = stored
            self._is_changed = False
            return self._stored

    def discard(self) -> None:
        """Let go of the content."""
        with self._lock:
            content, self._content = self._content, None
            if content is not None:
                content.discard()

    def _write(self, data: Bytes, offset: int) -> int:
        view = memoryview(data)
        if view:
            self._note_change()
            self._now().pwrite(view, offset)
        return len(view)

    def _note_change(self) -> None:
        self._is_changed = True
        self._stored = None

    def _now(self) -> Tail:
        if self._content is None:
            raise ValueError("staged content was used after it was discarded")
        return self._content
