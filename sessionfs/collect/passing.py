"""Passing on what a command writes: shown as it comes, and kept as an artifact."""

from __future__ import annotations

import fcntl
import os
import select
import threading
from collections.abc import Callable, Iterator

from sessionfs.api import Session
from sessionfs.errors import Error

_READ_BYTES = 64 << 10

Show = Callable[[bytes], object]
"""Writes bytes where somebody sees them."""


class Passing:
    """One stream of a command, on a thread of its own. ``fd`` is what the command writes to.

    ``failure`` says why not all of it is kept, if that is so.
    """

    def __init__(self, session: Session, path: str, show: Show) -> None:
        """Prepare it.

        Args:
            path: Of the artifact.
            show: What it raises ends the reading, so that the command is told as if nobody were in between.
        """
        self.path = path
        self.failure: Error | None = None
        self._show = show
        self._artifact = session.artifacts.open(path, "wb", type="log", mime_type="text/plain")
        self._reading, self.fd = os.pipe()
        self._ended, self._ending = os.pipe()
        self._thread = threading.Thread(target=self._run, name="sessionfs-passing", daemon=True)

    def start(self) -> None:
        """Begin; the command has its end of the pipe."""
        os.close(self.fd)
        self._thread.start()

    def finish(self) -> None:
        """End it, and store what came: the command has ended, whoever else still has the pipe."""
        os.close(self._ending)
        self._thread.join()
        os.close(self._ended)
        try:
            self._artifact.close()
        except Error as failure:
            self.failure = failure

    def _run(self) -> None:
        try:
            for data in self._pieces():
                self._keep(data)
                self._show(data)
        except OSError:
            return  # nobody looks any more
        finally:
            os.close(self._reading)

    def _keep(self, data: bytes) -> None:
        if self.failure is None:
            try:
                self._artifact.write(data)
            except Error as failure:
                self.failure = failure

    def _pieces(self) -> Iterator[bytes]:
        """Yield what is written, until nobody can write any more; or what is there when the command has ended."""
        os.set_blocking(self._reading, False)
        poller = select.poll()
        for fd in (self._reading, self._ended):
            poller.register(fd, select.POLLIN)
        left_bytes = fcntl.fcntl(self._reading, fcntl.F_GETPIPE_SZ)
        while left_bytes > 0:
            ready = [fd for fd, _ in poller.poll()]
            data = os.read(self._reading, _READ_BYTES) if self._reading in ready else b""
            if not data:
                return
            yield data
            if self._ended in ready:
                left_bytes -= len(data)  # what others go on writing is not the command's
