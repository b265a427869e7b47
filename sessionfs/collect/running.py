"""Running a command in a session: with the session as its current one, and a record of what it did."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import NamedTuple

from sessionfs.api import Block, Session
from sessionfs.artifacts import text_of
from sessionfs.collect.collector import CollectingThread, Collector
from sessionfs.collect.passing import Passing, Show
from sessionfs.correlation import current, environment
from sessionfs.errors import Denied, Error, NotFound
from sessionfs.events import callers

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

# What a terminal sends at a key, to everything in the foreground: the command has it already.
_AT_A_KEY = (signal.SIGINT, signal.SIGQUIT)

_SIGNALLED = 128  # as a shell: plus the signal's number

Complain = Callable[[str], None]


class NoCommand(NotFound):
    """There is no such command."""


class NotExecutable(Denied):
    """The command is no program that can be run."""


class Shown(NamedTuple):
    """Where what the command writes is shown."""

    stdout: Show
    stderr: Show


def run(
    session: Session,
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    shown: Shown,
    complain: Complain,
    collector: Collector | None = None,
    finish: bool = False,
) -> int:
    """Run *command*, and return its exit code: 128 plus the signal's number if a signal ended it.

    Its environment names the session, the store and the context, so that ``@`` in it means the session, and what it
    records names the run as its cause. Start, exit code and duration are recorded, and what it writes to its standard
    output and standard error becomes artifacts. On the main thread, signals are passed on to it.

    Args:
        complain: Called with what could not be recorded once the command runs: what counts then is its exit code.
        collector: Collects a directory before, while and after it runs.
        finish: Complete the session if the exit code is 0, and let it fail otherwise, or if it turned out that the
            command cannot be run.

    Raises:
        NoCommand: Nothing was recorded.
        NotExecutable: Nothing was recorded, if that could be seen; else that it was to run, and why it did not.
        Error: It was not run, because what comes before could not be recorded.
    """
    _check_command(command[0], env, cwd)
    said = {"command": [text_of(word) for word in command], "directory": text_of(os.path.abspath(cwd))}
    name = text_of(os.path.basename(command[0]))
    code: int | None = None
    try:
        with contextlib.ExitStack() as stack:
            if collector is not None:
                stack.enter_context(collector)
            block = stack.enter_context(session.workflow(name, said))
            with _collecting(collector, complain):
                code = _run_in(block, session, command, env, cwd, shown, complain)
            if code:
                block.say(callers.ERROR_TYPE, "exit")
                block.say(callers.ERROR_MESSAGE, _describe(name, code))
        if finish and code == 0:
            session.complete()
        elif finish:
            session.fail(_describe(name, code))
    except NotExecutable as failure:
        if finish:
            session.fail(str(failure))
        raise
    except (Error, OSError) as failure:
        if code is None:
            raise
        complain(str(failure))
    return code


def _check_command(name: str, env: Mapping[str, str], cwd: str) -> None:
    path = os.path.join(cwd, name) if "/" in name else shutil.which(name, path=env.get("PATH", os.defpath))
    if path is None or not os.path.exists(path):
        raise NoCommand(f"there is no command {name}; write its path, or see $PATH")
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise NotExecutable(f"{name} cannot be run: it is no program, or you may not execute it; see chmod +x")


@contextlib.contextmanager
def _collecting(collector: Collector | None, complain: Complain) -> Iterator[None]:
    """Collect while this lasts, and what is left at its end."""
    if collector is None:
        yield
        return
    thread = CollectingThread(collector)
    thread.start()
    try:
        yield
    finally:
        try:
            thread.join()
            collector.take_in(is_last=True)
        except (Error, OSError) as failure:
            complain(str(failure))


def _run_in(
    block: Block,
    session: Session,
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    shown: Shown,
    complain: Complain,
) -> int:
    context = current()
    assert context is not None and context.cause is not None  # the record that it begins
    place = f"runs/{context.cause.rpartition(':')[2]}"
    streams = {name: Passing(session, f"{place}/{name}", show) for name, show in zip(Shown._fields, shown, strict=True)}
    own = {"SESSIONFS_STORE": session.store.path, "SESSIONFS_SESSION": session.id}
    with contextlib.ExitStack() as started, _Signals() as signals:
        try:
            process = _start(command, {**env, **environment(), **own}, cwd, streams)
        finally:
            for stream in streams.values():
                stream.start()
                started.callback(stream.finish)
        signals.pass_on_to(process)
        returncode = process.wait()
    for stream in streams.values():
        if stream.failure is not None:
            complain(f"{stream.path} is not kept: {stream.failure}")
    block.result = {"exit_code": returncode} | {
        name: stream.path for name, stream in streams.items() if stream.failure is None
    }
    return returncode if returncode >= 0 else _SIGNALLED - returncode


def _start(
    command: Sequence[str], env: Mapping[str, str], cwd: str, streams: Mapping[str, Passing]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=env, cwd=cwd, stdout=streams["stdout"].fd, stderr=streams["stderr"].fd)
    except OSError as failure:
        raise NotExecutable(f"{command[0]} cannot be run: {failure.strerror or failure}") from failure


def _describe(name: str, code: int) -> str:
    if code > _SIGNALLED and code - _SIGNALLED in set(signal.Signals):
        return f"{name} was ended by {signal.Signals(code - _SIGNALLED).name}"
    return f"{name} ended with exit code {code}"


class _Signals:
    """Passes signals on to a process; a context manager."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python handles none
            for number in _PASSED_ON:
                if signal.getsignal(number) is not signal.SIG_IGN:  # which the command ignores, too
                    self._stack.callback(signal.signal, number, signal.signal(number, self._handle))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what comes, and what has come already."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in _AT_A_KEY and _is_in_foreground():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _is_in_foreground() -> bool:
    """Say whether the terminal's keys reach this process, and with it the command."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)
