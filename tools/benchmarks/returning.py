"""Going back and forking: what a fork, an undo and a restore cost.

Beside them stands what people do by hand for the same: copy files. Each function sets up one side in an empty
directory; its docstring says what one call is.
"""

from __future__ import annotations

import os
import shutil
from functools import partial

from benchmarks.api import let_go, open_session, raw_create_session
from benchmarks.measure import MILLISECONDS, Row, Side, at_most
from sessionfs.api import Session

_SMALL_COUNT = 1_000
_LARGE_COUNT = 10_000
_CONTENT_BYTES = 1 << 10


def fork(place: str, *, is_flat: bool, is_open: bool) -> Side:
    """Fork a session with 10,000 artifacts: of a process that has it open, or one that has not looked at it yet."""
    store, session = open_session(place)
    _fill(session, _LARGE_COUNT, files_per_directory=_LARGE_COUNT if is_flat else 100)

    def run(_: int) -> Session:
        if not is_open:
            store.core._forget(session.core)
        return session.fork()

    return Side(run, close=lambda: let_go(store))


def undo_put(place: str) -> Side:
    """Undo a put in a session with 1,000 artifacts."""
    store, session = open_session(place)
    _fill(session, _SMALL_COUNT, files_per_directory=100)

    def put(calls: int) -> list[int]:
        for number in range(calls):
            session.artifacts.put("0/0", b"%d" % number)
        return list(range(calls))

    return Side(lambda _: session.undo(), arguments=put, close=lambda: let_go(store))


def raw_undo_put(place: str) -> Side:
    """By hand: copy one file back."""
    _write_files(f"{place}/before", 1)
    os.mkdir(f"{place}/now")
    return Side(lambda _: shutil.copy2(f"{place}/before/0", f"{place}/now/0"))


def restore(place: str, *, change: str) -> Side:
    """Restore 1,000 artifacts that were all changed, or all deleted."""
    store, session = open_session(place)
    _fill(session, _SMALL_COUNT, files_per_directory=_SMALL_COUNT)
    moment = session.event_count - 1

    def again(calls: int) -> range:
        if change == "deleted":
            session.artifacts.delete("0", recursive=True)
        else:
            _fill(session, _SMALL_COUNT, files_per_directory=_SMALL_COUNT)
        return range(calls)

    return Side(lambda _: session.restore(moment), arguments=again, close=lambda: let_go(store))


def raw_restore(place: str) -> Side:
    """By hand: copy 1,000 files of 1 KiB back, with their times."""
    _write_files(f"{place}/before", _SMALL_COUNT)
    return Side(lambda number: shutil.copytree(f"{place}/before", f"{place}/now-{number}"))


def _fill(session: Session, count: int, *, files_per_directory: int) -> None:
    with session.operation():
        for number in range(count):
            path = f"{number // files_per_directory}/{number}"
            session.artifacts.put(path, os.urandom(_CONTENT_BYTES))


def _write_files(directory: str, count: int) -> None:
    os.mkdir(directory)
    for number in range(count):
        with open(f"{directory}/{number}", "wb") as file:
            file.write(os.urandom(_CONTENT_BYTES))


_BAR = at_most(20_000, "20 ms")

ROWS = (
    Row("fork 10,000 artifacts", partial(fork, is_flat=False, is_open=True), raw_create_session, _BAR, calls=50),
    Row(
        "fork 10,000 artifacts in one directory, not opened before",
        partial(fork, is_flat=True, is_open=False),
        raw_create_session,
        _BAR,
        calls=20,
    ),
    Row("undo a put among 1,000 artifacts", undo_put, raw_undo_put, calls=20),
    Row(
        "restore 1,000 artifacts that were changed", partial(restore, change="changed"), raw_restore, None, MILLISECONDS
    ),
    Row(
        "restore 1,000 artifacts that were deleted", partial(restore, change="deleted"), raw_restore, None, MILLISECONDS
    ),
)
