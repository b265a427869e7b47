"""The player: a replay at a terminal, driven by single keys.

Events scroll by as lines, as ``events`` prints them; below them stands one line that says where it is. What has been
printed stays on the terminal afterwards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from sessionfs.cli import exits
from sessionfs.cli.call import Call
from sessionfs.cli.event_lines import write_event
from sessionfs.cli.exits import message_of, printable
from sessionfs.cli.keys import BACKSPACE, ENTER, ESCAPE
from sessionfs.cli.tables import human_size, human_time
from sessionfs.cli.terminal import Ended, Hangup, Terminal
from sessionfs.clock import NS_PER_SECOND
from sessionfs.errors import Error
from sessionfs.events.event import Event
from sessionfs.replay.condition import has_failed

if TYPE_CHECKING:
    from sessionfs.api import Replay

# How often the line below counts down.
_TICK_SECONDS = 0.2
_SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_USUAL_SIZE = (80, 24)
_KEYS_SHOWN = "space, arrows, g go, / find, ? keys, q quit"
_CLEAR_LINE = "\r\x1b[K"
_HANGUP = 128 + 1


def play(call: Call, replay: Replay, *, paused: bool) -> int:
    """Let somebody play *replay*; returns the exit code when they quit.

    Args:
        paused: Wait for a key before the first event.
    """
    player = _Player(call, replay)
    try:
        with Terminal(call.stdin.fileno(), player.write, player.come_back) as terminal:
            try:
                player.run(terminal, paused)
            finally:
                player.clear()
    except Ended as ended:
        return 128 + ended.number
    except Hangup:
        return _HANGUP
    return exits.YES


class _Prompt(NamedTuple):
    """A question in the line below, and what is done with the answer."""

    label: str
    answer: Callable[[str], None]


class _Player:
    """Somebody's terminal, and what they play."""

    def __init__(self, call: Call, replay: Replay) -> None:
        self._call = call
        self._replay = replay
        self._is_over = False
        self._is_drawn = False
        self._note = ""  # in the line below, until the next key
        self._prompt: _Prompt | None = None
        self._typed = ""
        replay.on("*", self._played)

    def run(self, terminal: Terminal, paused: bool) -> None:
        """Play until somebody quits."""
        if not paused:
            self._replay.play()
        while not self._is_over:
            if self._replay.advance() is not None:
                seconds: float | None = 0.0  # many events may be due at once: keys count in between
            else:
                self._draw()
                wait_ns = self._replay.wait_ns()
                seconds = None if wait_ns is None else min(_TICK_SECONDS, wait_ns / NS_PER_SECOND)
            for key in terminal.keys(seconds):
                self._press(key)

    def come_back(self) -> None:
        """Go on after Ctrl-Z: paused, because time went by."""
        self._replay.pause()
        self._is_drawn = False
        self._note = "stopped meanwhile"
        self._draw()

    # Writing

    def write(self, text: str) -> None:
        """Write to the terminal, at once."""
        self._call.out.text(text)
        self._call.out.flush()

    def clear(self) -> None:
        """Take the line below away."""
        if self._is_drawn:
            self._is_drawn = False
            self.write(_CLEAR_LINE)

    def _line(self, text: str) -> None:
        self.clear()
        self._call.out.text(text + "\n")

    def _draw(self) -> None:
        text = self._asked() if self._prompt is not None else self._where()
        self._is_drawn = True
        self.write(_CLEAR_LINE + text)

    def _asked(self) -> str:
        assert self._prompt is not None
        text = f"{self._prompt.label}: {printable(self._typed)}_"
        return text[-(self._size()[0] - 1) :]

    def _where(self) -> str:
        replay = self._replay
        event = replay.event
        word = "playing" if replay.is_playing else "at the end" if replay.is_at_end else "paused"
        parts = [
            word,
            f"{replay.speed:g}x",
            f"{replay.seq} of {replay.last}",
            "" if event is None else human_time(event.time),
            self._note or self._next(),
            _KEYS_SHOWN,
        ]
        return "  ".join(filter(None, parts))[: self._size()[0] - 1]

    def _next(self) -> str:
        wait_ns = self._replay.wait_ns()
        return "" if wait_ns is None else f"next in {wait_ns / NS_PER_SECOND:.1f} s"

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._call.stdin.fileno())
        except OSError:
            return _USUAL_SIZE
        return (size.columns, size.lines) if size.columns and size.lines else _USUAL_SIZE

    # Events

    def _played(self, event: Event) -> None:
        self.clear()
        write_event(self._call, event)
        if has_failed(event) and self._replay.is_playing:
            self._replay.pause()
            self._note = "paused: it failed"

    def _show_place(self) -> None:
        """Show where it is, after going there."""
        replay = self._replay
        event = replay.event
        self._line(
            self._call.out.colour("dim", f"-- {replay.session.id}@{{{replay.seq}}}" if event else "-- beginning")
        )
        if event is not None:
            write_event(self._call, event)

    # Keys

    def _press(self, key: str) -> None:
        self._note = ""
        try:
            if self._prompt is not None:
                self._type(self._prompt, key)
            elif key in _ACTIONS:
                _ACTIONS[key](self)
            else:
                self._note = f"{key} does nothing; ? shows the keys"
        except Error as failure:
            self._line(self._call.out.colour("red", message_of(failure)))

    def _type(self, prompt: _Prompt, key: str) -> None:
        if key == ENTER:
            typed, self._typed, self._prompt = self._typed.strip(), "", None
            if typed:
                prompt.answer(typed)
        elif key == ESCAPE:
            self._typed, self._prompt = "", None
        elif key == BACKSPACE:
            self._typed = self._typed[:-1]
        elif len(key) == 1:
            self._typed += key

    def _toggle(self) -> None:
        if self._replay.is_playing:
            self._replay.pause()
        elif self._replay.is_at_end:
            self._note = "nothing is left to play; left or home goes back"
        else:
            self._replay.play()

    def _step(self) -> None:
        self._replay.pause()
        self._replay.step()

    def _back(self) -> None:
        self._replay.pause()
        self._replay.back()
        self._show_place()

    def _rewind(self) -> None:
        self._replay.pause()
        self._replay.rewind()
        self._show_place()

    def _to_end(self) -> None:
        if not self._replay.is_at_end:
            self._go(str(self._replay.last))

    def _faster(self) -> None:
        self._replay.speed = next((speed for speed in _SPEEDS if speed > self._replay.speed), _SPEEDS[-1])

    def _slower(self) -> None:
        self._replay.speed = next((speed for speed in _SPEEDS[::-1] if speed < self._replay.speed), _SPEEDS[0])

    def _ask_where(self) -> None:
        self._prompt = _Prompt("go to (a number, a time, '10 minutes ago', a checkpoint)", self._go)

    def _ask_what(self) -> None:
        self._prompt = _Prompt("find (a type, type=GLOB, text=TEXT, path=GLOB, failed)", self._find)

    def _go(self, moment: str) -> None:
        self._replay.pause()
        self._replay.seek(moment)
        self._show_place()

    def _find(self, condition: str) -> None:
        found = self._replay.find(condition)
        if found is None:
            self._note = f"no event ahead is {printable(condition)}"
        else:
            self._go(str(found.seq))

    def _find_failure(self) -> None:
        self._find("failed")

    def _show_event(self) -> None:
        event = self._replay.event
        if event is not None:
            self._line(json.dumps(event.to_dict(), indent=2))

    def _show_state(self) -> None:
        values = self._replay.state.to_dict()
        self._list("the state", [f"{printable(key)} = {json.dumps(values[key])}" for key in values])

    def _show_artifacts(self) -> None:
        found = self._replay.artifacts.list()
        self._list("artifacts", [f"{printable(one.path)}  {human_size(one.size)}" for one in found])

    def _list(self, what: str, lines: list[str]) -> None:
        """Write as much of *lines* as the terminal can show."""
        columns, rows = self._size()
        place = f"{self._replay.session.id}@{{{self._replay.seq}}}"
        self._line(self._call.out.colour("bold", f"{what} at {place}: {len(lines) or 'nothing'}"))
        shown = lines[: max(1, rows - 4)]
        for line in shown:
            self._line(f"  {line}"[:columns])
        if len(shown) < len(lines):
            self._line(f"  … and {len(lines) - len(shown)} more")

    def _help(self) -> None:
        for keys, what in _HELP:
            self._line(f"  {keys:14}  {what}")

    def _quit(self) -> None:
        self._is_over = True


_HELP = (
    ("space", "play, pause"),
    ("right, left", "one event on, one back; n, p"),
    ("up, down", "faster, slower; +, -"),
    ("home, end", "to the beginning, to the end; 0, $"),
    ("g", "go to a moment"),
    ("/", "find the next event that is of a type, or fits a condition"),
    ("e", "the next failure"),
    ("enter", "the event in full"),
    ("s, a", "state and artifacts as they are here"),
    ("q", "quit"),
)

_ACTIONS: dict[str, Callable[[_Player], None]] = {
    " ": _Player._toggle,
    **dict.fromkeys(("right", "n"), _Player._step),
    **dict.fromkeys(("left", "p"), _Player._back),
    **dict.fromkeys(("up", "+"), _Player._faster),
    **dict.fromkeys(("down", "-"), _Player._slower),
    **dict.fromkeys(("home", "0"), _Player._rewind),
    **dict.fromkeys(("end", "$"), _Player._to_end),
    "g": _Player._ask_where,
    "/": _Player._ask_what,
    "e": _Player._find_failure,
    ENTER: _Player._show_event,
    "s": _Player._show_state,
    "a": _Player._show_artifacts,
    "?": _Player._help,
    "q": _Player._quit,
}
