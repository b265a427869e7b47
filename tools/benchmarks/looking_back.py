"""Looking back: what it costs to open a moment of a long session, and to say what changed.

Beside them stands what people do by hand with the same log. A session of 100,000 events is made once for each shape.
"""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

import sessionfs
from benchmarks.api import EVENT, let_go, open_session
from benchmarks.measure import MILLISECONDS, Make, Row, Side, at_most
from sessionfs.api import Session

_EVENTS_COUNT = 100_000
_SMALL_BYTES = 100

Fill = Callable[[Session], None]


def open_moments(place: str, *, fill: Fill) -> Side:
    """Open a moment that was not looked at before, in a process that has the session open."""
    session = _open_again(_made(place, fill))
    return Side(session.at, arguments=_moments, close=lambda: let_go(session.store))


def open_again(place: str, *, fill: Fill) -> Side:
    """Open a moment that was looked at before."""
    session = _open_again(_made(place, fill))

    def looked_at(calls: int) -> Iterator[int]:
        for moment in _moments(calls):
            session.at(moment)
            yield moment

    return Side(session.at, arguments=looked_at, close=lambda: let_go(session.store))


def raw_read_log_until(place: str, *, fill: Fill) -> Side:
    """By hand: read the log up to that moment, and decode each line."""
    path = f"{_made(place, fill)}/sessions/bench/log"
    decode = msgspec.json.decode

    def read(moment: int) -> dict[str, Any]:
        state: dict[str, Any] = {}
        with open(path, "rb") as file:
            for number, line in enumerate(file):
                state = decode(line)
                if number == moment:
                    break
        return state

    return Side(read, arguments=_moments)


def compare(place: str) -> Side:
    """Compare two moments that are 100 records apart, and have been looked at."""
    session = _open_again(_made(place, fill_mixed))

    def pairs(calls: int) -> Iterator[tuple[int, int]]:
        for moment in _moments(calls):
            session.at(moment), session.at(moment - 100)
            yield moment - 100, moment

    return Side(lambda pair: session.diff(*pair), arguments=pairs, close=lambda: let_go(session.store))


def raw_compare(place: str) -> Side:
    """By hand: stat two directories with as many files."""
    for directory in ("a", "b"):
        os.mkdir(f"{place}/{directory}")
        for number in range(1000):
            os.close(os.open(f"{place}/{directory}/{number}", os.O_CREAT | os.O_WRONLY))

    def stat_all(_: int) -> None:
        for directory in ("a", "b"):
            with os.scandir(f"{place}/{directory}") as entries:
                for entry in entries:
                    entry.stat()

    return Side(stat_all)


# The sessions


def fill_mixed(session: Session) -> None:
    """Record as an agent does: six events, two changes of state, two puts to 1,000 artifacts in 50 directories."""
    for number in range(_EVENTS_COUNT // 10):
        for _ in range(6):
            session.record("tool.invoked", EVENT)
        for key in range(2):
            session.state[f"k{number % 50}.{key}"] = number
        for path in (2 * number, 2 * number + 1):
            session.artifacts.put(f"d{path % 50}/{path % 1000}", os.urandom(_SMALL_BYTES))


def fill_tree(session: Session) -> None:
    """Put 100,000 artifacts, 100 in each directory."""
    for number in range(_EVENTS_COUNT):
        session.artifacts.put(f"{number // 100}/{number}", b"%d" % (number % 1000))


def fill_flat(session: Session) -> None:
    """Put 100,000 artifacts into one directory."""
    for number in range(_EVENTS_COUNT):
        session.artifacts.put(str(number), b"%d" % (number % 1000))


_stores: dict[Fill, str] = {}


def _made(place: str, fill: Fill) -> str:
    """Return the store with a session that *fill* has filled; made in *place* when it is asked for first."""
    if fill not in _stores:
        store, session = open_session(place)
        fill(session)
        let_go(store)
        _stores[fill] = store.path
    return _stores[fill]


def _open_again(path: str) -> Session:
    return sessionfs.open(path, background_sync=False).sessions["bench"]


def _moments(calls: int) -> Iterable[int]:
    return _choose().sample(range(1000, _EVENTS_COUNT), calls)


@functools.cache
def _choose() -> random.Random:
    """The same moments in every run, others in each round."""
    return random.Random(1)


def _of(fill: Fill) -> tuple[Make, Make]:
    return partial(open_moments, fill=fill), partial(raw_read_log_until, fill=fill)


_FIRST = at_most(200, "200 ms")
_AGAIN = at_most(10, "10 ms")

ROWS = (
    Row("open any moment of 100,000 events", *_of(fill_mixed), _FIRST, MILLISECONDS, calls=20),
    Row(
        "open any moment of 100,000 events, slowest of 20",
        *_of(fill_mixed),
        _FIRST,
        MILLISECONDS,
        calls=20,
        average=max,
    ),
    Row(
        "open the same moment again",
        partial(open_again, fill=fill_mixed),
        partial(raw_read_log_until, fill=fill_mixed),
        _AGAIN,
        MILLISECONDS,
        calls=20,
    ),
    Row(
        "open any moment of 100,000 artifacts, slowest of 20",
        *_of(fill_tree),
        _FIRST,
        MILLISECONDS,
        calls=20,
        average=max,
    ),
    Row(
        "open any moment of 100,000 artifacts in one directory, slowest of 20",
        *_of(fill_flat),
        _FIRST,
        MILLISECONDS,
        calls=20,
        average=max,
    ),
    Row("compare two moments among 1,000 artifacts", compare, raw_compare, unit=MILLISECONDS, calls=20),
)
