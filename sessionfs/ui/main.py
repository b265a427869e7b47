"""The main screen: sessions on the left, what is in the one that is chosen on the right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content as Text
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Static, Tab, Tabs

from sessionfs.api import FoundArtifact, Session, Store
from sessionfs.events.event import Event
from sessionfs.sessions import SessionInfo
from sessionfs.shown import unmistakable
from sessionfs.ui.about import TABS, about_session, tab_labels, title_of
from sessionfs.ui.acts import Chosen
from sessionfs.ui.commands import shell_text
from sessionfs.ui.listing import Listing
from sessionfs.ui.page import is_ending
from sessionfs.ui.panes import ArtifactsPane, Draw, EventsPane, SessionsPane, StatePane, TimelinePane
from sessionfs.ui.preview import Preview, command_of_row
from sessionfs.ui.rows import ArtifactRows, EventRows, Row, SessionRows, StateRows
from sessionfs.ui.table import Table
from sessionfs.ui.threads import Threads


class Main(Screen[None]):
    """Sessions, and what is in one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "app.act('create_session')", "New", tooltip="Make a session"),
        Binding("p", "app.act('put')", "Put", tooltip="Put files of yours into the session"),
        Binding("c", "app.act('checkpoint')", "Checkpoint", show=False, tooltip="Give the present moment a name"),
        Binding("f", "app.act('fork')", "Fork", show=False, tooltip="Begin a new session with what this one has"),
        Binding("u", "app.act('undo')", "Undo", tooltip="Take the last operations back"),
        Binding("U", "app.act('redo')", "Redo", show=False, tooltip="Bring back what was undone"),
        Binding("R", "app.act('restore')", "Restore", show=False, tooltip="Bring an earlier moment back"),
        Binding("S", "app.act('step')", "Suspend", show=False, tooltip="Suspend, resume or archive the session"),
        Binding("C", "app.act('complete')", "Complete", show=False, tooltip="End the session well"),
        Binding("X", "app.act('fail')", "Fail", show=False, tooltip="End the session badly"),
        Binding("T", "app.trash", "Trash", show=False, tooltip="What was deleted, and can be taken back"),
        *(
            Binding(str(number), f"tab('{name}')", name.capitalize(), show=False, tooltip=f"Show {name}")
            for number, name in enumerate(TABS, start=1)
        ),
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Pane before", show=False),
        Binding("left_square_bracket", "sessions", "Sessions", show=False, tooltip="Go to the sessions"),
        Binding("y", "app.copy_command", "Copy command", show=False, tooltip="Copy the command in the last line"),
        Binding("r", "read_again", "Read again", show=False, tooltip="Read everything again"),
    ]

    def __init__(self, store: Store, threads: Threads, draw: Draw, *, query: str, session_id: str | None) -> None:
        super().__init__()
        self._draw = draw
        self._store = store
        self._threads = threads
        self._query = query
        self._first_key = session_id
        self._info: SessionInfo | None = None
        self.command: list[str] = []

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        with Horizontal(id="panes"):
            yield SessionsPane(self._threads, self._query)
            with Vertical(id="right"):
                yield Static("", id="about", markup=False)
                yield Tabs(*(Tab(name.capitalize(), id=name) for name in TABS), id="tabs")
                with Horizontal(id="inside"):
                    with ContentSwitcher(initial="artifacts-pane", id="listings"):
                        yield ArtifactsPane(self._threads)  # the others come when they are asked for
                    yield Preview(self._threads, id="preview")
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show the sessions."""
        self._set_title("Sessions")
        pane = self.query_one(SessionsPane)
        pane.border_subtitle = Text(unmistakable(self._store.path))
        progress = pane.table.note_progress
        pane.show(lambda text, order: SessionRows(self._store, text, order, progress), key=self._first_key)
        pane.table.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Do nothing before everything is there, or on the way out: keys may come at any time."""
        return self._is_whole

    @property
    def _is_whole(self) -> bool:
        return not is_ending(self.app) and bool(self.query("#status"))

    # The session that is chosen

    @property
    def chosen(self) -> Chosen:
        """What is chosen."""
        row = self._row()
        value = None if row is None else row.value
        return Chosen(
            info=self._info,
            artifact=value if isinstance(value, FoundArtifact) else None,
            state=(row.key, value) if row is not None and isinstance(value, str) else None,
            event=value if isinstance(value, Event) else None,
        )

    def go_to(self, session_id: str) -> None:
        """Choose this session, if it is among those that are listed."""
        self.query_one(SessionsPane).table.choose(session_id)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        """Show what is in another session, or of another row."""
        if not self._is_whole:
            return
        if event.table.id == SessionsPane.TABLE:
            self._choose(event.row.value if event.row is not None else None)
        elif event.table is self.table:
            self._preview(event.row)
            if event.row is not None and self._info is not None and not event.is_same:
                self.show_command(command_of_row(event.row, self._info.id))

    def _choose(self, info: SessionInfo | None) -> None:
        before, self._info = self._info, info
        if info == before:
            return
        about = self.query_one("#about", Static)
        is_damaged = info is not None and info.damage is not None
        about.update(about_session(info), layout=is_damaged)
        about.set_class(is_damaged, "damaged")
        for name, label in tab_labels(info).items():
            tab = self.query_one(f"#{name}", Tab)
            if tab.label_text != label.plain:
                tab.label = label
        self.query_one("#right").border_title = title_of(info)
        if (None if before is None else before.id) != (None if info is None else info.id):
            self._show_tab()

    def _session(self) -> Callable[[], Session]:
        """Return what opens the session that is chosen; to be called in a thread."""
        store, session_id = self._store, self._info.id if self._info is not None else ""
        return lambda: store.sessions[session_id]

    # What is in it

    @property
    def tab(self) -> str:
        return (self.query_one(ContentSwitcher).current or TABS[0]).removesuffix("-pane")

    @property
    def table(self) -> Table | None:
        pane = self.query_one(f"#{self.tab}-pane")
        return pane.table if isinstance(pane, Listing) else None

    def _row(self) -> Row | None:
        table = self.table
        return None if table is None else table.chosen

    def _show_tab(self) -> None:
        """Have the listing that is seen read, of the session that is chosen; the others when they are seen."""
        info, store, session = self._info, self._store, self._session()
        pane = self.query_one(f"#{self.tab}-pane")
        if isinstance(pane, TimelinePane):
            pane.draw(None if info is None else partial(store.timeline, info.id))
        elif info is None:
            self.query_one(f"#{self.tab}-pane", Listing).show(None)
        elif isinstance(pane, ArtifactsPane):
            session_id = info.id
            pane.show(lambda text, order: ArtifactRows(store, session_id, text, order))
        elif isinstance(pane, StatePane):
            pane.show(lambda text, _: StateRows(session, text))
        elif isinstance(pane, EventsPane):
            pane.show(lambda text, _: EventRows(session, text))

    async def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Show another listing of the session."""
        await self._switch(event.tab.id or TABS[0])

    async def _switch(self, name: str) -> None:
        switcher = self.query_one(ContentSwitcher)
        if switcher.current == f"{name}-pane":
            return
        if not switcher.query(f"#{name}-pane"):
            await switcher.add_content(self._make_pane(name))
        switcher.current = f"{name}-pane"
        self.query_one("#inside").set_class(name == "timeline", "alone")
        self.query_one(Preview).show_elsewhere()
        self._show_tab()

    def _make_pane(self, name: str) -> Widget:
        if name == "timeline":
            return TimelinePane(self._threads, self._draw)
        return {"artifacts": ArtifactsPane, "state": StatePane, "events": EventsPane}[name](self._threads)

    async def action_tab(self, name: str) -> None:
        """Show another listing, and go there."""
        await self._switch(name)  # at once: the next key is for it
        self.query_one(Tabs).active = name
        pane = self.query_one(f"#{name}-pane")
        self.set_focus(pane.table if isinstance(pane, Listing) else pane)

    def action_sessions(self) -> None:
        """Go to the sessions."""
        self.query_one(SessionsPane).table.focus()

    # What is seen of a row

    def _preview(self, row: Row | None) -> None:
        preview = self.query_one(Preview)
        if preview.region:
            preview.show_row(row)
        else:
            preview.show_elsewhere()  # there is no room for it: enter shows it

    async def on_table_opened(self, event: Table.Opened) -> None:
        """Go into a session; show a row on a screen of its own."""
        if event.table.id == SessionsPane.TABLE:
            await self.action_tab(self.tab)
        elif self._info is not None:
            self.post_message(self.Viewed(event.row, command_of_row(event.row, self._info.id)))

    class Viewed(Message):
        """A row is to be seen on a screen of its own."""

        def __init__(self, row: Row, words: list[str]) -> None:
            super().__init__()
            self.row = row
            self.words = words

    def action_versions(self) -> None:
        """Show the versions of the artifact that is chosen."""
        artifact = self.chosen.artifact
        if artifact is not None:
            self.post_message(self.VersionsAsked(artifact, self._session()))

    class VersionsAsked(Message):
        """The versions of an artifact are to be seen."""

        def __init__(self, artifact: FoundArtifact, session: Callable[[], Session]) -> None:
            super().__init__()
            self.artifact = artifact
            self.session = session

    # What others do

    def take_in(self, moved: dict[str, int]) -> None:
        """Show what has happened in sessions; in which, if there are none."""
        if not self._is_whole:
            return
        self.query_one(SessionsPane).table.read_again()
        if self._info is not None and (not moved or self._info.id in moved):
            self._read_tab_again()

    def action_read_again(self) -> None:
        """Read everything again."""
        if not self._is_whole:
            return
        self.query_one(SessionsPane).table.read_again()
        self._read_tab_again()

    def _read_tab_again(self) -> None:
        table = self.table
        if table is not None:
            table.read_again()
        else:
            self._show_tab()

    # The last line

    def on_table_counted(self, event: Table.Counted) -> None:
        """Say how many there are."""
        if self.query(SessionsPane) and event.table.id == SessionsPane.TABLE:
            self._set_title(f"Sessions {event.count:,}")

    def _set_title(self, text: str) -> None:
        self.query_one(SessionsPane).border_title = Text(text)

    def show_command(self, words: list[str]) -> None:
        """Show the command that does the same as what was just done."""
        self.command = words
        self.query_one("#status", Static).update(f"$ sessionfs {shell_text(words)}", layout=False)
