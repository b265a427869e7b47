"""What the forms of staged content need to have, and what they can be asked for."""

from __future__ import annotations

import threading
from typing import Protocol

from sessionfs.durable import Disk, Temporary
from sessionfs.errors import from_os_error
from sessionfs.objects.background import Run
from sessionfs.objects.blobs import Blobs
from sessionfs.objects.files import ObjectFiles
from sessionfs.objects.limits import Limits
from sessionfs.objects.recent import Recent
from sessionfs.objects.stored import Stored
from sessionfs.objects.writer import BlobWriter

Bytes = bytes | bytearray | memoryview


class Content(Protocol):
    """One form of staged content. :class:`sessionfs.objects.staged.Staged` holds a lock around it."""

    @property
    def size(self) -> int:
        """The content's length in bytes."""

    @property
    def unfinished_bytes(self) -> int:
        """About how much :meth:`finish` has to read, hash or write."""

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""

    def pwrite(self, data: memoryview, offset: int) -> None:
        """Write all of *data* (not empty) at *offset*; a gap before it reads as zeros."""

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with zeros."""

    def finish(self) -> Stored:
        """Store the content as a blob. What fails may be tried again, or written to."""

    def discard(self) -> None:
        """Let go of the content; what was stored stays."""


class Waiting(Protocol):
    """Content that is written by another thread."""

    @property
    def is_behind(self) -> bool:
        """Whether the writer should call :meth:`catch_up` before it goes on."""

    def catch_up(self) -> None:
        """Wait until the other thread has caught up, or help it."""


class Tail(Content, Protocol):
    """Content that may come after other content: it tells more about itself."""

    @property
    def is_in_memory(self) -> bool:
        """Whether it is small."""

    @property
    def waiting(self) -> Waiting | None:
        """What another thread writes of it, if anything."""


class Staging:
    """The store below staged content."""

    def __init__(
        self,
        files: ObjectFiles,
        blobs: Blobs,
        writer: BlobWriter,
        recent: Recent,
        limits: Limits,
        run: Run,
    ) -> None:
        self.files = files
        self.blobs = blobs
        self.writer = writer
        self.recent = recent
        self.limits = limits
        self.run = run
        self.growing = threading.BoundedSemaphore(limits.growing_count)

    @property
    def disk(self) -> Disk:
        """The disk that holds what does not fit into memory."""
        return self.files.disk

    def create_temporary(self) -> Temporary:
        """Return a nameless file; what fails is an error of ours."""
        try:
            return self.files.create_temporary()
        except OSError as failure:
            raise from_os_error(failure, "stage content in tmp/") from failure
