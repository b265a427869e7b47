"""Measuring: contenders take turns in rounds; the median of a round's calls, then the median of the rounds.

Taking turns is what makes the ratios hold on a machine whose speed drifts. Each round begins afresh, in a directory
of its own: where that lies on the disk matters (see ``scratch``), and the median gets over a bad place. Content is
made, and garbage put away, between the calls and outside the clock.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter_ns
from typing import Any

from benchmarks.scratch import Scratch

Progress = Callable[[str], None]


class Skipped(Exception):
    """A row that cannot be measured here; the text says why, as a sentence."""


@dataclass(frozen=True)
class Side:
    """One contender, set up for one round. Only ``run`` is timed.

    Attributes:
        run: One call, with one argument.
        arguments: Gives the arguments for so many calls; what it does between them is not timed.
        after: Called with what ``run`` returned.
        close: Called at the end of the round.
    """

    run: Callable[[Any], Any]
    arguments: Callable[[int], Iterable[Any]] = range
    after: Callable[[Any], object] | None = None
    close: Callable[[], object] | None = None


Make = Callable[[str], Side]
"""Sets up a side in the empty directory it is given."""


@dataclass(frozen=True)
class Unit:
    """What a row is told in: ``of`` turns nanoseconds per operation into it."""

    name: str
    of: Callable[[float], float]


MICROSECONDS = Unit("us", lambda ns: ns / 1e3)
MILLISECONDS = Unit("ms", lambda ns: ns / 1e6)


def megabytes_per_second(size: int) -> Unit:
    """Return the unit for operations on *size* bytes."""
    return Unit("MB/s", lambda ns: size * 1e3 / ns)


@dataclass(frozen=True)
class Bar:
    """What a row must keep to: a limit on its ratio or on ours alone."""

    text: str
    limit: float
    of_ratio: bool = True
    at_least: bool = False

    def is_met(self, ours: float, ratio: float | None) -> bool | None:
        """Say whether it is met; None when there is nothing to compare with."""
        value = ratio if self.of_ratio else ours
        if value is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit


def at_most_times(limit: float) -> Bar:
    """Ours takes at most *limit* times what raw takes."""
    return Bar(f"<= {limit:g} x", limit)


def at_most(limit: float, text: str) -> Bar:
    """Ours is at most *limit*, in the row's unit, which *text* says readably."""
    return Bar(f"<= {text}", limit, of_ratio=False)


def at_least_part(limit: float) -> Bar:
    """Ours has at least the part *limit* of raw's speed."""
    return Bar(f">= {limit:.0%}", limit, at_least=True)


@dataclass(frozen=True)
class Row:
    """Ours beside raw.

    Attributes:
        calls: How many of each a round makes.
        operations: How many operations one call is.
        average: Of the calls of a round. The mean shows what only happens now and then.
    """

    name: str
    ours: Make
    raw: Make
    bar: Bar | None = None
    unit: Unit = MICROSECONDS
    calls: int = 1
    operations: int = 1
    average: Callable[[Iterable[float]], float] = median


@dataclass(frozen=True)
class Result:
    """One line of the outcome; without numbers, ``note`` says why."""

    name: str
    ours: float | None
    raw: float | None
    unit: str
    bar: Bar | None = None
    note: str | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by raw."""
        return self.ours / self.raw if self.ours is not None and self.raw else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without one."""
        return None if self.bar is None or self.ours is None else self.bar.is_met(self.ours, self.ratio)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        bar = None
        if self.bar is not None:
            sense = "at_least" if self.bar.at_least else "at_most"
            bar = {"of": "ratio" if self.bar.of_ratio else "ours", sense: self.bar.limit}
        known = {
            "name": self.name,
            "ours": rounded(self.ours),
            "raw": rounded(self.raw),
            "unit": self.unit,
            "ratio": rounded(self.ratio),
            "bar": bar,
            "met": self.met,
        }
        return known if self.note is None else {**known, "note": self.note}


def measure_row(row: Row, scratch: Scratch, rounds: int, progress: Progress) -> Result:
    """Measure *row*."""
    makes = {"ours": row.ours, "raw": row.raw}
    try:
        ns = measure(makes, scratch, rounds, progress, name=row.name, calls=row.calls, average=row.average)
    except Skipped as reason:
        return Result(row.name, None, None, row.unit.name, row.bar, str(reason))
    ours, raw = (row.unit.of(ns[side] / row.operations) for side in ("ours", "raw"))
    return Result(row.name, ours, raw, row.unit.name, row.bar)


def measure(
    makes: Mapping[str, Make],
    scratch: Scratch,
    rounds: int,
    progress: Progress,
    *,
    name: str,
    calls: int = 1,
    average: Callable[[Iterable[float]], float] = median,
) -> dict[str, float]:
    """Return the nanoseconds that a call of each side takes."""
    ns_by_side: dict[str, list[float]] = {side: [] for side in makes}
    for number in range(rounds):
        progress(f"{name}: round {number + 1} of {rounds}")
        # Whoever comes second finds the caches as the first has left them, so they change places.
        for side_name in list(makes)[:: 1 if number % 2 == 0 else -1]:
            side = makes[side_name](scratch.new())
            try:
                ns_by_side[side_name].append(_time_calls(side, calls, average))
            finally:
                if side.close is not None:
                    side.close()
    return {side: median(ns) for side, ns in ns_by_side.items()}


def time_call(run: Callable[[], object]) -> float:
    """Return the nanoseconds that one long call takes."""
    start = perf_counter_ns()
    run()
    return perf_counter_ns() - start


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean: ratios are averaged so."""
    return math.exp(fmean(math.log(value) for value in values))


def rounded(value: float | None) -> float | None:
    """Return it with four digits, for JSON."""
    return None if value is None else float(f"{value:.4g}")


def _time_calls(side: Side, calls: int, average: Callable[[Iterable[float]], float]) -> float:
    return max(average(_call_ns(side, calls)) - _empty_call_ns(), 1.0)


def _call_ns(side: Side, calls: int) -> list[float]:
    run, after, clock = side.run, side.after, perf_counter_ns
    ns: list[float] = []
    for argument in side.arguments(calls):
        start = clock()
        result = run(argument)
        ns.append(clock() - start)
        if after is not None:
            after(result)
    return ns


@functools.cache
def _empty_call_ns() -> float:
    """Return what the clock itself and an empty call cost, which is taken off: a tenth of a microsecond."""
    return median(_call_ns(Side(lambda _: None), 10_000))
