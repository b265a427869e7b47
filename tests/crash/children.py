"""Children of a process that is ready, so that each begins at once: they do one round after the other until killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

_PROGRAM = """
import itertools, os, sys, sessionfs
{imports}
for line in sys.stdin:
    word = line.strip()
    pid = os.fork()
    if pid == 0:
{begin}
        os.write(1, b"%d\\n" % os.getpid())
        for turn in itertools.count():
{round}
            os.write(1, b".\\n")
    os.waitpid(pid, 0)
    os.write(1, b"ended\\n")
"""


class Children:
    """The process that makes them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def kill_one(self, rounds: int, seconds: float, word: str = "") -> None:
        """Let a child begin, and kill it once it has done so many rounds, and a while has passed.

        Args:
            word: What the program sees as ``word``.
        """
        tell, told = self._process.stdin, self._process.stdout
        assert tell is not None and told is not None
        tell.write(f"{word}\n")
        pid = int(told.readline())
        for _ in range(rounds):
            assert told.readline() == ".\n"
        time.sleep(seconds)  # where it hits is left to chance
        os.kill(pid, signal.SIGKILL)
        while told.readline() != "ended\n":
            pass


@contextlib.contextmanager
def children(begin: str, round: str, *arguments: object, imports: str = "", **environment: str) -> Iterator[Children]:
    """Give what makes children.

    Args:
        begin: What each does first, as Python.
        round: What it does in each round, which has a number, ``turn``.
        arguments: What stands in ``sys.argv`` from its second place on.
        imports: What is imported before the first one.
    """
    program = _PROGRAM.format(
        imports=imports,
        begin=textwrap.indent(textwrap.dedent(begin), " " * 8),
        round=textwrap.indent(textwrap.dedent(round), " " * 12),
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, **environment},
    ) as process:
        yield Children(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
