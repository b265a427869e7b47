"""When the next event is due: recorded time, at some speed. Pure, but for the clock, which is passed in."""

from __future__ import annotations

import math

from sessionfs.clock import NS_PER_SECOND, Clock
from sessionfs.errors import InvalidInput

MIN_SPEED = 0.1
MAX_SPEED = 10.0


class BadSpeed(InvalidInput):
    """A speed, or a longest gap, that nothing can be played at."""


class Pace:
    """How much of the time between two events has passed. Not thread-safe."""

    def __init__(self, clock: Clock, *, speed: float = 1.0, max_gap_seconds: float | None = None) -> None:
        """Stand still.

        Args:
            clock: In nanoseconds; never runs backwards.
            speed: How many recorded seconds pass in one.
            max_gap_seconds: What was longer between two events counts as so long; in recorded seconds.

        Raises:
            BadSpeed: One of them cannot be.
        """
        self._clock = clock
        self._speed = check_speed(speed)
        self._max_gap_ns = None if max_gap_seconds is None else _check_gap(max_gap_seconds)
        self._passed_ns = 0.0  # of recorded time, since the present event
        self._looked_ns: int | None = None  # at the clock; None while it stands still

    @property
    def speed(self) -> float:
        """How many recorded seconds pass in one: 0.1 to 10."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = check_speed(speed)
        self._look()  # what has passed has passed at the old one
        self._speed = checked

    @property
    def is_running(self) -> bool:
        """Whether time passes."""
        return self._looked_ns is not None

    def run(self) -> None:
        """Let time pass from now on."""
        if self._looked_ns is None:
            self._looked_ns = self._clock()

    def hold(self) -> None:
        """Stand still; what has passed since the present event has passed."""
        self._look()
        self._looked_ns = None

    def begin_anew(self) -> None:
        """Be at an event at which no time has passed."""
        self._look()
        self._passed_ns = 0.0

    def wait_ns(self, gap_ns: int) -> int:
        """Return how long it takes, by the clock, until *gap_ns* of recorded time have passed since the event."""
        self._look()
        return max(0, math.ceil((self._gap(gap_ns) - self._passed_ns) / self._speed))

    def arrive(self, gap_ns: int) -> None:
        """Be at the event that came *gap_ns* after the present one; what has passed beyond that counts for the next."""
        self._look()
        self._passed_ns = max(0.0, self._passed_ns - self._gap(gap_ns))

    def _gap(self, gap_ns: int) -> int:
        return gap_ns if self._max_gap_ns is None else min(gap_ns, self._max_gap_ns)

    def _look(self) -> None:
        if self._looked_ns is not None:
            now_ns = self._clock()
            self._passed_ns += (now_ns - self._looked_ns) * self._speed
            self._looked_ns = now_ns


def check_speed(speed: float) -> float:
    """Return *speed* if it is one.

    Raises:
        BadSpeed: It is not.
    """
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not MIN_SPEED <= speed <= MAX_SPEED:
        raise BadSpeed(f"{speed!r} is no speed: {MIN_SPEED} to {MAX_SPEED:g} times the original one are possible")
    return float(speed)


def _check_gap(seconds: float) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise BadSpeed(f"{seconds!r} is no longest gap: a number of seconds, 0 or more, is needed")
    return round(seconds * NS_PER_SECOND)
