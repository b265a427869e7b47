"""Where the rows of tables come from: counted, and read a page at a time, in threads."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sessionfs.api import Found, FoundArtifact, Session, Store
from sessionfs.artifacts import text_of
from sessionfs.clock import format_time
from sessionfs.events.event import Event
from sessionfs.events.summary import is_failure, summary
from sessionfs.query import Subject, session_query
from sessionfs.query.order import make_page
from sessionfs.sessions import SessionInfo, Status
from sessionfs.shown import human_size, human_time, unmistakable
from sessionfs.ui.columns import Column
from sessionfs.ui.commands import command

# A value of the state is shown up to here.
_VALUE_SIGNS = 300

# Events that fit a filter are looked for in so many at a time, 0.1 s, however seldom one does: then it can be stopped.
_EVENTS_AT_ONCE = 10_000

MARKS = {
    Status.ACTIVE: ("●", "good"),
    Status.SUSPENDED: ("‖", "warn"),
    Status.COMPLETED: ("✓", "dim"),
    Status.FAILED: ("✗", "bad"),
    Status.ARCHIVED: ("▪", "dim"),
}


class Cell(NamedTuple):
    """One text, and what it is, which decides its colour: ``good``, ``bad``, ``warn``, ``dim``, ``accent`` or "" ."""

    text: str
    role: str = ""


class Row(NamedTuple):
    """One row; the key says that it is the same one after everything was read again."""

    key: str
    cells: tuple[Cell, ...]
    value: Any


class Rows(Protocol):
    """A source of rows. It is called in threads, by one at a time."""

    @property
    def columns(self) -> Sequence[Column]:
        """What the cells of each row are."""

    def count(self) -> int:
        """Look how many there are now; what :meth:`read` gives is of the same moment, or of a later one."""

    def read(self, offset: int, limit: int) -> list[Row]:
        """Return rows, in order."""

    def stop(self) -> None:
        """Give up counting, from another thread: nobody waits for it any more."""


class Order(NamedTuple):
    """How rows are sorted."""

    key: str
    reverse: bool = False


class SessionRows:
    """The sessions that a query finds."""

    columns = (
        Column("", 1, 1),
        Column("session", 12, 0, sort="name", wish=24),
        Column("id", 12, 36, sort="id", rank=4),
        Column("artifacts", 11, 11, right=True, sort="artifacts", rank=1),
        Column("size", 10, 10, right=True, sort="size", rank=3),
        Column("updated", 16, 16, sort="updated", rank=2),
    )
    orders = ("created", "updated", "name", "status", "artifacts", "events", "size", "id")

    def __init__(self, store: Store, query: str, order: Order, progress: Callable[[int, int], None]) -> None:
        """Prepare it.

        Args:
            progress: Told, in a thread, how many bytes of logs have been read, and of how many, when there are any to
                be read: a store without an index takes its time.
        """
        self._store = store
        self._query = query
        self._order = order
        self._progress = progress

    def count(self) -> int:
        page = make_page(Subject.SESSIONS, sort=self._order.key, reverse=self._order.reverse)
        return Found(self._store, session_query(self._query), page, lambda info: info, progress=self._progress).count()

    def read(self, offset: int, limit: int) -> list[Row]:
        found = self._store.find_sessions(
            self._query, sort=self._order.key, reverse=self._order.reverse, offset=offset, limit=limit
        )
        return [_row_of_session(info) for info in found]

    def stop(self) -> None:
        pass

    def command(self) -> list[str]:
        """Return the command that lists the same."""
        return command("find", *filter(None, [self._query]), options=["--sessions", *_sorted_by(self._order)])


def _row_of_session(info: SessionInfo) -> Row:
    mark = ("!", "bad") if info.damage is not None else MARKS[info.status]
    cells = (
        Cell(*mark),
        Cell(unmistakable(info.name or info.id), "bad" if info.damage is not None else ""),
        Cell(info.id if info.name else "", "dim"),
        Cell(f"{info.artifact_count:,}"),
        Cell(human_size(info.size)),
        Cell(_minute(info.updated_ns), "dim"),
    )
    return Row(info.id, cells, info)


class ArtifactRows:
    """The artifacts of one session that a query finds."""

    columns = (
        Column("path", 14, 0, sort="path", is_path=True, wish=32),
        Column("v", 3, 4, right=True, rank=4),
        Column("size", 10, 10, right=True, sort="size", rank=1),
        Column("type", 12, 14, sort="type", rank=3),
        Column("tags", 8, 20, rank=5),
        Column("updated", 16, 16, sort="updated", rank=2),
    )
    orders = ("path", "updated", "size", "name", "type", "created", "modified")

    def __init__(self, store: Store, session_id: str, query: str, order: Order) -> None:
        self._store = store
        self._session_id = session_id
        self._query = query
        self._order = order

    def count(self) -> int:
        return self._store.find(self._query, session=self._session_id).count()

    def read(self, offset: int, limit: int) -> list[Row]:
        order = self._order
        found = self._store.find(
            self._query, session=self._session_id, sort=order.key, reverse=order.reverse, offset=offset, limit=limit
        )
        return [_row_of_artifact(artifact) for artifact in found]

    def stop(self) -> None:
        pass

    def command(self) -> list[str]:
        """Return the command that lists the same."""
        words = f"session={self._session_id} {self._query}".strip()
        return command("find", words, options=["--long", *_sorted_by(self._order)])


def _row_of_artifact(artifact: FoundArtifact) -> Row:
    is_file = artifact.kind == "file"
    path = unmistakable(artifact.path)
    if artifact.kind == "symlink":
        path += f" -> {unmistakable(artifact.target or '')}"
    role = "" if artifact.is_live else "gone"
    cells = (
        Cell(path, role),
        Cell(str(artifact.version) if artifact.version else "", "dim"),
        Cell(human_size(artifact.size) if is_file else artifact.kind, "" if is_file else "dim"),
        Cell(unmistakable(artifact.type), "accent"),
        Cell(unmistakable(", ".join(artifact.tags)), "good"),
        Cell(_minute(artifact.updated_ns), "dim"),
    )
    key = text_of(artifact.path) if artifact.is_live else f"{text_of(artifact.path)}\0{artifact.id}"
    return Row(key, cells, artifact)


def _minute(time_ns: int) -> str:
    return human_time(format_time(time_ns))[:16]


def _sorted_by(order: Order) -> list[str]:
    return ["--sort", order.key, *(["--reverse"] if order.reverse else [])]


class StateRows:
    """The keys and values of one session's state."""

    columns = (Column("key", 10, 32), Column("value", 12, 0))

    def __init__(self, session: Callable[[], Session], prefix: str) -> None:
        self._session = session
        self._prefix = prefix
        self._keys: list[str] = []

    def count(self) -> int:
        self._keys = self._session().state.list(self._prefix)
        return len(self._keys)

    def read(self, offset: int, limit: int) -> list[Row]:
        state = self._session().state
        rows = []
        for key in self._keys[offset : offset + limit]:
            text = json.dumps(state.get(key), ensure_ascii=False)
            shown = text if len(text) <= _VALUE_SIGNS else text[:_VALUE_SIGNS] + "…"
            rows.append(Row(key, (Cell(unmistakable(key), "accent"), Cell(unmistakable(shown))), text))
        return rows

    def stop(self) -> None:
        pass


class EventRows:
    """The events of one session, the newest first."""

    columns = (
        Column("seq", 6, 7, right=True, rank=1),
        Column("time", 19, 19, rank=2),
        Column("type", 16, 20),
        Column("what happened", 12, 0, wish=22),
    )

    def __init__(self, session: Callable[[], Session], words: str) -> None:
        """Prepare it.

        Args:
            words: ``type:GLOB``, ``actor:GLOB``, and a text that is to be in the data; all, when there are none.
        """
        self._session = session
        self._types, self._actor, self._text = split_words(words)
        self._count = 0
        self._seqs = array("q")  # of those that are asked for; unused when all are
        self._read_up_to = 0
        self._is_stopped = False

    @property
    def _takes_all(self) -> bool:
        return not (self._types or self._actor or self._text)

    def count(self) -> int:
        session = self._session()
        self._count = session.event_count
        if self._takes_all:
            return self._count
        while self._read_up_to < self._count and not self._is_stopped:
            start, end = self._read_up_to, min(self._read_up_to + _EVENTS_AT_ONCE, self._count)
            found = session.events(*self._types, actor=self._actor, text=self._text, start=start, end=end)
            self._seqs.extend(event.seq for event in found)
            self._read_up_to = end
        return len(self._seqs)

    def read(self, offset: int, limit: int) -> list[Row]:
        session = self._session()
        if self._takes_all:
            end = self._count - offset
            start = max(0, end - limit)
            found = session.events(start=start, end=end) if end > 0 else iter(())
            return [_row_of_event(event) for event in list(found)[::-1]]
        seqs = self._seqs[::-1][offset : offset + limit]
        events = (event for seq in seqs for event in islice(session.events(start=seq, end=seq + 1), 1))
        return [_row_of_event(event) for event in events]

    def stop(self) -> None:
        self._is_stopped = True


def split_words(words: str) -> tuple[tuple[str, ...], str | None, str | None]:
    """Return the types, the actor and the text that are asked for."""
    types, actor, text = [], None, []
    for word in words.split():
        if word.startswith("type:") and len(word) > 5:
            types.append(word[5:])
        elif word.startswith("actor:") and len(word) > 6:
            actor = word[6:]
        else:
            text.append(word)
    return tuple(types), actor, " ".join(text) or None


def _row_of_event(event: Event) -> Row:
    role = "bad" if event.type in ("error.occurred", "session.failed") or is_failure(event) else ""
    role = "warn" if event.type == "warning.raised" else role
    cells = (
        Cell(str(event.seq), "dim"),
        Cell(human_time(event.time), "dim"),
        Cell(unmistakable(event.type), role or "accent"),
        Cell(unmistakable(summary(event)), role),
    )
    return Row(str(event.seq), cells, event)


class ListRows:
    """Rows that are all there at once: read anew when they are counted."""

    def __init__(self, columns: Sequence[Column], load: Callable[[], list[Row]]) -> None:
        self.columns = columns
        self._load = load
        self._rows: list[Row] = []

    def count(self) -> int:
        self._rows = self._load()
        return len(self._rows)

    def read(self, offset: int, limit: int) -> list[Row]:
        return self._rows[offset : offset + limit]

    def stop(self) -> None:
        pass
