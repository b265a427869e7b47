"""A table with a filter above it: what is typed there is asked for while it is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widgets import Input, Static

from sessionfs.errors import InvalidInput
from sessionfs.query import BadQuery
from sessionfs.shown import unmistakable
from sessionfs.ui.rows import Order, Rows
from sessionfs.ui.table import Table
from sessionfs.ui.threads import Threads

# Somebody who types is not interrupted.
_PAUSE_SECONDS = 0.12

MakeRows = Callable[[str, Order], Rows]
"""Makes a source of what was typed, and of an order."""


class Listing(Vertical):
    """A filter, what is wrong with it, and a table."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "Clear the filter", show=False),
        Binding("o", "sort(1)", "Sort", tooltip="Sort by another column; so does a click on its title"),
        Binding("O", "turn", "Turn round", show=False, tooltip="The other way round"),
    ]

    def __init__(
        self,
        threads: Threads,
        *,
        name: str,
        nothing: str,
        hint: str,
        typed: str = "",
        orders: Sequence[str] = (),
        order: Order | None = None,
        check: Callable[[str], object] | None = None,
    ) -> None:
        """Make one that shows nothing yet.

        Args:
            name: What is listed.
            nothing: What is said when there are no rows.
            hint: What could be typed.
            typed: What stands in the filter at first.
            orders: What it can be sorted by.
            check: Raises InvalidInput when what was typed cannot be understood.
        """
        super().__init__(id=f"{name}-pane")
        self._what = name
        self._typed_first = typed
        self._threads = threads
        self._nothing = nothing
        self._hint = hint
        self._orders = orders
        self.order = order or Order("")
        self._check = check
        self._make: MakeRows | None = None
        self._waiting: Timer | None = None

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        yield Input(self._typed_first, placeholder=self._hint, compact=True, select_on_focus=False)
        problem = Static("", classes="problem", markup=False)
        problem.display = False
        yield problem
        yield Table(self._threads, id=f"{self._what}-table", nothing=self._nothing)

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one(Table)

    @property
    def typed(self) -> str:
        """What stands in the filter."""
        return self.query_one(Input).value

    def show(self, make: MakeRows | None, *, key: str | None = None) -> None:
        """Show other rows, by the same filter and in the same order."""
        self._make = make
        self._show(key)

    def _show(self, key: str | None = None) -> None:
        rows = None if self._make is None else self._make(self.typed, self.order)
        self.table.show(rows, order=self.order if self._orders else None, key=key)

    # The filter

    def on_input_changed(self, event: Input.Changed) -> None:
        """Ask for what was typed, once nothing is typed for a moment."""
        event.stop()
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = None
        if self._is_understood(event.value):
            self._waiting = self.set_timer(_PAUSE_SECONDS, self._ask)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the table."""
        event.stop()
        self.screen.set_focus(self.table)

    def _ask(self) -> None:
        chosen = self.table.chosen
        self._show(None if chosen is None else chosen.key)

    def _is_understood(self, text: str) -> bool:
        problem = self.query_one(".problem", Static)
        try:
            if self._check is not None:
                self._check(text)
        except InvalidInput as failure:
            problem.update(_say(failure, self.query_one(Input).size.width))
            problem.display = True
            return False
        problem.display = False
        return True

    def action_filter(self) -> None:
        """Go to the filter."""
        self.screen.set_focus(self.query_one(Input))  # at once: the next key is for it

    def action_clear(self) -> None:
        """Take the filter away, and go back to the table."""
        self.query_one(Input).value = ""
        self.screen.set_focus(self.table)

    # The order

    def action_sort(self, step: int) -> None:
        """Sort by the next thing it can be sorted by."""
        if self._orders:
            place = self._orders.index(self.order.key) if self.order.key in self._orders else -1
            key = self._orders[(place + step) % len(self._orders)]
            self._sort(Order(key, self.order.reverse))

    def action_turn(self) -> None:
        """Sort the other way round."""
        if self._orders:
            self._sort(self.order._replace(reverse=not self.order.reverse))

    def on_table_sort_asked(self, event: Table.SortAsked) -> None:
        """Sort by a column; by the one it is sorted by, the other way round."""
        if event.key in self._orders:
            self._sort(Order(event.key, self.order.reverse != (event.key == self.order.key)))

    def _sort(self, order: Order) -> None:
        self.order = order
        self._ask()


def _say(failure: InvalidInput, width: int) -> str:
    """Return what is wrong: under its column, as long as the text above has not been scrolled."""
    if not isinstance(failure, BadQuery):
        return unmistakable(str(failure))
    pointer = f"{' ' * (failure.column - 1)}▲\n" if failure.column <= width else ""
    return f"{pointer}column {failure.column}: {unmistakable(failure.problem)}"
