"""SIGKILL at the n-th system call of a verb that changes something, of the installed command line: n = 1, 2, 3, …"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from faults import commands
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import SESSION, check_whole, make_store, open_after

# Those that Python makes at its start are counted too; there are few of these.
_CALLS = (
    "write", "pwrite64", "pwritev", "linkat", "rename", "renameat2", "unlink", "mkdir", "fsync", "fdatasync", "flock",
    "ftruncate", "utimensat",
)  # fmt: skip
_TEXT = "a line of text\n" * 2000

VERBS: tuple[tuple[tuple[str, ...], bytes], ...] = (
    (("session", "create", "--id", "new", "--tag", "t"), b""),
    (("artifact", "put", SESSION, "-", "--as", "a/b/small"), b"small"),
    (("artifact", "put", SESSION, "-", "--as", "large"), _TEXT.encode()),
    (("artifact", "put", SESSION, "-", "--as", "file"), b"another version"),
    (("artifact", "mv", SESSION, "file", "d/moved"), b""),
    (("artifact", "cp", SESSION, "file", "copied"), b""),
    (("artifact", "rm", SESSION, "file"), b""),
    (("artifact", "set", SESSION, "file", "--description", "words"), b""),
    (("state", "set", SESSION, "key", "3"), b""),
    (("state", "set", SESSION, "long", "-", "--string"), _TEXT.encode()),
    (("session", "save", SESSION), b""),
    (("session", "update", SESSION, "--name", "New"), b""),
    (("session", "suspend", SESSION), b""),
    (("session", "complete", SESSION), b""),
    (("session", "delete", SESSION), b""),
    (("use", SESSION), b""),
    (("record", SESSION, "custom.event", "--data", '{"a":1}'), b""),
    (("hash-object", "-w", "--stdin"), b"content"),
    (("sync",), b""),
)
"""Verbs that change something, and their standard input."""


def kill_at_calls(
    trial: Trial,
    outcome: Outcome,
    *,
    program: tuple[str, ...] = commands.SESSIONFS,
    calls: Sequence[str] = _CALLS,
    verbs: Sequence[tuple[tuple[str, ...], bytes]] = VERBS,
) -> None:
    """Kill each verb at each call, one after the other; see what is left; do it again."""
    template = trial.place() / "s"
    make_store(template, "relaxed")
    commands.run(template, "artifact", "put", SESSION, "-", "--as", "file", stdin=b"1")
    chances = [(verb, stdin, call) for verb, stdin in verbs for call in calls]
    trial.numbers.shuffle(chances)
    for number in trial.rounds():
        verb, stdin, call = chances[number % len(chances)]
        _sweep(trial, outcome, template, verb, stdin, call, program)


def _sweep(
    trial: Trial,
    outcome: Outcome,
    template: Path,
    verb: tuple[str, ...],
    stdin: bytes,
    call: str,
    program: tuple[str, ...],
) -> None:
    when = 0
    was_killed = True
    while was_killed:
        when += 1
        store = trial.place() / "s"
        shutil.copytree(template, store, symlinks=True)
        filters = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}")
        strace = ("strace", "-f", "-qq", "-o", "/dev/null", *filters)
        process = commands.start(store, *verb, prefix=strace, program=program, stdin=stdin)
        process.communicate()
        was_killed = process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        outcome.injected += was_killed
        what = f"{' '.join(verb)} killed at {call} {when}"
        check_whole(open_after(store, outcome), what)
        if was_killed:
            try:
                commands.run(store, *verb, stdin=stdin)
            except RuntimeError as failure:
                raise Lost(f"{what}: {failure}") from failure
            check_whole(open_after(store, outcome), f"{what}, and done again")
        shutil.rmtree(store.parent)


# Names an object before its content is there.
_NAMED_FIRST = """
import os, sys
from sessionfs.objects import files

def publish(disk, unsynced, mode, data, target, *, staging, replace=False):
    fd = os.open(target, os.O_WRONLY | os.O_CREAT, 0o444)
    for part in (data[: len(data) // 2], data[len(data) // 2 :]):
        os.write(fd, part)
    os.close(fd)
    return True

files.publish = publish
from sessionfs.cli import main_process
main_process()
"""


def traced_kills(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what kills at system calls came to."""
    outcome = Outcome("SIGKILL at the n-th system call of a command (strace)")
    if shutil.which("strace") is None:
        outcome.missing = "there is no strace"
        return outcome
    attempt(outcome, trial, kill_at_calls)
    script = control_trial.directory / "named_first.py"
    script.write_text(_NAMED_FIRST)

    def inject(trial: Trial, outcome: Outcome) -> None:
        puts = [verb for verb in VERBS if verb[0][:2] == ("state", "set")]
        kill_at_calls(trial, outcome, program=(commands.SESSIONFS[0], str(script)), calls=["write"], verbs=puts)

    control(outcome, control_trial, "objects get their names before their content", inject)
    return outcome
