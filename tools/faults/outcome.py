"""What one kind of fault came to."""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


class Lost(Exception):
    """Something that was promised is not there, or something is damaged; the message says what."""


@dataclass
class Outcome:
    """What was injected, what was lost, and how long the store then took to open."""

    kind: str
    injected: int = 0
    lost: list[str] = field(default_factory=list)
    opened_ns: list[int] = field(default_factory=list)
    control: str = ""  # what was left out, and after how many faults that was noticed
    missing: str = ""  # what is missing here, so that it was not tried

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, and the control was noticed."""
        return not self.lost and "never" not in self.control

    def row(self) -> list[str]:
        """Return what the table says about it."""
        if self.missing:
            return [self.kind, "-", "-", "-", self.missing]
        median = f"{statistics.median(self.opened_ns) / 1e6:.1f} ms" if self.opened_ns else "-"
        return [self.kind, f"{self.injected:,}", str(len(self.lost) or "nothing"), median, self.control]


HEAD = ["fault", "times", "lost", "opening afterwards, median", "negative control, and after how many it was noticed"]


@dataclass
class Trial:
    """Where a kind of fault works, for how long, and with which numbers."""

    directory: Path
    seconds: float
    numbers: random.Random
    say: Callable[[str], None]
    deadline: float = 0.0  # of time.monotonic()

    def rounds(self) -> Iterator[int]:
        """Yield 0, 1, 2, … until the time is over, which begins now; 0 in any case."""
        self.deadline = time.monotonic() + self.seconds
        number = 0
        while number == 0 or time.monotonic() < self.deadline:
            yield number
            number += 1

    def place(self) -> Path:
        """Return a new, empty directory."""
        path = self.directory / f"{self.numbers.getrandbits(64):016x}"
        path.mkdir()
        return path


Inject = Callable[[Trial, Outcome], None]
"""Injects faults until the time is over, counting them; raises Lost."""


def attempt(outcome: Outcome, trial: Trial, inject: Inject) -> None:
    """Inject faults, and note what is lost."""
    try:
        inject(trial, outcome)
    except Lost as failure:
        outcome.lost.append(str(failure))


def control(outcome: Outcome, trial: Trial, left_out: str, inject: Inject) -> None:
    """Inject faults into what has something left out, until that is noticed."""
    tried = Outcome(outcome.kind)
    attempt(tried, trial, inject)
    noticed = f"after {tried.injected:,}" if tried.lost else f"never, in {tried.injected:,}"
    outcome.control = f"{left_out}: {noticed}"


def in_child(look: Callable[[Outcome], None], outcome: Outcome) -> None:
    """Let a forked child look at what is left, and note how long it took to open; nothing stays open here.

    Raises:
        Lost: As *look* does, or when it fails in another way.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        seen = Outcome(outcome.kind)
        try:
            look(seen)
        except BaseException as failure:
            seen.lost.append(str(failure) if isinstance(failure, Lost) else repr(failure))
        finally:
            os.write(writing, json.dumps([seen.opened_ns, seen.lost]).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        opened_ns, lost = json.loads(pipe.read())
    os.waitpid(pid, 0)
    outcome.opened_ns += opened_ns
    if lost:
        raise Lost(lost[0])
