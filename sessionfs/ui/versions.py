"""The versions of one artifact: what each holds, and what differs between any two."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content as Text
from textual.widgets import Footer, Static

from sessionfs.api import Session, Version
from sessionfs.clock import format_time
from sessionfs.errors import Error
from sessionfs.shown import human_size, human_time, unmistakable
from sessionfs.travel.unified import format_hunks, is_text
from sessionfs.ui import commands
from sessionfs.ui.columns import Column
from sessionfs.ui.commands import Action, command, moment, shell_text
from sessionfs.ui.content import Content, Line, plain, read_content, wrapped
from sessionfs.ui.latest import Latest
from sessionfs.ui.lines import Lines
from sessionfs.ui.page import Page
from sessionfs.ui.rows import Cell, ListRows, Row
from sessionfs.ui.table import Table
from sessionfs.ui.threads import Threads

# Of larger versions only the sizes are compared.
_COMPARED_BYTES = 1 << 20

_COLUMNS = (
    Column("", 1, 1),
    Column("v", 4, 4, right=True),
    Column("stored", 16, 19),
    Column("size", 10, 10, right=True, rank=1),
    Column("by", 8, 0, rank=2),
)
_MARK = "◆"


class Versions(Page[None]):
    """The versions of one artifact, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back"),
        Binding("space", "mark", "Mark", tooltip="Mark as the other side of the difference"),
        Binding(
            "equals_sign,d", "switch", "Difference", tooltip="Difference to the marked version, else to the one before"
        ),
        Binding("R", "restore", "Restore", tooltip="Make this version the newest again"),
        Binding("g", "get", "Copy out"),
    ]

    def __init__(
        self,
        session: Callable[[], Session],
        path: str,
        mime_type: str,
        threads: Threads,
        do: Callable[[Action, Callable[[], None]], None],
    ) -> None:
        """Prepare it.

        Args:
            session: Whose artifact it is; called in threads.
            do: Does something, and calls what it is given when it is done.
        """
        super().__init__()
        self._session = session
        self.session_id = ""
        self._path = path
        self._mime_type = mime_type
        self._threads = threads
        self._do = do
        self._versions: list[Version] = []
        self._marked: int | None = None
        self._is_comparing = False

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        with Horizontal(id="versions-and-content"):
            table = Table(self._threads, id="versions", nothing="It has no versions: only files have.")
            table.border_title = "Versions"
            yield table
            lines = Lines(id="content")
            yield lines
        yield Static("", id="status", markup=False)
        yield Footer()

    def begin(self) -> None:
        """Read which versions there are."""
        self._reading = Latest(self, self._threads)
        self.query_one(Lines).border_title = Text(unmistakable(self._path))
        self.query_one(Table).show(ListRows(_COLUMNS, self._load))

    def read_again(self) -> None:
        """Something has happened in the session."""
        for table in self.query(Table):  # none, while the screen comes or goes
            table.read_again()

    def _load(self) -> list[Row]:
        session = self._session()
        self.session_id = session.id
        self._versions = session.versions(self._path)
        return [_row(version, is_marked=version.number == self._marked) for version in self._versions[::-1]]

    def on_table_chosen(self, event: Table.Chosen) -> None:
        """Show another version, or what it changed."""
        self._show(event.row.value if event.row is not None else None)

    def on_table_opened(self) -> None:
        """Read it."""
        self.query_one(Lines).focus()

    def action_mark(self) -> None:
        """Mark the version that is chosen, or take the mark away."""
        row = self.query_one(Table).chosen
        if row is not None:
            self._marked = None if self._marked == row.value.number else row.value.number
            self._is_comparing = self._marked is not None
            self.query_one(Table).read_again()

    def action_switch(self) -> None:
        """Show what differs, or the content again."""
        self._is_comparing = not self._is_comparing
        row = self.query_one(Table).chosen
        self._show(row.value if row is not None else None)

    def action_restore(self) -> None:
        """Bring the version that is chosen back."""
        version = self._chosen_here("only versions that were stored in this session can be restored; g copies it out")
        if version is not None:
            seq = version.id.rpartition(":")[2]
            self._do(commands.restore(self.session_id, seq, self._path), self.read_again)

    def action_get(self) -> None:
        """Copy the version that is chosen out."""
        row = self.query_one(Table).chosen
        if row is not None:
            self._do(commands.get(_moment_of(row.value), self._path), lambda: None)

    def _chosen_here(self, otherwise: str) -> Version | None:
        row = self.query_one(Table).chosen
        if row is None:
            return None
        version: Version = row.value
        if version.id.rpartition(":")[0] != self.session_id:
            self.notify(otherwise, severity="warning", markup=False)
            return None
        return version

    def _show(self, version: Version | None) -> None:
        lines = self.query_one(Lines)
        other = self._other(version) if version is not None and self._is_comparing else None
        lines.set_class(version is None, "empty")
        if version is None:
            lines.show(Content([]))
            return
        if other is None:
            words = command("artifact cat", _moment_of(version), self._path)
            name, mime_type = self._path, self._mime_type
            self._reading.ask(
                lambda: read_content(version, name=name, mime_type=mime_type),
                lambda content: self._take(content, f"version {version.number}: {content.note}"),
                self._fail,
            )
        else:
            words = command("diff", _moment_of(other), _moment_of(version), self._path)
            title = f"version {other.number} to {version.number}"
            self._reading.ask(
                lambda: compare(other, version),
                lambda content: self._take(content, f"{title}: {content.note}" if content.note else title),
                self._fail,
            )
        self.query_one("#status", Static).update(f"$ sessionfs {shell_text(words)}", layout=False)

    def _other(self, version: Version) -> Version | None:
        if self._marked is not None:
            return next((one for one in self._versions if one.number == self._marked), None)
        before = [one for one in self._versions if one.number < version.number]
        return before[-1] if before else None

    def _take(self, content: Content, title: str) -> None:
        for lines in self.query(Lines):  # none, while the screen goes
            lines.show(content)
            lines.border_subtitle = Text(title)

    def _fail(self, failure: Error | OSError) -> None:
        self._take(Content(wrapped(str(failure), self.query_one(Lines).scrollable_content_region.width, "bad")), "")


def compare(before: Version, after: Version) -> Content:
    """Return what differs between two versions.

    Raises:
        Corrupt: One of them is damaged or missing.
    """
    if before.oid == after.oid:
        return Content([], "the same content")
    if max(before.size, after.size) > _COMPARED_BYTES:
        return Content([], f"{_sizes(before, after)}, too large to be compared here")
    old, new = before.read_bytes(), after.read_bytes()
    if not (is_text(old) and is_text(new)):
        return Content([], f"{_sizes(before, after)}, not text")
    text = b"".join(format_hunks(old, new)).decode("utf-8", "surrogateescape")
    lines = [_coloured(line) for line in plain(text)]
    removed = sum(bool(line) and line[0][0].startswith("-") for line in lines)
    added = sum(bool(line) and line[0][0].startswith("+") for line in lines)
    return Content(lines, f"{added:,} lines added, {removed:,} removed")


def _sizes(before: Version, after: Version) -> str:
    return f"{human_size(before.size)} to {human_size(after.size)}"


def _coloured(line: Line) -> Line:
    if not line:
        return line
    role = {"+": "good", "-": "bad", "@": "accent", "\\": "dim"}.get(line[0][0][:1], "")
    return tuple((text, role) for text, _ in line)


def _row(version: Version, *, is_marked: bool) -> Row:
    cells = (
        Cell(_MARK if is_marked else "", "warn"),
        Cell(str(version.number)),
        Cell(human_time(format_time(version.time_ns)), "dim"),
        Cell(human_size(version.size)),
        Cell(unmistakable(version.actor), "dim"),
    )
    return Row(version.id, cells, version)


def _moment_of(version: Version) -> str:
    session_id, _, seq = version.id.rpartition(":")
    return moment(session_id, seq)
