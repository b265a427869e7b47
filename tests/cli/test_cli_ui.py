"""``ui``: the browser, driven by keys as a person does it, mostly by textual's own pilot, once at a real terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, Static

import sessionfs
from sessionfs.cli.drawing import Signs
from sessionfs.cli.timeline_picture import draw
from sessionfs.cli.ui import Verbs, marked, pieces
from sessionfs.ui.app import Browser
from sessionfs.ui.columns import Column
from sessionfs.ui.dialog import Dialog, Run
from sessionfs.ui.help import Help
from sessionfs.ui.lines import Lines
from sessionfs.ui.rows import Cell, Row
from sessionfs.ui.table import PAGE_ROWS, Table

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
LARGE, MIDDLE, SMALL = (160, 36), (100, 24), (80, 24)

HOSTILE = (
    "\x1b[2Jescape\x07", "new\nline\r", "[bold red]markup[/] [link=x]y[/link]", "\u202egnp.exe", "n" * 255,
    "stray\udcff", "עברית", "漢字" * 20, "a\u0301\u200d\ufe0f",
)  # fmt: skip


class Seat:
    """Somebody at the browser."""

    def __init__(self, app: Browser, pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until all have been taken."""
        for key in keys:
            self.app.simulate_key(key)
            await self._pilot.pause(0.001)
        await self._pilot.pause()

    async def click(self, selector: str, offset: tuple[int, int] = (0, 0), times: int = 1) -> None:
        """Click on a widget."""
        await self._pilot.click(selector, offset=offset, times=times)

    async def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.app.screen.post_message(events.Paste(text))
        await self._pilot.pause()

    async def see(self, *texts: str) -> str:
        """Wait until all of these are on the screen; return the screen."""
        return await self.wait(
            lambda: all(text in self.screen for text in texts), lambda: f"no {texts} in\n{self.screen}"
        )

    async def closed(self) -> None:
        """Wait until a command has run, and its dialog has gone."""
        await self.wait(lambda: not isinstance(self.app.screen, Dialog), lambda: self.screen)

    async def miss(self, text: str) -> str:
        """Wait until this is not on the screen."""
        return await self.wait(lambda: text not in self.screen, lambda: f"{text!r} is still in\n{self.screen}")

    async def wait(self, condition: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> str:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, explain()
            await asyncio.sleep(0.04)
        return self.screen

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def screen(self) -> str:
        """What is on the screen, as one text."""
        return "\n".join(self.lines)

    def table(self, name: str = "artifacts") -> Table:
        """A table of the main screen."""
        return self.app.main.query_one(f"#{name}-table", Table)


def browse(
    store: sessionfs.Store,
    cli: Any,
    steps: Callable[[Seat], Any],
    size: tuple[int, int] = LARGE,
    run: Run | None = None,
    **options: Any,
) -> Browser:
    """Let somebody do *steps* in the browser; verbs are called here, unless *run* runs them."""

    async def call(words: Sequence[str], _: asyncio.Event) -> tuple[int, str, str]:
        done = await asyncio.to_thread(cli, *words)
        return done.code, done.out, done.err

    def picture(timeline: Any, width: int) -> Any:
        return [pieces(line) for line in draw(timeline, width, Signs(is_unicode=True), marked)]

    app = Browser(store, run or call, picture, **options)

    async def seated() -> None:
        async with app.run_test(size=size) as pilot:
            await steps(Seat(app, pilot))

    asyncio.run(seated())
    return app


@pytest.fixture
def store(q4):
    with sessionfs.open(q4.store, background_sync=False) as store:
        yield store


@pytest.fixture
def filled(store):
    """A store with q4, in which there is something of everything, and two sessions more."""
    session = store.sessions["q4"]
    session.artifacts.put("notes.md", "# Title\n", tags=["draft"])
    session.artifacts.put("data/rows.json", {"rows": [1, 2]}, type="tool_result")
    for number in range(3):
        session.artifacts.put("report.txt", "".join(f"line {line}\n" for line in range(number + 2)))
    session.state["step"] = {"number": 3}
    session.tool_invoked("search", duration_ns=500_000_000, error=ValueError("nothing found"))
    with store.sessions.create(id="done", name="A finished one"):
        pass
    store.sessions.create(id="broken", name="A broken one").fail("the model gave up")
    return store


def test_sessions_and_what_is_in_them(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 3", "● Fourth quarter", "✓ A finished one", "✗ A broken one")
        await seat.press("j", "j", "enter")
        await seat.see("data/rows.json", "notes.md", "report.txt", "Artifacts 3", "State 1")
        await seat.see('"rows": [', "sessionfs artifact cat q4 data/rows.json")  # beside it, in order
        await seat.press("end")
        await seat.see("line 3", "$ sessionfs artifact cat q4 report.txt")
        await seat.press("2")
        await seat.see('{"number": 3}', "sessionfs state get q4 step")
        await seat.press("3")
        await seat.see("tool.invoked", "search, 500.0 ms, fa", "session.created", '"seq": 8')
        await seat.press("slash")
        await seat.type("type:state.*")
        await seat.press("enter")
        await seat.miss("tool.invoked")
        await seat.see("state.changed", "step = ")
        await seat.press("4")
        await seat.see("tool search 1 (1 ✗)", "artifacts 5")
        await seat.press("left_square_bracket", "k")
        await seat.see("✓ completed", "A finished one (done)")
        await seat.press("q")

    assert browse(filled, q4, steps, session_id="broken").return_code == 0


def test_in_a_small_terminal_what_is_in_it_has_a_screen_of_its_own(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("● Fourth quarter", "report.txt")
        assert "line 3" not in seat.screen and all(cell_len(line) == 80 for line in seat.lines)
        await seat.press("1", "end", "enter")
        await seat.see("line 3", "report.txt", "28 B", "esc Back")
        await seat.press("escape")
        await seat.see("● Fourth quarter")
        await seat.click("#artifacts-table", offset=(3, 2), times=2)  # the second row
        await seat.see("# Title")

    browse(filled, q4, steps, SMALL, session_id="q4", is_light=True)


def test_a_filter_is_asked_for_while_it_is_typed(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 3")
        await seat.press("slash")
        await seat.type("status:faled")
        await seat.see("▲", "column 8: ")
        line = next(number for number, line in enumerate(seat.lines) if "▲" in line)
        assert seat.lines[line].index("▲") == seat.lines[line - 1].index("faled")
        await seat.press(*["backspace"] * 5)
        await seat.type("failed")
        await seat.see("Sessions 1", "A broken one (broken)")
        assert "▲" not in seat.screen
        await seat.press("escape")
        await seat.see("Sessions 3")
        await seat.press("o", "o", "O")  # by name, from the first on
        await seat.see("session ▴")

    browse(filled, q4, steps, MIDDLE, query="")


def test_hostile_names_do_nothing(store, q4):
    session = store.sessions["q4"]
    for name in HOSTILE:
        session.artifacts.put(name, name.encode("utf-8", "surrogateescape"), type="text")
        session.state[name.replace("/", "").replace("\udcff", "")] = name.replace("\udcff", "")
        session.warning(name.replace("\udcff", ""))
    session.update(name="[bold]name[/]", description="\x1b[31ma\nb", tags=["[red]tag"])

    async def steps(seat: Seat) -> None:
        await seat.see(
            "[bold]name[/] (q4)",
            "[red]tag",
            r"\x1b[31ma\x0ab",
            "[bold red]markup[/] [link=x]y[/link]",
            r"\x1b[2Jescape\x07",
            r"\u202egnp.exe",
            r"stray\xff",
        )
        for tab in "123":
            await seat.press(tab)
            await seat.wait(lambda: seat.app.main.table.chosen is not None)
            await seat.press("down", "down")
            for line in seat.lines:
                assert cell_len(line) == LARGE[0] and not re.search("[\x00-\x1f\x7f\u202e]", line), repr(line)
        await seat.press("1", "home", "d")
        await seat.see("sessionfs artifact rm q4 ")
        await seat.press("escape")
        await seat.closed()
        await seat.press("t")
        await seat.see("Tag an artifact")

    browse(store, q4, steps)


class Many:
    """A million rows, of which it is known which were read."""

    columns = (Column("number", 8, 0),)

    def __init__(self) -> None:
        self.pages: set[int] = set()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def count(self) -> int:
        return 1_000_000

    def read(self, offset: int, limit: int) -> list[Row]:
        self.may_go_on.wait(PATIENCE_SECONDS)
        self.pages.add(offset // PAGE_ROWS)
        return [Row(str(number), (Cell(f"row {number:,}"),), f'"{number}"') for number in range(offset, offset + limit)]

    def stop(self) -> None:
        pass


def test_of_a_million_rows_only_those_are_read_that_are_seen(store, q4):
    rows = Many()

    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 1")
        table = seat.table()
        table.show(rows)
        await seat.see("row 0", "row 9")
        await seat.press("1", "end")
        await seat.see("row 999,999")
        rows.may_go_on.clear()
        await seat.press("home", *["pagedown"] * 12)
        assert table.cursor > PAGE_ROWS and table.chosen is None  # not read yet, and nobody has to wait for it
        await seat.press("question_mark")
        await seat.see("Everywhere")
        rows.may_go_on.set()
        await seat.press("escape")
        await seat.wait(lambda: table.chosen is not None and table.chosen.key == str(table.cursor))
        assert len(rows.pages) <= 6
        table.read_again()
        cursor = table.cursor
        await seat.wait(lambda: table.chosen is not None)
        assert table.cursor == cursor

    browse(store, q4, steps, MIDDLE)


def test_what_others_do_is_seen_as_it_happens(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 3", "report.txt")
        await seat.press("j", "j", "1", "end")
        await seat.see("report.txt")
        await seat.wait(lambda: seat.table().chosen is not None and seat.table().chosen.key == "report.txt")
        with sessionfs.open(q4.store, background_sync=False) as other:
            other.sessions["q4"].artifacts.put("first.txt", "new\n")
        await seat.see("first.txt")
        with sessionfs.open(q4.store, background_sync=False) as other:
            other.sessions["q4"].artifacts.put("another.txt", "new\n")
            other.sessions["q4"].artifacts.put("report.txt", "changed\n")
            other.sessions.create(id="new", name="A new one")
        await seat.see("Sessions 4", "● A new one", "another.txt", "changed")
        assert seat.table().chosen is not None and seat.table().chosen.key == "report.txt"
        with sessionfs.open(q4.store, background_sync=False) as other:
            other.sessions.delete("q4")
        await seat.see("Sessions 3")

    browse(filled, q4, steps, session_id="q4")


def test_everything_that_is_done_is_a_verbs(store, q4):
    q4.write("mine.txt", "mine\n")

    async def steps(seat: Seat) -> None:
        session = store.sessions["q4"]
        await seat.see("Sessions 1")
        await seat.press("p")
        await seat.type("nothing.txt")
        await seat.see("$ sessionfs artifact put q4 nothing.txt")
        await seat.press("ctrl+s")
        await seat.see("such file or directory")  # and it can be put right
        await seat.press(*["backspace"] * len("nothing.txt"))
        await seat.type("mine.txt")
        await seat.press("tab")
        await seat.type("a/-b.txt")
        await seat.press("tab", "tab")
        await seat.type("x, y")
        await seat.see("$ sessionfs artifact put --as a/-b.txt --tag x --tag y q4 mine.txt")
        await seat.press("enter")
        await seat.closed()
        await seat.wait(lambda: seat.table().chosen is not None)
        assert session.artifacts["a/-b.txt"].tags == ("x", "y")

        await seat.press("1", "d")
        await seat.see("Remove an artifact", "$ sessionfs artifact rm q4 a/-b.txt")
        await seat.press("enter")  # what destroys has to be chosen
        await seat.miss("Remove an artifact")
        assert "a/-b.txt" in session.artifacts
        await seat.press("d")
        await seat.see("Remove an artifact")
        await seat.press("tab", "enter")
        await seat.wait(lambda: "a/-b.txt" not in session.artifacts)
        await seat.closed()
        await seat.press("u")
        await seat.see("$ sessionfs undo")
        await seat.press("enter")
        await seat.closed()
        await seat.see("a/-b.txt", "$ sessionfs undo --session q4 1")

        await seat.press("f")
        await seat.type("copy")
        await seat.press("ctrl+s")
        await seat.closed()
        await seat.see("Sessions 2", "copy")
        await seat.wait(lambda: seat.app.main.chosen.info is not None and seat.app.main.chosen.info.id == "copy")
        await seat.press("left_square_bracket", "d")
        await seat.see("$ sessionfs session delete")
        await seat.press("tab", "enter")
        await seat.closed()
        await seat.see("Sessions 1")
        assert "copy" not in store.sessions
        await seat.press("T")
        await seat.see("copy@")
        await seat.press("enter")
        await seat.see("sessionfs trash restore copy@")
        await seat.press("enter")
        await seat.closed()
        await seat.see("The trash is empty")
        await seat.press("escape", "left_square_bracket")
        await seat.see("Sessions 2")

    browse(store, q4, steps, MIDDLE, session_id="q4")


def test_a_command_that_cannot_be_run_says_why(store, q4, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    verbs = Verbs(os.environ, str(gone), str(q4.store))

    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 1")
        await seat.press("n")
        await seat.wait(lambda: isinstance(seat.app.screen, Dialog))
        seat.app.screen.query_one("#field-name", Input).value = "x" * 132_000
        await seat.press("ctrl+s")
        await seat.see("cannot be run: it is longer than the system takes")
        seat.app.screen.query_one("#field-name", Input).value = "a\0b"
        await seat.press("ctrl+s")
        await seat.see("cannot be run: no word of a command can hold NUL")
        seat.app.screen.query_one("#field-name", Input).value = "ab"
        gone.rmdir()
        await seat.press("ctrl+s")
        problem = seat.app.screen.query_one("#problem", Static)
        await seat.wait(lambda: str(problem.content).endswith(f"cannot be run: {gone}: No such file or directory"))

    assert browse(store, q4, steps, run=verbs.run, session_id="q4").return_code is None


def test_what_runs_is_interrupted_and_what_it_had_done_is_seen(filled, q4):
    filled.sessions.delete("done")
    ended = []
    may_end = asyncio.Event()

    async def run(words: Sequence[str], interrupting: asyncio.Event) -> tuple[int, str, str]:
        if not ended:
            filled.sessions.delete("broken")
        try:
            await interrupting.wait()
        finally:
            await may_end.wait()
            await asyncio.sleep(0.1)  # it takes its time to end
            ended.append(words)
        return 130, "", ""

    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 2")
        await seat.press("T")
        await seat.see("done@")
        await seat.press("enter")
        await seat.see("sessionfs trash restore done@")
        await seat.press("enter")
        await seat.see("running…")
        await seat.press("escape")
        await seat.see("interrupting…")
        may_end.set()
        assert isinstance(seat.app.screen, Dialog)
        await seat.see("it was interrupted")
        assert len(ended) == 1 and "broken@" not in seat.screen
        await seat.press("escape")
        await seat.see("broken@")
        await seat.press("enter")
        await seat.see("sessionfs trash restore")
        await seat.press("enter")
        await seat.see("running…")
        await seat.press("ctrl+q")

    browse(filled, q4, steps, run=run, session_id="q4")
    assert len(ended) == 2  # the browser, too, waits for what it interrupts


def test_a_verb_gets_ctrl_c_and_is_waited_for(store, q4):
    verbs = Verbs({**os.environ, "PYTHONPATH": str(ROOT)}, str(q4.store), str(q4.store))
    fifo = str(q4.store.parent / "fifo")
    os.mkfifo(fifo)

    async def steps(end: Callable[[asyncio.Task[Any], asyncio.Event], Any]) -> Any:
        interrupting = asyncio.Event()
        words = ["session", "create", "--template", "ml_training", "--set-file", f"name={fifo}"]
        running = asyncio.create_task(verbs.run(words, interrupting))
        fd = await asyncio.to_thread(os.open, fifo, os.O_WRONLY)  # once the verb reads it
        try:
            end(running, interrupting)
            (done,) = await asyncio.gather(running, return_exceptions=True)
            with pytest.raises(OSError, match="No such device"):  # nobody reads it any more
                os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        finally:
            os.close(fd)
        return done

    assert asyncio.run(steps(lambda _, interrupting: interrupting.set())) == (130, "", "")
    assert isinstance(asyncio.run(steps(lambda running, _: running.cancel())), asyncio.CancelledError)


def test_what_begins_while_the_browser_ends_is_not_begun(store, q4):
    async def steps(seat: Seat) -> None:
        # Nothing else that runs asks the threads for more.
        await seat.wait(lambda: [worker.node for worker in seat.app.workers] == [seat.app])
        seat.app._begin_to_follow()
        seat.app.on_unmount()
        seat.app._begin_to_follow()

    browse(store, q4, steps)


@pytest.mark.parametrize("what", ["dialog", "help", "trash", "versions", "viewer"])
def test_a_screen_that_is_asked_for_as_the_browser_ends_is_not_begun(filled, q4, what):
    ask = {
        "dialog": lambda app: app.action_act("create_session"),
        "help": lambda app: app.action_keys(),
        "trash": lambda app: app.action_trash(),
        "versions": lambda app: app.main.action_versions(),
        "viewer": lambda app: app.main.post_message(app.main.Viewed(app.main.table.chosen, [])),
    }[what]
    for turns in range(8):  # of the loop, until the screen is asked for what it does first

        async def steps(seat: Seat, turns: int = turns) -> None:
            await seat.see("notes.md")
            await seat.wait(lambda: seat.app.main.chosen.artifact is not None)
            ask(seat.app)
            for _ in range(turns):
                await asyncio.sleep(0)
            seat.app.exit()

        browse(filled, q4, steps, session_id="q4")


def test_what_others_did_is_not_shown_while_the_browser_ends(filled, q4):
    failures: list[Exception] = []

    async def steps(seat: Seat) -> None:
        await seat.see("notes.md")

        def take_in() -> None:
            try:
                seat.app._take_in({"q4": 1})
            except Exception as failure:
                failures.append(failure)
            else:
                asyncio.get_running_loop().call_soon(take_in)

        take_in()  # until the loop is closed

    browse(filled, q4, steps, session_id="q4")
    assert failures == []


def test_versions_and_what_differs_between_two(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("report.txt")
        await seat.press("1", "end")
        await seat.see("artifact cat q4 report.txt")
        await seat.press("v")
        await seat.see("Versions", "version 3: 28 B", "line 3", "sessionfs artifact cat 'q4@{6}' report.txt")
        await seat.press("equals_sign")
        await seat.see(
            "version 2 to 3: 1 lines added, 0 removed", "+line 3", "sessionfs diff 'q4@{5}' 'q4@{6}' report.txt"
        )
        await seat.press("end", "space", "home")
        await seat.see("version 1 to 3: 2 lines added, 0 removed", "◆")
        await seat.press("end", "R")
        await seat.see("Restore an artifact", "$ sessionfs restore q4 4 report.txt")
        await seat.press("tab", "tab", "enter")
        await seat.closed()
        await seat.wait(lambda: filled.sessions["q4"].artifacts["report.txt"].version == 4)
        assert filled.sessions["q4"].artifacts.read("report.txt") == b"line 0\nline 1\n"
        await seat.wait(lambda: seat.app.screen.query_one("#versions", Table).count == 4)

    browse(filled, q4, steps, session_id="q4")


def test_what_is_damaged_is_said(filled, q4):
    oid = filled.sessions["q4"].artifacts["notes.md"].oid
    (q4.store / "objects" / oid[:2] / oid[2:]).write_bytes(b"# Tit1e\n")
    log = q4.store / "sessions/done/log"
    log.write_bytes(log.read_bytes().replace(b'"type"', b'"tyqe"', 1))

    async def steps(seat: Seat) -> None:
        await seat.see("Sessions 3", "report.txt")
        await seat.press("1", "down")
        await seat.see("is damaged")
        await seat.press("left_square_bracket", "home", "down", "3")
        await seat.see("fsck")

    browse(filled, q4, steps, session_id="q4")


def all_bindings() -> list[Any]:
    """Everything that is bound to a key anywhere in the browser."""
    modules = [module for name, module in sys.modules.items() if name.startswith("sessionfs.ui.")]
    classes = [(one, module.__name__) for module in modules for one in vars(module).values() if isinstance(one, type)]
    return [binding for one, name in classes if one.__module__ == name for binding in vars(one).get("BINDINGS", ())]


def test_help_lists_every_key_there_is(filled, q4):
    async def steps(seat: Seat) -> None:
        await seat.see("report.txt")
        await seat.press("1", "question_mark")
        await seat.see("Keys", "Everywhere")
        assert isinstance(seat.app.screen, Help)
        listed = "\n".join("".join(text for text, _ in line) for line in seat.app.screen.query_one(Lines).content.lines)
        for binding in all_bindings():
            assert not binding.description or (binding.tooltip or binding.description) in listed, binding

    browse(filled, q4, steps, SMALL, session_id="q4")


def test_without_a_terminal_or_textual_it_says_so(q4, monkeypatch):
    assert "needs a terminal" in q4.fails(2, "ui")
    assert "--json" in q4.fails(2, "ui", "--json")
    monkeypatch.setitem(sys.modules, "textual", None)
    for name in [name for name in sys.modules if name.startswith(("sessionfs.ui", "textual."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sessionfs.cli.ui.is_interactive", lambda call: True)
    assert "pip install 'sessionfs[ui]'" in q4.fails(7, "ui")


# At a real terminal


def _without_size() -> dict[str, str]:
    """The environment, without what says how large another terminal is."""
    return {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}


@contextlib.contextmanager
def terminal(store: Path, **env: str) -> Any:
    """Run the browser at a terminal of its own; gives its process, what reads its output, and what presses keys."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    found = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "sessionfs", "--store", str(store), "ui"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**_without_size(), "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env},
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    shown = bytearray()

    def read(text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in shown:
            assert time.monotonic() < deadline, f"no {text!r} in {bytes(shown)!r}"
            if select.select([master], [], [], 0.1)[0]:
                shown.extend(os.read(master, 1 << 16))

    try:
        yield process, read, shown, lambda rows, columns: termios.tcsetwinsize(slave, (rows, columns))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            if select.select([master], [], [], 0.1)[0]:
                shown.extend(os.read(master, 1 << 16))
        assert termios.tcgetattr(slave) == found
        while select.select([master], [], [], 0)[0]:
            shown.extend(os.read(master, 1 << 16))
        assert b"\x1b[?1049l" in shown and shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def test_at_a_terminal_without_colours_resized_and_ended_while_somebody_writes(store, q4):
    session, is_over = store.sessions["q4"], threading.Event()

    def write() -> None:
        number = 0
        while not is_over.wait(0.01):
            session.artifacts.put("live.txt", f"{number}\n")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with terminal(q4.store, NO_COLOR="1") as (process, read, shown, resize):
            read("Sessions 1")
            read("live.txt")
            resize(40, 130)
            process.send_signal(signal.SIGWINCH)
            read("─" * 60)
            process.send_signal(signal.SIGTERM)
    finally:
        is_over.set()
        writer.join()
    assert process.returncode == 128 + signal.SIGTERM
    assert not re.search(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m", shown)
    assert store.sessions["q4"].verify_log().is_whole
