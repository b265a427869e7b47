"""Hooks: what they cost where there are none, where there are some that are not asked, and for each call."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable
from functools import partial

from benchmarks.api import EVENT, RECORD, let_go, open_session, raw_append_event
from benchmarks.measure import MILLISECONDS, Row, Side, at_most, at_most_times
from sessionfs.api import Session, Store
from sessionfs.hooks import HookCall
from sessionfs.hooks.points import PLACES

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC

# As many before a change as after it.
_PAIRS = 5


def set_key(place: str, *, prepare: Callable[[Store], None] = lambda store: None) -> Side:
    """Set a key of the state of an open session; *prepare* installs hooks."""
    store, session = open_session(place)
    prepare(store)
    return Side(_setter(session), close=lambda: let_go(store))


def bare_set_key(place: str) -> Side:
    """The same, where nobody has installed what looks for hooks."""
    store, session = open_session(place)
    session.core.asking.hooks = None
    return Side(_setter(session), close=lambda: let_go(store))


def _setter(session: Session) -> Callable[[int], None]:
    def set_it(_: int) -> None:
        session.state["step"] = 3

    return set_it


def raw_call_hooks(place: str) -> Side:
    """By hand: call as many functions, and for each flock, write 300 bytes, unlock, on a descriptor that is kept."""
    fd = os.open(f"{place}/log", _APPEND)

    def call(_: int) -> None:
        for _ in range(2 * _PAIRS):
            _do_nothing(None)
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, RECORD)
            fcntl.flock(fd, fcntl.LOCK_UN)

    return Side(call, close=lambda: os.close(fd))


def append_event_with_hooks(place: str) -> Side:
    """Append an event of about 300 bytes where every point has a hook; an event is no point."""
    store, session = open_session(place)
    for name in PLACES:
        store.hooks.on(name, _do_nothing)
    return Side(lambda _: session.record("tool.invoked", EVENT), close=lambda: let_go(store))


def _functions(*points: str, count: int = 1) -> Callable[[Store], None]:
    def install(store: Store) -> None:
        for point in points:
            for number in range(count):
                store.hooks.on(point, _do_nothing, name=f"{point} {number}")

    return install


def _executable(point: str) -> Callable[[Store], None]:
    def install(store: Store) -> None:
        path = f"{store.path}/hooks/{point}"
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        os.chmod(path, 0o755)

    return install


def _do_nothing(call: HookCall | None) -> None:
    """The hook."""


def raw_run_program(place: str) -> Side:
    """By hand: run /bin/sh on an empty script with three pipes, and wait for it."""
    path = f"{place}/script"
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n")
    os.chmod(path, 0o755)
    return Side(lambda _: subprocess.run([path], input=b"{}", capture_output=True, check=True))


_PRE, _POST = "pre-state-change", "post-state-change"

# fmt: off
ROWS = (
    Row("append an event, with hooks at every point", append_event_with_hooks, raw_append_event, at_most_times(4),
        calls=2000),
    Row("set a key, no hooks; beside: none looked for", set_key, bare_set_key, calls=2000),
    Row("set a key, a function before it; beside: none", partial(set_key, prepare=_functions(_PRE)), set_key,
        calls=2000),
    Row("set a key, a function after it; beside: none", partial(set_key, prepare=_functions(_POST)), set_key,
        calls=2000),
    Row("in-process hook: one call of 10 around a key, and its record",
        partial(set_key, prepare=_functions(_PRE, _POST, count=_PAIRS)), raw_call_hooks, at_most(11, "11 us"),
        calls=500, operations=2 * _PAIRS),
    Row("set a key, an executable before it; beside: running it", partial(set_key, prepare=_executable(_PRE)),
        raw_run_program, unit=MILLISECONDS, calls=30),
)
# fmt: on
