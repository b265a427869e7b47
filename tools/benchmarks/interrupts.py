"""Ending early, by Ctrl-C or a signal, without leaving anything behind."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Turn the signals that end a program into an exit, which runs everything that cleans up."""
    for number in _ENDING:
        signal.signal(number, _exit)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep those signals waiting: what cleans up must not be cut short."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit(number: int, frame: object) -> NoReturn:
    print(f"tools/bench: ended by {signal.Signals(number).name}; cleaning up", file=sys.stderr)
    raise SystemExit(128 + number)
