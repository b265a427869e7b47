"""What is seen of a row: an artifact's content, a value, an event; beside the listing, or on a screen of its own."""

from __future__ import annotations

import json
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content as Text
from textual.widgets import Footer, Static

from sessionfs.api import FoundArtifact
from sessionfs.errors import Error
from sessionfs.events.event import Event
from sessionfs.shown import unmistakable
from sessionfs.ui.commands import command, moment, shell_text
from sessionfs.ui.content import Content, json_lines, plain, read_content, wrapped
from sessionfs.ui.latest import Latest
from sessionfs.ui.lines import Lines
from sessionfs.ui.page import Page
from sessionfs.ui.rows import Row
from sessionfs.ui.threads import Threads


class Preview(Lines):
    """What a row holds, read in a thread."""

    def __init__(self, threads: Threads, *, id: str) -> None:
        super().__init__(id=id)
        self._reading = Latest(self, threads)
        self._shown: Row | None = None

    def show_row(self, row: Row | None) -> None:
        """Show another row, or the same one as it is now."""
        before, self._shown = self._shown, row
        if row is None:
            self._reading.forget()
            self._take(Content([]), keep_place=False)
        elif before is None or not (_is_same(before, row) and self.content.lines):
            is_same = before is not None and before.key == row.key
            self._reading.ask(
                lambda: content_of_row(row), lambda content: self._take(content, keep_place=is_same), self._fail
            )
        self.border_title = Text("" if row is None else unmistakable(row.key.partition("\0")[0]))

    def show_elsewhere(self) -> None:
        """Forget what is shown: there is no room for it, or it is not asked for."""
        self._shown = None
        self._reading.forget()
        self._take(Content([]), keep_place=False)
        self.border_title = Text("")

    def _take(self, content: Content, *, keep_place: bool) -> None:
        self.show(content, keep_place=keep_place)
        self.border_subtitle = Text(content.note)

    def _fail(self, failure: Error | OSError) -> None:
        self._take(Content(wrapped(str(failure), self.scrollable_content_region.width, "bad")), keep_place=False)


class Viewer(Page[None]):
    """One row on a screen of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Back"),
        Binding("y", "app.copy_command", "Copy command", show=False, tooltip="Copy the command in the last line"),
    ]

    def __init__(self, row: Row, words: list[str], threads: Threads) -> None:
        super().__init__()
        self._row = row
        self._threads = threads
        self.command = words

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        yield Preview(self._threads, id="viewer")
        yield Static(f"$ sessionfs {shell_text(self.command)}", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def begin(self) -> None:
        """Read it."""
        preview = self.query_one(Preview)
        preview.show_row(self._row)
        preview.focus()


def content_of_row(row: Row) -> Content:
    """Return what is seen of a row.

    Raises:
        Corrupt: Its content is damaged or missing.
    """
    value = row.value
    if isinstance(value, FoundArtifact):
        if value.kind == "file":
            return read_content(value, name=value.path, mime_type=value.mime_type)
        target = "" if value.target is None else f" to {value.target}"
        return Content(plain(f"{value.kind}{target}"))
    if isinstance(value, Event):
        return Content(json_lines(value.to_dict()), value.type)
    return Content(json_lines(json.loads(value)))


def command_of_row(row: Row, session_id: str) -> list[str]:
    """Return the command that shows the same."""
    value = row.value
    if isinstance(value, FoundArtifact):
        where = session_id if value.is_live else moment(*value.id.rsplit(":", 1))
        return command("artifact cat" if value.kind == "file" else "artifact show", where, value.path)
    if isinstance(value, Event):
        seq = str(value.seq)
        return command("events", session_id, options=["--from", seq, "--to", seq, "--json"])
    return command("state get", session_id, row.key)


def _is_same(before: Row, row: Row) -> bool:
    """Say whether two rows hold the same, so that it need not be read again."""
    if isinstance(row.value, FoundArtifact) and isinstance(before.value, FoundArtifact):
        return before.key == row.key and before.value.id == row.value.id
    return before == row
