"""The index of texts of one store: brought up to date when somebody asks, and asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.errors import Denied
from sessionfs.index import Index
from sessionfs.index.database import Database, FileId
from sessionfs.index.keeper import TRIES, unusable
from sessionfs.index.sqlite import NoIndex, is_damage
from sessionfs.search.asking import Asked, Hit, find_hits, matches
from sessionfs.search.fill import Progress, catch_up
from sessionfs.search.schema import TEXT, TEXTS, WAITING
from sessionfs.store.store import Store

SUFFIX = ".text"
"""Behind the index's own name: what is said of ``index.sqlite*`` holds for it too."""


class SearchIsOff(Denied):
    """config.toml says that words are not indexed."""


class TextStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How the index of texts stands."""

    path: str | None
    is_there: bool
    size: int = 0  # bytes
    content_count: int = 0  # that were looked at
    text_count: int = 0  # of these, with text
    waiting_count: int = 0  # of these, for what is not installed
    event_count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {field: getattr(self, field) for field in self.__struct_fields__}


class _Damaged(Exception):
    """What is read is damaged: said so that it is not taken for damage of the index that is read beside it."""


class Texts:
    """The index of texts of one store. Thread-safe, and safe beside other processes."""

    def __init__(self, store: Store, index: Index) -> None:
        """Prepare it; nothing is read or made before somebody asks."""
        self._store = store
        self._index = index
        self._database = Database(None if index.path is None else index.path + SUFFIX, TEXTS)
        self._is_at: tuple[int, FileId | None] | None = None  # the generation of the index up to which this file is

    def close(self) -> None:
        """Let go of its files; it can go on being used."""
        self._database.close()

    def search(self, asked: Asked, *, progress: Progress | None = None) -> list[Hit]:
        """Return what the words find, the best first. First takes in what is new.

        Args:
            progress: Told how many bytes of contents were read, and of how many.

        Raises:
            SearchIsOff: It is turned off.
            Error: The store cannot be read, or an index neither used nor made.
        """
        for _ in range(TRIES):
            try:
                self._refresh(progress)
                with self._database.reading() as connection:
                    return self._index.ask(lambda index: find_hits(index, asked, _guarded(connection, asked)))
            except (NoIndex, _Damaged):
                self._make()
        raise unusable(self._database)

    def refresh(self, progress: Progress | None = None) -> None:
        """Take in what is new; make the index of texts if there is none that can be used."""
        for _ in range(TRIES):
            try:
                self._refresh(progress)
                return
            except NoIndex:
                self._make()
        raise unusable(self._database)

    def _refresh(self, progress: Progress | None) -> None:
        if not self._store.config.search:
            raise SearchIsOff(
                f"words are not indexed in {self._store.path}: config.toml says search.enabled = false; change that, "
                "or use grep"
            )
        self._index.refresh()
        place = self._index.generation, self._database.file()
        if place != self._is_at or place[1] is None:
            catch_up(self._store, self._index, self._database, progress)
            self._is_at = place

    def _make(self) -> None:
        self._is_at = None
        self._database.make(lambda connection: None, replace=False)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make it anew, whatever there is."""
        self._is_at = None
        self._database.make(lambda connection: None, replace=True)
        self.refresh(progress)

    def drop(self) -> bool:
        """Remove it; say whether there was one."""
        self._is_at = None
        return self._database.drop()

    def standing(self) -> TextStanding:
        """Return how it stands, without bringing it up to date."""
        try:
            with self._database.reading() as connection:
                return self._standing(connection)
        except NoIndex:
            return TextStanding(path=self._database.path, is_there=False)

    def _standing(self, connection: sqlite3.Connection) -> TextStanding:
        states = dict(connection.execute("SELECT state, count(*) FROM contents GROUP BY state"))
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return TextStanding(
            path=self._database.path,
            is_there=True,
            size=self._database.size(),
            content_count=sum(states.values()),
            text_count=states.get(TEXT, 0),
            waiting_count=states.get(WAITING, 0),
            event_count=events,
        )


def _guarded(connection: sqlite3.Connection, asked: Asked) -> Iterator[tuple[str, tuple[Any, ...]]]:
    try:
        yield from matches(connection, asked)
    except sqlite3.Error as failure:
        if is_damage(failure):
            raise _Damaged from failure
        raise
