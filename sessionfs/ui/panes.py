"""The listings of the browser, and the keys that are for what is chosen in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from sessionfs.analytics.timeline import Timeline
from sessionfs.errors import Error
from sessionfs.query import Subject, parse_query
from sessionfs.ui.content import Content, Line, wrapped
from sessionfs.ui.latest import Latest
from sessionfs.ui.lines import Lines
from sessionfs.ui.listing import Listing
from sessionfs.ui.rows import ArtifactRows, Order, SessionRows
from sessionfs.ui.threads import Threads


class SessionsPane(Listing):
    """The sessions of the store."""

    TABLE = "sessions-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "app.act('tag_session')", "Tag", tooltip="Tag, name or describe the session"),
        Binding("d,delete", "app.act('delete_session')", "Delete", tooltip="Move the session to the trash"),
    ]

    def __init__(self, threads: Threads, query: str) -> None:
        super().__init__(
            threads,
            name="sessions",
            nothing="No session is so. n makes one.",
            hint="/ status:failed tag:q4 after:7d",
            typed=query,
            orders=SessionRows.orders,
            order=Order("created", reverse=True),
            check=lambda text: parse_query(text, Subject.SESSIONS),
        )


class ArtifactsPane(Listing):
    """The artifacts of the session that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "screen.versions", "Versions", tooltip="Versions, and what differs between two"),
        Binding("g", "app.act('get')", "Copy out", tooltip="Copy the artifact out, to a file of yours"),
        Binding("t", "app.act('tag')", "Tag", tooltip="Tag the artifact"),
        Binding("m", "app.act('move')", "Move", show=False, tooltip="Move or rename the artifact"),
        Binding("d,delete", "app.act('remove')", "Remove", tooltip="Remove the artifact"),
    ]

    def __init__(self, threads: Threads) -> None:
        super().__init__(
            threads,
            name="artifacts",
            nothing="No artifact is so. p puts a file in.",
            hint="/ *.csv type:log size:>1M versions:all",
            orders=ArtifactRows.orders,
            order=Order("path"),
            check=parse_query,
        )


class StatePane(Listing):
    """The state of the session that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "app.act('set_state')", "Set", tooltip="Set a value, of the key that is chosen or of another"),
        Binding("d,delete", "app.act('remove_state')", "Delete", tooltip="Delete the key"),
    ]

    def __init__(self, threads: Threads) -> None:
        super().__init__(threads, name="state", nothing="No key begins so. e sets one.", hint="/ how the key begins")


class EventsPane(Listing):
    """The events of the session that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "app.act('checkpoint_here')", "Checkpoint", tooltip="Give the moment after this event a name"),
        Binding("f", "app.act('fork_here')", "Fork", tooltip="Fork the session as it was after this event"),
        Binding("R", "app.act('restore_here')", "Restore", tooltip="Bring the moment after this event back"),
    ]

    def __init__(self, threads: Threads) -> None:
        super().__init__(threads, name="events", nothing="No event is so.", hint="/ type:tool.* actor:uid:* text")


Draw = Callable[[Timeline, int], list[Line]]
"""Draws a timeline, in so many cells."""


class TimelinePane(Lines):
    """When things happened in the session that is chosen, and in those below it."""

    def __init__(self, threads: Threads, draw: Draw) -> None:
        super().__init__(id="timeline-pane")
        self._drawing = Latest(self, threads)
        self._draw_it = draw
        self._ask: Callable[[], Timeline] | None = None

    def draw(self, ask: Callable[[], Timeline] | None) -> None:
        """Draw what *ask* gives, which is called in a thread; nothing for None."""
        self._ask = ask
        width = self.scrollable_content_region.width - 1
        if ask is None:
            self._drawing.forget()
            self._take(Content([]))
        elif width > 0:
            self._drawing.ask(lambda: Content(self._draw_it(ask(), width)), self._take, self._fail)

    def on_resize(self) -> None:
        """Draw it in the width that there is."""
        super().on_resize()
        self.draw(self._ask)

    def _take(self, content: Content) -> None:
        self.show(content, keep_place=True)

    def _fail(self, failure: Error | OSError) -> None:
        self._take(Content(wrapped(str(failure), self.scrollable_content_region.width, "bad")))
