"""SIGKILL of commands that change much - gc, repack, repair and their like - at random moments.

A command runs in a forked child of this process, which has everything imported, so that the moments lie in its work and
not in the start of Python. It leads a process group of its own, and is killed with all that it has started.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from faults.commands import environment
from faults.outcome import Lost, Outcome, Trial, attempt, control
from faults.work import SESSION, check_whole, make_store, models, open_after, read_model
from sessionfs.cli import main
from sessionfs.store.store import Store

_SMALL_COUNT = 60
_STEPS_SEED, _STEPS_COUNT = 11, 40
# These stand for paths in the words of a command.
_HERE = "the store itself"
_CLEAN = "a clean copy"
_MADE = "what it makes"  # another store, beside the one that it is about

State = Mapping[tuple[str, str], object]
"""What is in a store: by session and artifact or key."""


class Job(NamedTuple):
    """Something that is killed.

    Attributes:
        run: Does it to the store at its argument; None: the command line *words*.
        damage: Makes the store such that there is something to do; what it damages is not looked at after the kill.
    """

    name: str
    words: tuple[str, ...] = ()
    run: Callable[[Path], object] | None = None
    damage: Callable[[Path], None] | None = None


def _flip(store: Path) -> None:
    """Damage a third of the objects: a flipped bit, nothing left, gone."""
    objects = sorted(path for path in (store / "objects").rglob("*") if path.is_file() and path.parent.name != "pack")
    for number, path in enumerate(objects[::3]):
        content = bytearray(path.read_bytes())
        path.unlink()
        if number % 3 == 0 and content:
            content[len(content) // 2] ^= 4
            path.write_bytes(content)
        elif number % 3 == 1:
            path.write_bytes(b"")


JOBS = (
    Job("gc", ("gc", "--grace", "0s")),
    Job("repack", ("repack",)),
    Job("backup", ("backup", "create", _MADE)),
    Job("clone", ("clone", _HERE, _MADE)),
    Job("fsck --repair", ("fsck", "--repair", "--from", _CLEAN, "--jobs", "1"), damage=_flip),
    Job("artifact put of a directory", ("artifact", "put", SESSION, _CLEAN, "--as", "tree")),
    Job("artifact rm -r", ("artifact", "rm", "-r", SESSION, "small")),
    Job("restore", ("restore", SESSION, "before")),
    Job("fork", ("fork", SESSION, "--id", "child")),
    Job("session delete", ("session", "delete", SESSION)),
    Job("trash empty", ("trash", "empty")),
)


def kill_commands(trial: Trial, outcome: Outcome, *, jobs: tuple[Job, ...] = JOBS) -> None:
    """Kill each at a random moment; see what is left; do it again; see what that came to."""
    template = trial.place() / "s"
    _make_template(template)
    tried: dict[str, tuple[float, State]] = {}
    for number in trial.rounds():
        job = jobs[number % len(jobs)]
        if job.name not in tried:
            tried[job.name] = _try_undisturbed(trial, job, template)
        seconds, after = tried[job.name]
        store = _copy(trial, job, template)
        child = _start(job, store, template)
        time.sleep(trial.numbers.random() * seconds * 1.1)
        was_killed = _end(child)
        outcome.injected += was_killed
        what = f"{job.name} was killed"
        left = open_after(store, outcome)
        if job.damage is None:
            check_whole(left, what)
            _check_between(_state(template), after, _state(store), what)
        left.close()
        if was_killed:
            _wait(_start(job, store, template))
            check_whole(Store(str(store)), f"{what}, and done again")
            if _state(store) != after:
                raise Lost(f"{what}, and done again, and the store is not what it was without a kill")
            made = _made(store)
            if made.exists():
                check_whole(Store(str(made)), f"{what}, and done again: {made.name}")
                if _state(made) != after:
                    raise Lost(f"{what}, and done again, and what it makes is not what the store is")
        shutil.rmtree(store.parent)


def _make_template(path: Path) -> None:
    make_store(path, "relaxed")
    with (path / "config.toml").open("a") as file:
        file.write('[retention]\ntrash_grace = "0s"\n')
    store = Store(str(path))
    *_, model = (model for model, _ in zip(models(_STEPS_SEED), range(_STEPS_COUNT), strict=False))
    session = store.session(SESSION)
    for name, content in model[0].items():
        session.artifacts.put(name, store.objects.put_bytes(content))
    for number in range(_SMALL_COUNT):
        session.artifacts.put(f"small/{number % 7}/{number}", store.objects.put_bytes(b"%d small\n" % number * 30))
        store.objects.put_bytes(b"%d is needed by nobody\n" % number * 30)
    store.create_session(session_id="deleted").artifacts.put("f", store.objects.put_bytes(b"of a deleted session"))
    store.delete_session("deleted")
    store.close()
    for words in (
        ("checkpoint", SESSION, "before"),
        ("state", "set", SESSION, "key", "2"),
        ("artifact", "rm", SESSION, "small/1/1"),
    ):
        if _call(path, words) != 0:
            raise RuntimeError(f"{words} fails")


def _copy(trial: Trial, job: Job, template: Path) -> Path:
    store = trial.place() / "s"
    shutil.copytree(template, store, symlinks=True)
    if job.damage is not None:
        job.damage(store)
    return store


def _try_undisturbed(trial: Trial, job: Job, template: Path) -> tuple[float, State]:
    """Return how long it takes, and what is in the store afterwards."""
    store = _copy(trial, job, template)
    begin = time.monotonic()
    code = _wait(_start(job, store, template))
    seconds = time.monotonic() - begin
    if code != 0:
        raise Lost(f"{job.name} ends with {code}")
    check_whole(Store(str(store)), job.name)
    after = _state(store)
    shutil.rmtree(store.parent)
    return seconds, after


# Processes


def _start(job: Job, store: Path, template: Path) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            code = _run(job, store, template)
        finally:
            os._exit(code)
    return pid


def _run(job: Job, store: Path, template: Path) -> int:
    if job.run is not None:
        job.run(store)
        return 0
    paths = {_HERE: str(store), _CLEAN: str(template), _MADE: str(_made(store))}
    return _call(store, [paths.get(word, word) for word in job.words])


def _made(store: Path) -> Path:
    return store.parent / "made"


def _call(store: Path, words: object) -> int:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3)]
    code: int = main(words, environment(store), *streams, cwd=str(store.parent))  # type: ignore[arg-type]
    return code


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _end(pid: int) -> bool:
    """Kill a command with all that it has started, unless it has ended; say whether."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not come so far
        os.kill(pid, signal.SIGKILL)
    return _wait(pid) == -signal.SIGKILL


# What is there


def _state(path: Path) -> State:
    """Return all that is in a store; every byte is read and checked."""
    store = Store(str(path))
    found: dict[tuple[str, str], object] = {}
    for session_id in store.session_ids():
        files, values = read_model(store, str(path), session_id)
        found[session_id, ""] = True
        found |= {(session_id, f"artifact {name}"): content for name, content in files.items()}
        found |= {(session_id, f"key {name}"): value for name, value in values.items()}
    store.close()
    return found


def _check_between(before: State, after: State, now: State, what: str) -> None:
    """Check that everything is as it was before, or as it is when the command is done."""
    for name in {*before, *after, *now}:
        if now.get(name) not in (before.get(name), after.get(name)):
            raise Lost(f"{what}: {' '.join(name)} is neither what it was nor what it should become")


def _repack_the_wrong_way(path: Path) -> None:
    """Remove the small objects, and write them again."""
    store = Store(str(path))
    contents = []
    for file in [file for file in store.objects.list() if file.kind == "blob"]:
        contents.append(store.objects.read(file.oid))
        os.unlink(file.path)
    for content in contents:
        store.objects.put_bytes(content)


def killed_commands(trial: Trial, control_trial: Trial) -> Outcome:
    """Return what kills of commands came to."""
    outcome = Outcome("SIGKILL of gc, repack, repair, backup, put, restore, …")
    attempt(outcome, trial, kill_commands)

    def inject(trial: Trial, outcome: Outcome) -> None:
        kill_commands(trial, outcome, jobs=(Job("repack", run=_repack_the_wrong_way),))

    control(outcome, control_trial, "objects are removed before the packs that have them are written", inject)
    return outcome
