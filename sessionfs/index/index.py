"""The index of one store: brought up to date when somebody asks, and asked."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from sessionfs.clock import format_time
from sessionfs.index import find, logs
from sessionfs.index.database import Database
from sessionfs.index.keeper import TRIES, Keeper, Progress, interrupted, read_files, unusable
from sessionfs.index.place import find_place
from sessionfs.index.schema import FORMAT, PAST
from sessionfs.index.sqlite import NoIndex
from sessionfs.query.order import Page
from sessionfs.query.terms import Query
from sessionfs.store.store import Store

_Result = TypeVar("_Result")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an index stands."""

    path: str | None  # None for one in memory
    is_there: bool
    format: int = FORMAT
    size: int = 0  # bytes
    session_count: int = 0
    artifact_count: int = 0
    version_count: int = 0  # what was there once
    event_count: int = 0
    moved_count: int = 0  # sessions that have moved since
    made_ns: int | None = None
    reading_ns: int | None = None  # how long reading all logs took then

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        plain = {field: getattr(self, field) for field in self.__struct_fields__}
        plain["made_at"] = None if self.made_ns is None else format_time(self.made_ns)
        del plain["made_ns"]
        return plain


class Index:
    """The index of one store. Thread-safe, and safe beside other processes."""

    def __init__(self, store: Store, *, env: Mapping[str, str] | None = None) -> None:
        """Prepare it; nothing is read or made before somebody asks.

        Args:
            env: Where the user's cache directory is looked for; the process's environment by default.
        """
        self._store = store
        self._database = Database(find_place(store.disk, store.path, os.environ if env is None else env))
        self._keeper = Keeper(store, self._database)

    def close(self) -> None:
        """Let go of its files; it can go on being used."""
        self._keeper.close()
        self._database.close()

    # Asking

    def find(self, query: Query, page: Page, *, progress: Progress | None = None) -> Iterator[Any]:
        """Yield what *query* asks for, in order; see :func:`sessionfs.index.find.find`. First takes in what is new.

        Raises:
            Error: The store cannot be read, or the index neither used nor made.

        Concurrency:
            All that is given is of one moment, at which the first one is asked for.
        """
        self._keeper.refresh(progress)
        return self._read_all(query, page)

    def count(self, query: Query, *, progress: Progress | None = None) -> int:
        """Return how many *query* asks for; otherwise as :meth:`find`."""
        self._keeper.refresh(progress)
        return self._read(lambda connection: find.count(connection, query))

    def explain(self, query: Query, page: Page, *, progress: Progress | None = None) -> list[str]:
        """Return in words how *query* is answered; otherwise as :meth:`find`."""
        self._keeper.refresh(progress)
        return self._read(lambda connection: find.explain(connection, query, page))

    def ask(self, question: Callable[[sqlite3.Connection], _Result], *, progress: Progress | None = None) -> _Result:
        """Return what *question* makes of the tables, as they are at one moment; first takes in what is new.

        Args:
            question: May be called again, if the index turns out to be damaged meanwhile.

        Raises:
            Error: As with :meth:`find`.
        """
        self._keeper.refresh(progress)
        return self._read(question)

    def _read(self, ask: Callable[[sqlite3.Connection], _Result]) -> _Result:
        for _ in range(TRIES):
            try:
                with self._database.reading() as connection:
                    return ask(connection)
            except NoIndex:
                self._keeper.make()
        raise unusable(self._database)

    def _read_all(self, query: Query, page: Page) -> Iterator[Any]:
        if page.limit is not None or not self._database.is_shared:
            yield from self._read(lambda connection: list(find.find(connection, query, page)))
            return
        given = 0
        for _ in range(TRIES):
            try:
                with self._database.reading() as connection:
                    for one in find.find(connection, query, page):
                        given += 1
                        yield one
                    return
            except NoIndex:
                self._keeper.make()
                if given:  # which is not taken back
                    raise interrupted(self._database) from None
        raise unusable(self._database)

    # Its life

    @property
    def path(self) -> str | None:
        """Where it is; None for one in memory."""
        return self._database.path

    @property
    def generation(self) -> int:
        """A number that is another one when :meth:`refresh` has found something new since."""
        return self._keeper.generation

    def refresh(self, progress: Progress | None = None) -> None:
        """Take in what was appended to logs; make the index if there is none that can be used."""
        self._keeper.refresh(progress)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make the index anew from the logs, whatever there is."""
        self._keeper.make(progress, replace=True)

    def drop(self) -> bool:
        """Remove the index; say whether there was one. Whoever asks next makes it again."""
        return self._database.drop()

    def standing(self) -> Standing:
        """Return how the index stands, without bringing it up to date."""
        try:
            with self._database.reading() as connection:
                return self._standing(connection)
        except NoIndex:
            return Standing(path=self._database.path, is_there=False)

    def _standing(self, connection: sqlite3.Connection) -> Standing:
        def ask(statement: str) -> int:
            return connection.execute(statement).fetchone()[0] or 0

        about = dict(connection.execute("SELECT name, value FROM about"))
        moved = logs.find_moved(self._store, read_files(connection))
        return Standing(
            path=self._database.path,
            is_there=True,
            size=self._database.size(),
            session_count=ask("SELECT count(*) FROM sessions WHERE is_there"),
            artifact_count=ask("SELECT sum(artifact_count) FROM sessions WHERE is_there"),
            version_count=ask(f"SELECT count(*) FROM artifacts WHERE standing = {PAST}"),
            event_count=ask("SELECT count(*) FROM events"),
            moved_count=len(moved.changed) + len(moved.gone),
            made_ns=about.get("made_ns"),
            reading_ns=about.get("reading_ns"),
        )
