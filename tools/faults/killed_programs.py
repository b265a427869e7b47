"""SIGKILL of programs that change sessions, several at once, at random moments: with an acknowledgement log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from faults.commands import environment
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import WRITER, Model, check_model, check_whole, make_store, nothing, open_after, read_model

_SESSIONS = ("one", "two", "three")
_MODES = ("relaxed", "full")
_KILLS_PER_STORE = 40  # then it is large, and checking takes longer than killing
_CHECKED_EVERY = 10  # by fsck, which reads everything
_MAX_STEPS = 20
_MAX_DELAY_SECONDS = 0.003


class Writer:
    """A process that forks a child for each seed; the child changes a session until it is killed."""

    def __init__(self, script: Path, store: Path, session_id: str) -> None:
        self.session_id = session_id
        self.model: Model = nothing()
        self.seed = 0
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(store), session_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment(store),
        )

    def begin(self, seed: int) -> None:
        """Let a child begin."""
        assert self._process.stdin is not None
        self.seed = seed
        self._process.stdin.write(f"{seed}\n")
        self._pid = self._read()

    def wait_for(self, count: int) -> None:
        """Return when the child has acknowledged *count* steps."""
        self._done = 0
        while self._done < count:
            self._take(self._read())

    def kill(self) -> None:
        """Kill the child."""
        os.kill(self._pid, signal.SIGKILL)

    def done(self) -> int:
        """Return how many steps the killed child had acknowledged."""
        while isinstance(word := self._read(), int):
            self._take(word)
        if word != f"ended by -{signal.SIGKILL.value}":
            raise Lost(f"a writer of session {self.session_id}, seed {self.seed}, {word} instead of by the kill")
        return self._done

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _take(self, word: Any) -> None:
        if word != self._done:
            raise Lost(f"a writer of session {self.session_id}, seed {self.seed}: {word}")
        self._done += 1

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def kill_programs(trial: Trial, outcome: Outcome, *, script: Path = WRITER) -> None:
    """Kill writers of three sessions of one store, at once, again and again."""
    for number in trial.rounds():
        store = trial.place() / "s"
        make_store(store, _MODES[number % 2], _SESSIONS)
        writers = [Writer(script, store, session_id) for session_id in _SESSIONS]
        try:
            for kills in range(_KILLS_PER_STORE):
                _kill(trial, outcome, store, writers, check_all=kills % _CHECKED_EVERY == 0)
                if time.monotonic() > trial.deadline:
                    break
        finally:
            for writer in writers:
                writer.close()


def _kill(trial: Trial, outcome: Outcome, store: Path, writers: list[Writer], *, check_all: bool) -> None:
    numbers = trial.numbers
    for writer in writers:
        writer.begin(numbers.getrandbits(32))
    waited_for = numbers.choice(writers)
    for writer in writers:
        writer.wait_for(numbers.randrange(_MAX_STEPS) if writer is waited_for else 0)
    time.sleep(numbers.random() * _MAX_DELAY_SECONDS)
    for writer in writers:
        writer.kill()
    outcome.injected += len(writers)
    done = [writer.done() for writer in writers]
    left = open_after(store, outcome)
    for writer, count in zip(writers, done, strict=True):
        what = f"a writer of session {writer.session_id} with seed {writer.seed} was killed after {count} steps"
        now = read_model(left, what, writer.session_id)
        check_model(now, writer.seed, count, what, begin=writer.model)
        writer.model = now
    if check_all:
        check_whole(left, "writers were killed")


# Says that a step is done, and then does it.
_TOO_EARLY = """
import os, sys
sys.path.insert(0, {directory!r})
import writer

def run(path, seed, session_id):
    store = writer.Store(path)
    session = store.session(session_id)
    model = writer.read_model(store, session_id)
    for number, step in enumerate(writer.steps(seed)):
        os.write(1, b"%d\\n" % number)
        writer.perform(session, model, step)
        writer.apply(model, step)

writer.run = run
writer.main()
"""


def killed_programs(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what kills of programs came to."""
    outcome = Outcome("SIGKILL of three programs at once")
    attempt(outcome, trial, kill_programs)
    script = control_trial.directory / "too_early.py"
    script.write_text(_TOO_EARLY.format(directory=str(WRITER.parent)))

    def inject(trial: Trial, outcome: Outcome) -> None:
        kill_programs(trial, outcome, script=script)

    control(outcome, control_trial, "a step is acknowledged before it is done", inject)
    return outcome
