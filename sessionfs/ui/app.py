"""The browser: its screens, its threads, and what all of them share."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from sessionfs.api import Store
from sessionfs.errors import Error
from sessionfs.shown import unmistakable
from sessionfs.ui.acts import ACTS, NothingChosen
from sessionfs.ui.commands import Action, shell_text
from sessionfs.ui.dialog import Dialog, Outcome, Run, said
from sessionfs.ui.help import Group, Help
from sessionfs.ui.lines import Lines
from sessionfs.ui.listing import Listing
from sessionfs.ui.live import follow
from sessionfs.ui.main import Main
from sessionfs.ui.panes import ArtifactsPane, Draw, EventsPane, SessionsPane, StatePane
from sessionfs.ui.preview import Viewer
from sessionfs.ui.table import Table
from sessionfs.ui.threads import Threads
from sessionfs.ui.trash import Trash
from sessionfs.ui.versions import Versions

# What is in the session that is chosen is read first.
_WATCH_SECONDS = 0.3

DARK, LIGHT = "textual-dark", "textual-light"

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Browser(App[None]):
    """A store in the terminal. Its ``return_code`` is what the process should end with."""

    TITLE = "sessionfs"
    CSS_PATH = "browser.tcss"
    ENABLE_COMMAND_PALETTE = False
    # Classes of the screen by its size; textual declares them so that they cannot be ClassVars.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-middle"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (36, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", "Keys", tooltip="Show all keys"),
        Binding("l", "light", "Light", show=False, tooltip="Light or dark"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, tooltip="Quit, from anywhere"),
        Binding(
            "ctrl+c", "interrupt", "Interrupt", show=False, priority=True, tooltip="Quit as an interrupted command does"
        ),
        Binding("ctrl+z", "suspend_process", "Stop", show=False, tooltip="Stop it for a while; fg goes on"),
    ]

    def __init__(
        self,
        store: Store,
        run: Run,
        draw: Draw,
        *,
        query: str = "",
        session_id: str | None = None,
        is_light: bool = False,
        has_colours: bool = True,
    ) -> None:
        """Prepare it.

        Args:
            run: Runs a command line of ours, on this store.
            draw: Draws timelines.
            query: What stands in the filter of the sessions.
            session_id: Of the session that is chosen at first.
            has_colours: Without, there is none in what is sent to the terminal.
        """
        super().__init__(ansi_color=None if has_colours else True)
        self._store = store
        self._run_verb = run
        self._threads = Threads()
        self._is_following = False
        self.main = Main(store, self._threads, draw, query=query, session_id=session_id)
        self.theme = LIGHT if is_light else DARK
        self.animation_level = "none"  # what is asked for is there at once, also over ssh

    def on_mount(self) -> None:
        """Begin: the screen first, then what others do."""
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self._end, 128 + number)
        self.push_screen(self.main)

    def on_table_counted(self, event: Table.Counted) -> None:
        """Once there is something to see, begin to watch: with ten thousand sessions that is a second's work."""
        if not self._is_following:
            self._is_following = True
            self.set_timer(_WATCH_SECONDS, self._begin_to_follow)

    def _begin_to_follow(self) -> None:
        # The function itself: a coroutine that is made and then never begun, on the way out, is complained of.
        self.run_worker(self._follow, exit_on_error=True)  # type: ignore[arg-type]  # mypy finds two readings

    async def _follow(self) -> None:
        await follow(self._store, self._threads, self._take_in, self._note_damage)

    def on_unmount(self) -> None:
        """Let go of the threads."""
        self.workers.cancel_all()  # one may have begun on the way out
        self._threads.close()

    # Ending

    def _end(self, code: int) -> None:
        self.exit(return_code=code)

    def action_interrupt(self) -> None:
        """End as by Ctrl-C."""
        self._end(128 + signal.SIGINT)

    # What is done

    def action_act(self, name: str) -> None:
        """Ask for what something needs, and do it."""
        try:
            action = ACTS[name](self.main.chosen)
        except NothingChosen as failure:
            self.notify(str(failure), severity="warning", markup=False)
        else:
            self.do(action, lambda: None)

    def do(self, action: Action, done: Callable[[], None]) -> None:
        """Ask for what an action needs, do it, and then call *done*, also when it failed: it may have done a part."""

        def take(outcome: Outcome | None) -> None:
            if outcome is None:
                return
            self.main.action_read_again()  # at once, whether somebody tells of it or not
            if outcome.is_well:
                self._tell(outcome)
            done()

        self.push_screen(Dialog(action, self._run_verb), take)

    def _tell(self, outcome: Outcome) -> None:
        self.main.show_command(outcome.words)
        has_said = outcome.err.strip() or outcome.out.strip()
        self.notify(
            said(outcome).splitlines()[0] if has_said else f"sessionfs {shell_text(outcome.words)}",
            severity="information" if outcome.code == 0 else "warning",
            markup=False,
        )
        if outcome.words[0] == "fork" or outcome.words[:2] == ["session", "create"]:
            self.main.go_to(outcome.out.strip())

    def action_copy_command(self) -> None:
        """Copy the command in the last line to the clipboard, where the terminal lets programs do that."""
        screen = self.screen
        words = screen.command if isinstance(screen, Main | Viewer) else []
        if words:
            self.copy_to_clipboard(f"sessionfs {shell_text(words)}")
            self.notify("copied", markup=False)

    # What is seen

    def action_keys(self) -> None:
        """Show all keys."""
        if not isinstance(self.screen, Help):
            self.push_screen(Help(groups()))

    def action_light(self) -> None:
        """Turn from dark to light, or back."""
        self.theme = DARK if self.theme == LIGHT else LIGHT

    def action_trash(self) -> None:
        """Show what was deleted."""
        self.push_screen(Trash(self._store, self._threads, self.do))

    def on_main_viewed(self, event: Main.Viewed) -> None:
        """Show a row on a screen of its own."""
        self.push_screen(Viewer(event.row, event.words, self._threads))

    def on_main_versions_asked(self, event: Main.VersionsAsked) -> None:
        """Show the versions of an artifact."""
        artifact = event.artifact
        self.push_screen(Versions(event.session, artifact.path, artifact.mime_type, self._threads, self.do))

    # What others do

    def _take_in(self, moved: dict[str, int]) -> None:
        self.main.take_in(moved)
        for screen in self.screen_stack:
            if isinstance(screen, Versions) and screen.session_id in moved:
                screen.read_again()

    def _note_damage(self, session_id: str, failure: Error) -> None:
        self.notify(unmistakable(str(failure)), title=f"session {session_id}", severity="error", markup=False)


def groups() -> list[Group]:
    """Return all keys, by what they are for."""
    return [
        ("Everywhere", Browser.BINDINGS),
        ("Sessions, and what is in them", Main.BINDINGS),
        ("In a list", [*Table.BINDINGS, *Listing.BINDINGS]),
        ("With a session", SessionsPane.BINDINGS),
        ("With an artifact", ArtifactsPane.BINDINGS),
        ("With a key of the state", StatePane.BINDINGS),
        ("With an event", EventsPane.BINDINGS),
        ("In a text", Lines.BINDINGS),
        ("Among versions", Versions.BINDINGS),
        ("In the trash", Trash.BINDINGS),
        ("On a screen with one thing", [*Viewer.BINDINGS, *Help.BINDINGS]),
        ("When something is asked", Dialog.BINDINGS),
    ]
