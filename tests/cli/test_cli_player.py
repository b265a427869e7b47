"""``replay`` at a terminal: a real one, as the kernel gives it to programs (pty), with keys pressed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

import sessionfs

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60

RIGHT, LEFT, UP, DOWN = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B"

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Player:
    """A process at a terminal of its own."""

    def __init__(self, store: Path, *words: str, columns: int = 120, shell: str = 'exec "$@"') -> None:
        self._master, self._slave = os.openpty()
        termios.tcsetwinsize(self._slave, (24, columns))
        self.found = termios.tcgetattr(self._slave)
        env = {**os.environ, "SESSIONFS_STORE": str(store), "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", sys.executable, "-m", "sessionfs", "replay", *words],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.raw = ""
        self._seen = 0  # how much of it has been waited for

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def read(self, text: str) -> str:
        """Read on until *text* has been shown; return what came until then."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (at := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown[self._seen :]!r}"
            if select.select([self._master], [], [], 1)[0]:
                with contextlib.suppress(OSError):  # the last one has closed it
                    self.raw += os.read(self._master, 4096).decode()
        start, self._seen = self._seen, at + len(text)
        return self.shown[start : self._seen]

    @property
    def shown(self) -> str:
        """What was shown, without what moves the cursor."""
        return _ESCAPES.sub("", self.raw)

    def end(self) -> int:
        """Wait for the process to end; return its exit code, when the terminal is as it was found."""
        code = self.process.wait(PATIENCE_SECONDS)
        while select.select([self._master], [], [], 0)[0]:
            self.raw += os.read(self._master, 4096).decode()
        assert termios.tcgetattr(self._slave) == self.found
        assert self.raw.rfind("\x1b[?25h") > self.raw.rfind("\x1b[?25l")  # the cursor is seen again
        return code

    def close(self) -> None:
        """End it, if it goes on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def store(tmp_path):
    """A store with a session: 0 created, 1 put, 2 state, 3 error, 4 state; 50 ms between 2 and 3."""
    with sessionfs.open(tmp_path / "runs", create=True, background_sync=False) as store:
        session = store.sessions.create(id="q4")
        session.artifacts.put("a.txt", b"one")
        session.state["step"] = 1
        time.sleep(0.05)
        session.error("E1", "no such table")
        session.state["step"] = 2
    return tmp_path / "runs"


@pytest.fixture
def play(store):
    """Starts players, and ends them after the test."""
    players = []

    def play(*words: str, **options: Any) -> Player:
        players.append(Player(store, *words, **options))
        return players[-1]

    yield play
    for player in players:
        player.close()


def test_it_pauses_at_failures_and_goes_on_with_space(play):
    player = play("q4")
    player.read("no such table")
    assert "q4:4" not in player.read("paused: it failed")
    player.press(" ")
    player.read("q4:4")
    player.read("at the end")
    player.press(" ")
    player.read("nothing is left to play")
    player.press("q")
    assert player.end() == 0


def test_arrows_step_and_change_the_speed(play):
    player = play("q4", "--step")
    assert "q4:" not in player.read("paused  1x  -1 of 4")
    player.press(RIGHT)
    player.read("0 of 4")
    player.press(RIGHT + RIGHT)
    player.read("2 of 4")
    player.press("s")
    player.read("the state at q4@{2}: 1")
    player.read("step = 1")
    player.press("a")
    player.read("a.txt  3 B")
    player.press(LEFT)
    player.read("-- q4@{1}")
    player.press(UP + UP)
    player.read("5x")
    player.press(DOWN * 4)
    player.read("0.2x")
    player.press("\r")
    player.read('"type": "artifact.stored"')
    player.press("0$")
    player.read("at the end")
    player.press("q")
    assert player.end() == 0


def test_it_goes_to_moments_and_events(play):
    player = play("q4", "--step")
    player.read("paused")
    player.press("g3\r")
    player.read("-- q4@{3}")
    player.press("g1x\x7f\r")
    player.read("-- q4@{1}")
    player.press("g99\r")
    player.read("session q4 has no record 99 yet")
    player.press("gnonsense\x1b")
    player.read("1 of 4")
    player.press("/state.*\r")
    player.read("-- q4@{2}")
    player.press("/custom.x\r")
    player.read("no event ahead is custom.x")
    player.press("e")
    player.read("-- q4@{3}")
    player.press("z")
    player.read("z does nothing")
    player.press("?")
    player.read("quit")
    player.press("q")
    assert player.end() == 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda player: player.press("\x03"), 130),
        (lambda player: player.process.send_signal(signal.SIGTERM), 128 + signal.SIGTERM),
        (lambda player: player.process.send_signal(signal.SIGHUP), 128 + signal.SIGHUP),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_the_terminal_is_as_it_was_however_it_ends(play, end, code):
    player = play("q4", "--step")
    player.read("paused")
    assert termios.tcgetattr(player._slave) != player.found
    end(player)
    assert player.end() == code


def test_the_terminal_is_as_it_was_after_an_error(play, store):
    player = play("q4", "--step")
    player.read("paused")
    with sessionfs.open(store) as opened:
        opened.sessions["q4"].delete()
    player.press(RIGHT)
    player.read("there is no session 'q4'")
    player.press("q")
    assert player.end() == 0


def test_the_terminal_is_as_it_was_while_it_is_stopped(play):
    player = play("q4", "--step", shell='set -m; "$@"; echo in the shell; read line; fg')
    player.read("paused")
    player.press("\x1a")
    player.read("in the shell")
    assert termios.tcgetattr(player._slave) == player.found
    player.press("\n")
    player.read("stopped meanwhile")
    assert termios.tcgetattr(player._slave) != player.found
    player.press(RIGHT)
    player.read("0 of 4")
    player.press("q")
    assert player.end() == 0


def test_the_line_below_fits_a_narrow_terminal(play):
    player = play("q4", "--step", columns=20)
    player.read("paused")
    player.press("gq")
    player.read("q_")
    assert all(len(line) < 20 for line in re.split(r"[\r\n]+", player.shown) if line.startswith(("paused", "go")))
    player.press("\x1bq")
    assert player.end() == 0
