"""What was deleted, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer

from sessionfs.api import Store
from sessionfs.clock import format_time
from sessionfs.retention.trash import list_trash
from sessionfs.shown import human_size, human_time, unmistakable
from sessionfs.ui import commands
from sessionfs.ui.columns import Column
from sessionfs.ui.commands import Action
from sessionfs.ui.page import Page
from sessionfs.ui.rows import Cell, ListRows, Row
from sessionfs.ui.table import Table
from sessionfs.ui.threads import Threads

_COLUMNS = (
    Column("name", 20, 0),
    Column("kind", 8, 8, rank=2),
    Column("files", 6, 8, right=True, rank=3),
    Column("size", 10, 10, right=True, rank=1),
    Column("until", 16, 19, rank=0),
)


class Trash(Page[None]):
    """The trash of a store."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back"),
        Binding("enter", "take_back", "Take back"),
        Binding("E", "empty", "Empty it"),
    ]

    def __init__(self, store: Store, threads: Threads, do: Callable[[Action, Callable[[], None]], None]) -> None:
        """Prepare it.

        Args:
            do: Does something, and calls what it is given when it is done.
        """
        super().__init__()
        self._store = store
        self._threads = threads
        self._do = do

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        table = Table(self._threads, id="trash", nothing="The trash is empty.")
        table.border_title = "Trash"
        yield table
        yield Footer()

    def begin(self) -> None:
        """Read it."""
        self.query_one(Table).show(ListRows(_COLUMNS, self._load))

    def _load(self) -> list[Row]:
        grace_ns = self._store.core.config.trash_grace_ns
        return [
            Row(
                one.name,
                (
                    Cell(unmistakable(one.name)),
                    Cell(one.kind, "accent"),
                    Cell(f"{one.file_count:,}"),
                    Cell(human_size(one.size)),
                    Cell(human_time(format_time(one.time_ns + grace_ns)), "dim"),
                ),
                one,
            )
            for one in list_trash(self._store.core)
        ]

    def on_table_opened(self) -> None:
        """Enter, or two clicks."""
        self.action_take_back()

    def action_take_back(self) -> None:
        """Take what is chosen back."""
        row = self.query_one(Table).chosen
        if row is not None:
            self._do(commands.take_back(row.key), self._read_again)

    def action_empty(self) -> None:
        """Delete what is in it, for good."""
        self._do(commands.empty_trash(), self._read_again)

    def _read_again(self) -> None:
        for table in self.query(Table):  # none, when the screen has gone meanwhile
            table.read_again()
