"""The user's terminal, while a program of ours reads single keys from it.

However that ends - the key, Ctrl-C, a signal, an error - the terminal is left as it was found; also while it is stopped
by Ctrl-Z. Only SIGKILL cannot be helped: ``stty sane`` can.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import tty
from collections.abc import Callable
from types import FrameType, TracebackType

from sessionfs.cli.keys import parse_keys

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# An arrow key is several bytes, which may come one after the other: so long a lone escape is waited for.
_ESCAPE_SECONDS = 0.05
_READ_BYTES = 1024

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Ended(KeyboardInterrupt):
    """A signal that ends programs came: as with Ctrl-C, everything is tidied up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Hangup(EOFError):
    """Nobody is at the terminal any more."""


class Terminal:
    """A terminal in cbreak mode: keys come at once, and are not shown. A context, in the main thread."""

    def __init__(self, fd: int, write: Callable[[str], object], on_continue: Callable[[], object]) -> None:
        """Prepare it.

        Args:
            fd: What keys are read from.
            write: Writes to the same terminal, at once.
            on_continue: Called when the program goes on after it was stopped.
        """
        self._fd = fd
        self._write = write
        self._on_continue = on_continue
        self._found = termios.tcgetattr(fd)
        self._handlers: dict[int, object] = {}
        self._rest = b""
        self._is_left = True
        # A signal that comes just before select would not end it: Python's handler would wait for a key.
        self._told, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._told_before = -1

    def __enter__(self) -> Terminal:
        self._told_before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        for number in _ENDING:
            self._handlers[number] = signal.signal(number, self._end)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        try:
            self._enter()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # the terminal comes first
        try:
            self._leave()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]
            signal.set_wakeup_fd(self._told_before)
            os.close(self._tell)
            os.close(self._told)

    def keys(self, timeout_seconds: float | None) -> list[str]:
        """Wait for keys, and return their names; none when *timeout_seconds* have passed, or a signal has come.

        Raises:
            Hangup: There will be no more.
        """
        if not self._is_readable(timeout_seconds):
            return []
        keys, self._rest = parse_keys(self._rest + self._read())
        while self._rest:
            is_complete = not self._is_readable(_ESCAPE_SECONDS)
            more, self._rest = parse_keys(self._rest + (b"" if is_complete else self._read()), complete=is_complete)
            keys += more
        return keys

    def _is_readable(self, timeout_seconds: float | None) -> bool:
        readable = select.select([self._fd, self._told], [], [], timeout_seconds)[0]
        if self._told in readable:
            os.read(self._told, _READ_BYTES)
        return self._fd in readable

    def _read(self) -> bytes:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except OSError as failure:  # EIO: the terminal is gone
            raise Hangup(str(failure)) from failure
        if not data:
            raise Hangup("end of input")
        return data

    def _enter(self) -> None:
        self._is_left = False
        tty.setcbreak(self._fd, termios.TCSADRAIN)
        self._write(_HIDE_CURSOR)

    def _leave(self) -> None:
        if self._is_left:
            return
        self._is_left = True
        with contextlib.suppress(termios.error, OSError):  # it is gone: there is nothing to leave as it was
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._found)
            self._write(_SHOW_CURSOR)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # and here it stands, until somebody says SIGCONT
        signal.signal(signal.SIGTSTP, self._stop)
        self._enter()
        self._on_continue()
