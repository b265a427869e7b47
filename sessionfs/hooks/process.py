"""Running one executable: fed, listened to, and ended, with limits on its time and its words.

It gets a session of its own (setsid), so that all it starts can be killed together, and Ctrl-C at the terminal ends
us, who then end it. What it leaves running when it ends in time lives on, as with git; nobody waits for it, even if it
holds the pipes open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

MAX_OUTPUT_BYTES = 64 << 10

# How long to wait for the end of what was killed. It may be stuck in the kernel until the request that it was asked
# about is answered: the mount's kernel holds a directory locked meanwhile.
_LAST_SECONDS = 0.5

# Somebody still has the program open for writing, if only because another thread forked in that moment.
_BUSY_TRIES = 10
_BUSY_SECONDS = 0.02


class Ended(NamedTuple):
    """How a program ended."""

    code: int | None  # its exit status, -N for signal N; None when it was killed because its time was over
    output: bytes
    errors: bytes
    is_cut: bool  # it printed more than MAX_OUTPUT_BYTES


def run(
    command: Sequence[str],
    *,
    given: bytes,
    environment: Mapping[str, str | bytes],
    directory: str,
    limit_seconds: float,
) -> Ended:
    """Run *command* with *given* on its standard input, and return how it ended.

    Raises:
        OSError: It could not be started.
    """
    process = _start(command, environment, directory)
    running = _Running(process, given)
    try:
        code = running.watch(time.monotonic() + limit_seconds)
    finally:
        running.close()
    return Ended(code, bytes(running.output), bytes(running.errors), running.is_cut)


def _start(command: Sequence[str], environment: Mapping[str, str | bytes], directory: str) -> subprocess.Popen[bytes]:
    for left in reversed(range(_BUSY_TRIES)):
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=directory,
                env=environment,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as failure:
            if failure.errno != errno.ETXTBSY or not left:
                raise
            time.sleep(_BUSY_SECONDS)
    raise AssertionError("unreachable")


class _Running:
    """A program that runs."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.is_cut = False
        self._process = process
        self._left = memoryview(given)
        self._pidfd = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        for file, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            os.set_blocking(file.fileno(), False)
            self._selector.register(file, event)
        self._selector.register(self._pidfd, selectors.EVENT_READ)

    def watch(self, deadline: float) -> int | None:
        """Feed it and listen until it ends, and return its exit status; None when it was killed at the *deadline*."""
        process = self._process
        while not self._wait(deadline):
            if time.monotonic() >= deadline:
                self._kill()
                return None
        for file in (process.stdout, process.stderr):
            self._drain(file)
        return process.wait()

    def _wait(self, deadline: float) -> bool:
        """Do what can be done, waiting until *deadline* at most; True when the program has ended."""
        ended = False
        for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
            if key.fileobj == self._pidfd:
                ended = True
            elif key.fileobj is self._process.stdin:
                self._feed(self._process.stdin)
            else:
                self._listen(key.fileobj)  # type: ignore[arg-type]  # the other two are files
        return ended

    def _feed(self, stdin: IO[bytes] | None) -> None:
        assert stdin is not None
        try:
            self._left = self._left[os.write(stdin.fileno(), self._left) :]
        except BrokenPipeError:
            self._left = self._left[:0]  # it does not want to know
        if not self._left:
            self._selector.unregister(stdin)
            stdin.close()

    def _listen(self, file: IO[bytes]) -> bool:
        """Take in what it said; False when there is nothing more."""
        try:
            data = os.read(file.fileno(), MAX_OUTPUT_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(file)
            file.close()
            return False
        heard = self.output if file is self._process.stdout else self.errors
        room = MAX_OUTPUT_BYTES - len(heard)
        heard += data[:room]
        self.is_cut |= len(data) > room and heard is self.output
        return True

    def _drain(self, file: IO[bytes] | None) -> None:
        """Take in what it said before it ended; what it left running may say more, without end."""
        for _ in range(2):
            if file is None or file.closed or not self._listen(file):
                return

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, if it still runs, and let go of everything."""
        process = self._process
        if process.returncode is None:
            self._kill()
            try:
                process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:
                threading.Thread(target=process.wait, name="sessionfs-hook-reaper", daemon=True).start()
        self._selector.close()
        os.close(self._pidfd)
        for file in (process.stdin, process.stdout, process.stderr):
            if file is not None:
                file.close()
