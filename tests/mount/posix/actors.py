"""One process for each user: it takes calls through a pipe, does them with that user's ids, and answers.

Started as ``python actors.py uid gid group…`` by root, who may read everything that Python has to import.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
from typing import IO, Any, NamedTuple

from verbs import VERBS

PATIENCE_SECONDS = 60.0
_END_SECONDS = 5.0
_LENGTH = struct.Struct("=I")


class User(NamedTuple):
    """Whose ids a process has."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


class Failed(NamedTuple):
    """What a call that failed answers."""

    number: int


class Died(Exception):
    """A process gives no answer."""


class Actor:
    """The test's end of one process."""

    def __init__(self, user: User) -> None:
        self.user = user
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", __file__, str(user.uid), str(user.gid), *map(str, user.groups)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)},
        )

    def call(self, verb: str, *arguments: object) -> object:
        """Return what a call returned, or :class:`Failed`.

        Raises:
            Died: There is no answer in time.
        """
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            _send(process.stdin, (verb, arguments))
        except BrokenPipeError:
            raise Died(f"the process of {self.user.name} has ended before {verb}{arguments}") from None
        if not select.select([process.stdout], [], [], PATIENCE_SECONDS)[0]:
            raise Died(f"{self.user.name} has been in {verb}{arguments} for {PATIENCE_SECONDS:.0f} seconds")
        answer = _receive(process.stdout)
        if answer is None:
            raise Died(f"the process of {self.user.name} has ended in {verb}{arguments}")
        done, value = answer
        if done == "failed":
            return Failed(value)
        if done == "broken":
            raise Died(value)
        return value

    def end(self) -> None:
        """Let it close everything and end; one that hangs is killed, and left behind if even that does nothing."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            return
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)


def _send(file: IO[bytes], message: object) -> None:
    data = pickle.dumps(message)
    file.write(_LENGTH.pack(len(data)) + data)
    file.flush()


def _receive(file: IO[bytes]) -> tuple[str, Any] | None:
    head = file.read(_LENGTH.size)
    return pickle.loads(file.read(_LENGTH.unpack(head)[0])) if len(head) == _LENGTH.size else None


def _serve(uid: int, gid: int, groups: list[int]) -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a program prints is no answer
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    while (request := _receive(requests)) is not None:
        verb, arguments = request
        try:
            answer = "done", VERBS[verb](*arguments)
        except OSError as failure:
            answer = ("failed", failure.errno) if failure.errno else ("broken", repr(failure))
        except Exception as failure:
            answer = "broken", f"{verb}{arguments}: {failure!r}"
        _send(answers, answer)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]), [int(word) for word in sys.argv[3:]])
