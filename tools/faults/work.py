"""What writers do to a store, and what must be there after a fault.

The work is that of ``tests/crash/writer.py``: a sequence of changes for each seed, which can be done to a session and
to a model of it.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import writer

from faults import ROOT
from faults.outcome import Lost, Outcome
from sessionfs.durable import OsDisk
from sessionfs.fsck import check
from sessionfs.store.store import Store

SESSION = writer.SESSION
WRITER = ROOT / "tests" / "crash" / "writer.py"

Model = Any
"""The contents by path, and the state by key."""


class Rebooted(OsDisk):
    """The disk of a machine that was started anew."""

    def boot_id(self) -> str:
        return "another-boot"


def make_store(path: Path, mode: str, sessions: Sequence[str] = (SESSION,)) -> None:
    """Make a store with the sessions that writers change."""
    Store.create(str(path))
    (path / "config.toml").write_text(f'[durability]\nmode = "{mode}"\n')
    store = Store(str(path))
    for session_id in sessions:
        store.create_session(session_id=session_id)
    store.sync_everything()
    store.close()


def models(seed: int, begin: Model | None = None) -> Iterator[Model]:
    """Yield what the session is before the first step of *seed*, after it, after the second, …"""
    model = copy.deepcopy(nothing() if begin is None else begin)
    yield copy.deepcopy(model)
    for step in writer.steps(seed):
        writer.apply(model, step)
        yield copy.deepcopy(model)


def open_after(path: Path, outcome: Outcome, *, rebooted: bool = False) -> Store:
    """Open the store after a fault, and note how long that took."""
    begin = time.perf_counter_ns()
    store = Store(str(path), disk=Rebooted() if rebooted else None)
    store.session_ids()
    outcome.opened_ns.append(time.perf_counter_ns() - begin)
    return store


def check_whole(store: Store, what: str) -> None:
    """Check everything against everything else; Lost when something is damaged."""
    faults = [fault for fault in check(store) if fault.is_damage]
    if faults:
        raise Lost(f"{what}: fsck finds {faults[0].kind} at {faults[0].where}: {faults[0].message}")


def read_model(store: Store, what: str, session_id: str = SESSION) -> Model:
    """Return what a session is now; Lost when it cannot be read."""
    try:
        return writer.read_model(store, session_id)
    except Exception as failure:
        raise Lost(f"{what}: session {session_id}: {failure}") from failure


def check_model(now: Model, seed: int, done: int, what: str, *, begin: Model | None = None, more: int = 1) -> int:
    """Check that a session is what it was after at least *done* steps of *seed*, and at most *more* than those.

    Returns:
        After how many.
    """
    for number, model in itertools.islice(enumerate(models(seed, begin)), done, done + more + 1):
        if model == now:
            return number
    raise Lost(f"{what}: after {done} acknowledged steps the session is in another state")


def nothing() -> Model:
    """Return what a new session is."""
    return {}, {}
