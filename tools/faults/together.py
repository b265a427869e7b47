"""Eight processes at once on one store: programs, the command line and a mount."""

from __future__ import annotations

from pathlib import Path

import together as tests

from faults.mounting import Mount, missing
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import make_store, open_after

_COUNT = 100  # operations of each process
_SESSIONS = [f"s{number}" for number in range(8)]


def work_together(trial: Trial, outcome: Outcome, *, prelude: str = "") -> None:
    """Let eight processes work on one session, and on eight, in turn."""
    for number in trial.rounds():
        place = trial.place()
        sessions = _SESSIONS if number % 2 else _SESSIONS[:1]
        make_store(place / "s", "relaxed", sessions)
        (place / "m").mkdir()
        mount = Mount(place / "s", place / "m")
        try:
            processes = tests.start(place / "s", place / "m", _COUNT, sessions, prelude=prelude)
            failures = [process.communicate()[1].decode() for process in processes]
        finally:
            mount.stop()
        outcome.injected += len(processes) * _COUNT
        _look(place / "s", outcome, sessions, [text for text in failures if text])


def _look(path: Path, outcome: Outcome, sessions: list[str], failures: list[str]) -> None:
    try:
        tests.look(open_after(path, outcome), _COUNT, sessions)
    except Exception as failure:
        raise Lost(f"eight processes on {len(sessions)} sessions: {failure!r}"[:300]) from failure
    if failures:
        raise Lost(f"eight processes on {len(sessions)} sessions: one fails: {failures[0].splitlines()[-1]}")


# Nobody keeps anybody out.
_NO_LOCKS = """
from sessionfs.durable import OsDisk
OsDisk.lock = staticmethod(lambda fd, what: None)
OsDisk.unlock = staticmethod(lambda fd: None)
"""


def together(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what many processes at once came to."""
    outcome = Outcome("8 processes at once on 1 session and on 8 (operations)")
    outcome.missing = missing() or ""
    if outcome.missing:
        return outcome
    attempt(outcome, trial, work_together)

    def inject(trial: Trial, outcome: Outcome) -> None:
        work_together(trial, outcome, prelude=_NO_LOCKS)

    control(outcome, control_trial, "logs are not locked", inject)
    return outcome
