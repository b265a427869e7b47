"""Power cuts and failing calls of the real code, on a disk in memory that keeps only what was synced."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import test_crash_machine
import test_failing_call
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.outcome import Lost, Outcome, Trial, attempt, control
from sessionfs.durable import Mode
from sessionfs.durable import unsynced as unsynced_module
from sessionfs.store.store import Store
from sessionfs.store.suspicion import Settled, _Settling

_EXAMPLES = 10  # at a time: about a second
_STEPS = 40


@contextlib.contextmanager
def _skeleton(mode: str) -> Iterator[str]:
    """Give what a store has on a real disk: its format and configuration."""
    directory = Path(tempfile.mkdtemp(prefix="sessionfs-skeleton-"))
    try:
        Store.create(str(directory / "s"))
        (directory / "s" / "config.toml").write_text(f'[durability]\nmode = "{mode}"\n')
        yield str(directory / "s")
    finally:
        shutil.rmtree(directory)


def cut_power(trial: Trial, outcome: Outcome) -> None:
    """Cut the power at any moment of any operation of two processes; any part of what was not synced survives."""

    class Machine(test_crash_machine.CrashMachine):
        def check_after_cut(self, *args: Any, **named: Any) -> None:
            outcome.injected += 1
            super().check_after_cut(*args, **named)

    for number in trial.rounds():
        with _skeleton(("relaxed", "full")[number % 2]) as path:
            Machine.path = path
            _run(Machine, trial.numbers.getrandbits(32))


def _run(machine: Any, seed: int) -> None:
    from hypothesis import seed as seeded

    chosen = settings(
        max_examples=_EXAMPLES,
        stateful_step_count=_STEPS,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        with contextlib.redirect_stdout(None):
            run_state_machine_as_test(seeded(seed)(machine), settings=chosen)
    except Exception as failure:
        raise Lost(f"seed {seed}: {str(failure).splitlines()[0] if str(failure) else failure!r}") from failure


def fail_calls(trial: Trial, outcome: Outcome) -> None:
    """Let one call to the disk fail: EIO, no space, read-only, half a write; a failed sync loses what it was for."""
    for _ in trial.rounds():
        operation = trial.numbers.choice(test_failing_call.OPERATIONS)
        mode = trial.numbers.choice(list(Mode))
        number = trial.numbers.choice([*test_failing_call.KINDS, None])
        checks: Callable[..., None] = (
            test_failing_call.test_a_short_write_is_gone_on_with
            if number is None
            else test_failing_call.test_a_failing_call_is_an_error_of_its_kind
        )
        outcome.injected += len(test_failing_call.call_numbers(operation, mode))
        try:
            checks(operation, mode, *([] if number is None else [number]))
        except Exception as failure:
            raise Lost(f"{operation.__name__} in {mode.value} mode, {number}: {failure!r}"[:300]) from failure


def power_cuts(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what simulated power cuts came to."""
    outcome = Outcome("simulated power cut")
    attempt(outcome, trial, cut_power)
    with mock.patch.object(_Settling, "run", lambda self: Settled(None)):
        control(outcome, control_trial, "what a cut left is not looked for at the next start", cut_power)
    return outcome


def failing_calls(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what failing calls came to."""
    outcome = Outcome("failing call (EIO, ENOSPC, EROFS, short write, lost fsync)")
    attempt(outcome, trial, fail_calls)

    def believe(disk: Any, path: str) -> None:
        """Try a sync again that has failed, as if that would help."""

    with (
        mock.patch.object(unsynced_module, "write_file_again", believe),
        mock.patch.object(unsynced_module, "write_log_again", believe),
    ):
        control(outcome, control_trial, "a sync that failed is believed the next time", fail_calls)
    return outcome
