"""Asks what a command needs, shows it while that is typed, and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from sessionfs.shown import unmistakable
from sessionfs.ui.commands import Action, shell_text
from sessionfs.ui.page import Page

_INTERRUPTED = 128 + signal.SIGINT

# When the browser ends, what runs is interrupted, and has so long to end by itself.
_ENDING_SECONDS = 5


class Outcome(NamedTuple):
    """What a command came to."""

    words: list[str]
    code: int
    out: str
    err: str

    @property
    def is_well(self) -> bool:
        """It did what it was to do; 1 is an answer, or that something was left out."""
        return self.code in (0, 1)


Run = Callable[[Sequence[str], asyncio.Event], Awaitable[tuple[int, str, str]]]
"""Runs one command line to its end; returns its exit code, standard output and standard error.

Once the event is set, it is interrupted as by Ctrl-C. What cannot be run at all has an exit code and a message, too.
"""


class Dialog(Page[Outcome | None], ModalScreen[Outcome | None]):
    """One action, before it is done; what it gives is what was run last, None when nothing was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+s", "run", "Run it"),
        Binding("up", "app.focus_previous", "Field before", show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
    ]

    def __init__(self, action: Action, run: Run) -> None:
        super().__init__()
        self._action = action
        self._run = run
        self._interrupting: asyncio.Event | None = None  # interrupts what runs; None when nothing does
        self._has_ended = asyncio.Event()
        self._last: Outcome | None = None

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        action = self._action
        with VerticalScroll(id="dialog", can_focus=False) as box:
            box.border_title = Content(unmistakable(action.title))
            for field in action.fields:
                with Horizontal(classes="field"):
                    yield Label(field.label, markup=False)
                    yield Input(
                        field.initial, placeholder=unmistakable(field.hint), id=f"field-{field.name}", compact=True,
                        select_on_focus=False,
                    )  # fmt: skip
            if action.warning:
                yield Static(unmistakable(action.warning), id="warning", markup=False)
            yield Static("", id="command", markup=False)
            yield Static("", id="problem", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Run", id="run", variant="error" if action.warning else "primary", compact=True)

    def begin(self) -> None:
        """Begin with the first field; with nothing to fill in, what destroys has to be chosen."""
        self._show_command()
        first = f"#field-{self._action.fields[0].name}" if self._action.fields else "#run"
        self.query_one("#cancel" if self._action.warning and not self._action.fields else first).focus()

    def on_input_changed(self) -> None:
        """Show the command as it is now."""
        self._show_command()
        self._complain("")

    def on_input_submitted(self) -> None:
        """Go to the next field; behind the last one, run it."""
        inputs = list(self.query(Input))
        if self.focused is inputs[-1] and not self._action.warning:
            self.action_run()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Run it, or don't."""
        if event.button.id == "run":
            self.action_run()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Interrupt what runs, and stay to say what it came to; when nothing runs, go back."""
        if self._interrupting is None:
            self.dismiss(self._last)
        else:
            self._interrupting.set()
            self._complain("interrupting…", is_bad=False)

    def action_run(self) -> None:
        """Run the command, once."""
        missing = [field.label for field in self._action.fields if field.is_needed and not self._filled()[field.name]]
        if missing:
            self._complain(f"{missing[0]} is needed")
        elif self._interrupting is None:
            self._interrupting = asyncio.Event()
            self._has_ended.clear()
            self.run_worker(self._run_it(self._action.make(self._filled()), self._interrupting), exit_on_error=True)

    async def _run_it(self, words: list[str], interrupting: asyncio.Event) -> None:
        self._complain("running…", is_bad=False)
        self.query_one("#run", Button).disabled = True
        try:
            outcome = self._last = Outcome(words, *await self._run(words, interrupting))
        finally:
            self._has_ended.set()
        if outcome.is_well:
            self.dismiss(outcome)
            return
        self._interrupting = None
        self.query_one("#run", Button).disabled = False
        self._complain(said(outcome))

    async def on_unmount(self) -> None:
        """Wait for what runs, which was cancelled with the browser: it lets go of what it holds."""
        if self._interrupting is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_ended.wait(), _ENDING_SECONDS)

    def _filled(self) -> dict[str, str]:
        return {field.name: self.query_one(f"#field-{field.name}", Input).value for field in self._action.fields}

    def _show_command(self) -> None:
        self.query_one("#command", Static).update(f"$ sessionfs {shell_text(self._action.make(self._filled()))}")

    def _complain(self, text: str, *, is_bad: bool = True) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(text)
        problem.set_class(is_bad, "bad")


def said(outcome: Outcome) -> str:
    """Return what a command said, without what everybody knows."""
    if outcome.code == _INTERRUPTED:
        return "it was interrupted"
    text = outcome.err.strip() or outcome.out.strip() or f"it ended with exit code {outcome.code}"
    # Of the words before the message it knows the verb, which is the command's first one or two.
    heads = [f"sessionfs: {' '.join(outcome.words[:count])}: " for count in (2, 1)]
    return "\n".join(unmistakable(_without(line, heads)) for line in text.splitlines())


def _without(line: str, heads: Sequence[str]) -> str:
    return next((line.removeprefix(head) for head in heads if line.startswith(head)), line)
