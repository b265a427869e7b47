"""A table that reads the rows it shows, and no others: a hundred thousand cost what a screenful costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sessionfs.errors import Error
from sessionfs.shown import human_size
from sessionfs.ui.columns import GAP, Column, fit
from sessionfs.ui.content import wrapped
from sessionfs.ui.latest import Latest
from sessionfs.ui.rows import Cell, Order, Row, Rows
from sessionfs.ui.threads import Threads

# Rows are read so many at a time: more than a screen shows.
PAGE_ROWS = 128
# Pages that are kept while somebody scrolls.
_MAX_PAGES = 32
_PROGRESS_SECONDS = 0.2

_ROLES = ("good", "bad", "warn", "dim", "accent", "gone")


class _Read:
    """What one reading gave."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.count = 0
        self.pages: dict[int, list[Row]] = {}

    def page(self, number: int) -> None:
        if 0 <= number * PAGE_ROWS < self.count and number not in self.pages:
            self.pages[number] = self.rows.read(number * PAGE_ROWS, PAGE_ROWS)

    def find(self, key: str) -> int | None:
        """Return where the row with this key is, if it was read."""
        for number, page in self.pages.items():
            for place, row in enumerate(page):
                if row.key == key:
                    return number * PAGE_ROWS + place
        return None


class Table(ScrollView, can_focus=True):
    """Rows under a header, one of them chosen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--cursor-away",
        *(f"table--{role}" for role in _ROLES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("home", "go(0)", "To the first", show=False),
        Binding("end", "go(-1)", "To the last", show=False),
        Binding("enter", "open", "Open", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Another row is chosen, or what it says has changed; None when there is none."""

        table: Table
        row: Row | None
        is_same: bool  # nobody has moved: what was shown was read again

        @property
        def control(self) -> Table:
            """The table it is from."""
            return self.table

    @dataclass
    class Opened(Message):
        """A row is opened: enter, or two clicks."""

        table: Table
        row: Row

        @property
        def control(self) -> Table:
            """The table it is from."""
            return self.table

    @dataclass
    class SortAsked(Message):
        """A column's title was clicked."""

        table: Table
        key: str

        @property
        def control(self) -> Table:
            """The table it is from."""
            return self.table

    @dataclass
    class Counted(Message):
        """It is known how many rows there are, or why that cannot be told."""

        table: Table
        count: int
        failure: Error | OSError | None

        @property
        def control(self) -> Table:
            """The table it is from."""
            return self.table

    @dataclass
    class Progress(Message, bubble=False):
        """Before there are rows, so many bytes of so many have to be read."""

        done: int
        total: int

    def __init__(self, threads: Threads, *, id: str, nothing: str) -> None:
        """Make one without rows.

        Args:
            threads: Where rows are read.
            nothing: What is said when there are none.
        """
        super().__init__(id=id)
        self._reading = Latest(self, threads)
        self._filling = Latest(self, threads)
        self._one_at_a_time = threading.Lock()  # sources are asked by one thread at a time
        self._nothing = nothing
        self._said = ("reading…", "dim")
        self._told_at = 0.0
        self._rows: Rows | None = None
        self._order: Order | None = None
        self._columns: Sequence[Column] = ()  # of what is shown, which may be older than the rows that are read
        self._pages: dict[int, list[Row]] = {}
        self._is_same = False  # what is shown is of these rows
        self._wanted_key: str | None = None
        self._chosen: Row | None = None
        self.count = 0
        self.cursor = 0

    # What it shows

    def show(self, rows: Rows | None, *, order: Order | None = None, key: str | None = None) -> None:
        """Show other rows; what was shown stays until they are read.

        Args:
            order: What the header marks.
            key: Of the row that is to be chosen, if it is among the first; else the first one is.
        """
        if self._rows is not None:
            self._rows.stop()
        self._rows = rows
        self._order = order
        self._wanted_key = key
        self._filling.forget()
        if rows is None:
            self._reading.forget()
            self._take(None, is_same=False)
        else:
            self._read(rows, is_same=False)

    def read_again(self) -> None:
        """Read what is shown anew: it may have changed. The row that is chosen stays the same one, where it can be."""
        if self._rows is not None:
            self._read(self._rows, is_same=self._is_same)

    def choose(self, key: str) -> None:
        """Choose the row with this key, once it has been read."""
        self._wanted_key = key
        self.read_again()

    @property
    def chosen(self) -> Row | None:
        """The row that is chosen."""
        return self._chosen

    def _read(self, rows: Rows, *, is_same: bool) -> None:
        """Have rows read.

        Args:
            is_same: They were read before; the row that is chosen then is to stay so.
        """
        self._is_same = is_same
        top, height, cursor = (int(self.scroll_y), self._room.height, self.cursor) if is_same else (0, 0, 0)

        def read() -> _Read:
            with self._one_at_a_time:
                found = _Read(rows)
                found.count = rows.count()
                last = max(0, found.count - 1)
                for index in (0, cursor, top, top + height):
                    found.page(min(index, last) // PAGE_ROWS)
                return found

        self._reading.ask(read, lambda found: self._take(found, is_same=is_same), self._fail)

    def _take(self, found: _Read | None, *, is_same: bool) -> None:
        # As it is now: while it was read, another row may have been chosen.
        cursor, key = (self.cursor, self._chosen.key if self._chosen is not None else None) if is_same else (0, None)
        key = self._wanted_key or key
        self._is_same = True
        self._said = (self._nothing, "dim")
        self._columns = () if found is None else found.rows.columns
        self._pages = {} if found is None else found.pages
        self.count = 0 if found is None else found.count
        place = found.find(key) if found is not None and key is not None else None
        self._wanted_key = None
        self._resize()
        self.post_message(self.Counted(self, self.count, None))
        was_seen = self.scroll_y <= self.cursor < self.scroll_y + self._room.height
        self._place(cursor if place is None else place, scroll=was_seen or not is_same)
        self._tell(is_same=is_same)
        self.refresh()

    def _fail(self, failure: Error | OSError) -> None:
        self._said = (str(failure), "bad")
        self._pages, self.count = {}, 0
        self._wanted_key = None
        self._resize()
        self.post_message(self.Counted(self, 0, failure))
        self._place(0)
        self._tell(is_same=False)
        self.refresh()

    def _fill(self) -> None:
        """Read the pages that are seen and not there."""
        rows = self._rows
        if rows is None:
            return
        first, last = int(self.scroll_y), min(self.count - 1, int(self.scroll_y) + self._room.height)
        missing = [page for page in range(first // PAGE_ROWS, last // PAGE_ROWS + 1) if page not in self._pages]
        if not missing or not self.count:
            return

        def read() -> dict[int, list[Row]]:
            with self._one_at_a_time:
                return {page: rows.read(page * PAGE_ROWS, PAGE_ROWS) for page in missing}

        self._filling.ask(read, self._filled, self._fail)

    def _filled(self, pages: dict[int, list[Row]]) -> None:
        while len(self._pages) > _MAX_PAGES:
            del self._pages[next(iter(self._pages))]
        self._pages.update(pages)
        self._tell()
        self.refresh()

    def _row(self, index: int) -> Row | None:
        page = self._pages.get(index // PAGE_ROWS, [])
        place = index % PAGE_ROWS
        return page[place] if place < len(page) else None

    @property
    def _room(self) -> Size:
        """What can be drawn in, without scrollbars."""
        return self.scrollable_content_region.size

    def note_progress(self, done: int, total: int) -> None:
        """Say how far it is, while there is nothing to be seen; from any thread."""
        now = time.monotonic()
        if now - self._told_at > _PROGRESS_SECONDS:
            self._told_at = now
            self.post_message(self.Progress(done, total))

    def on_table_progress(self, event: Progress) -> None:
        """Show it."""
        self._said = (f"reading logs: {human_size(event.done)} of {human_size(event.total)}", "dim")
        self.refresh()

    # The cursor

    def _set_cursor(self, index: int) -> None:
        self._place(index)
        self._tell()
        self.refresh()

    def _place(self, index: int, *, scroll: bool = True) -> None:
        self.cursor = max(0, min(index, self.count - 1))
        room = max(1, self._room.height - 1)
        if not scroll:
            pass  # somebody has scrolled away from it, and looks at something else
        elif self.cursor < self.scroll_y:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor > self.scroll_y + room - 1:
            self.scroll_to(y=self.cursor - room + 1, animate=False)

    def _tell(self, *, is_same: bool | None = None) -> None:
        """Say which row is chosen, when it is another one, or was read again, which *is_same* says then."""
        row = self._row(self.cursor) if self.count else None
        if row is None and self.count:
            self._chosen = None  # until it is read
            self._fill()
        elif is_same is not None or row != self._chosen:
            self._chosen = row
            self.post_message(self.Chosen(self, row, bool(is_same)))

    def action_move(self, step: int) -> None:
        """Choose another row."""
        self._set_cursor(self.cursor + step)

    def action_page(self, step: int) -> None:
        """Choose the row a screen further."""
        self._set_cursor(self.cursor + step * max(1, self._room.height - 2))

    def action_go(self, index: int) -> None:
        """Choose a row by its place, -1 for the last."""
        self._set_cursor(self.count - 1 if index < 0 else index)

    def action_open(self) -> None:
        """Open the row that is chosen."""
        if self._chosen is not None:
            self.post_message(self.Opened(self, self._chosen))

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked, and open it at the second click; sort by a column's title."""
        self.focus()
        if event.y == 0:
            self._click_title(event.x)
            return
        index = int(self.scroll_y) + event.y - 1
        if index < self.count:
            self._set_cursor(index)
            if event.chain == 2:
                self.action_open()

    def _click_title(self, x: int) -> None:
        end = 0
        for column, width in zip(self._columns, fit(self._columns, self._room.width), strict=True):
            end += width + GAP if width else 0
            if width and x < end:
                if column.sort:
                    self.post_message(self.SortAsked(self, column.sort))
                return

    # Drawing

    def _resize(self) -> None:
        self.virtual_size = Size(self._room.width, self.count + 1)

    def on_resize(self) -> None:
        """Keep the row that is chosen in sight."""
        self._resize()
        if self.count:
            self._set_cursor(self.cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Read what comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        self._fill()

    def on_focus(self) -> None:
        """Show which row keys are for."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that they are for another one."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line: the header, a row, or what is said instead."""
        width = self._room.width
        base = self.rich_style
        if self._rows is None or (not self.count and y > 0):
            return self._say(y, width, base)
        columns = self._columns
        widths = fit(columns, width)
        if y == 0:
            style = self.get_component_rich_style("table--header")
            cells = [Cell(self._title(column)) for column in columns]
            return _line(cells, columns, widths, width, lambda _: style)
        index = int(self.scroll_y) + y - 1
        if index >= self.count:
            return Strip.blank(width, base)
        row = self._row(index)
        cells = [Cell("…", "dim") if number < 2 else Cell("") for number in range(len(columns))]
        chosen = index == self.cursor
        name = "table--cursor" if self.has_focus else "table--cursor-away"
        over = self.get_component_rich_style(name, partial=True) if chosen else Style.null()

        def style_of(role: str) -> Style:
            return (self.get_component_rich_style(f"table--{role}") if role else base) + over

        return _line(cells if row is None else row.cells, columns, widths, width, style_of)

    def _title(self, column: Column) -> str:
        if self._order is None or not column.sort or column.sort != self._order.key:
            return column.title
        return f"{column.title} {'▾' if self._order.reverse else '▴'}"

    def _say(self, y: int, width: int, base: Style) -> Strip:
        text, role = self._said
        lines = wrapped(text, width - 2, f"table--{role}")
        if not 0 <= y - 2 < len(lines):
            return Strip.blank(width, base)
        (piece,) = lines[y - 2]
        return Strip([Segment(set_cell_size(" " + piece[0], width), self.get_component_rich_style(piece[1]))], width)


def _line(
    cells: Sequence[Cell], columns: Sequence[Column], widths: list[int], width: int, style_of: Callable[[str], Style]
) -> Strip:
    """Return cells beside each other, and the style of nothing behind them."""
    segments: list[Segment] = []
    plain = style_of("")
    for cell, column, cells_wide in zip(cells, columns, widths, strict=True):
        if cells_wide:
            segments.append(Segment(_cut(cell.text, column, cells_wide), style_of(cell.role)))
            segments.append(Segment(" " * GAP, plain))
    return Strip(segments).adjust_cell_length(width, plain)


def _cut(text: str, column: Column, width: int) -> str:
    """Return *text* in exactly *width* cells; what is too long ends, or of a path begins, with an ellipsis."""
    length = cell_len(text)
    if length <= width:
        padding = " " * (width - length)
        return padding + text if column.right else text + padding
    if not column.is_path:
        return set_cell_size(text, width - 1) + "…"
    tail = set_cell_size(text[::-1], width - 1)[::-1]
    return "…" + tail
