"""Opening a store, and its sessions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sessionfs.api.analysing import Analysing
from sessionfs.api.copying import Copying
from sessionfs.api.exchanging import Exchanging
from sessionfs.api.searching import Searching
from sessionfs.api.session import Session
from sessionfs.api.times import Time, to_ns
from sessionfs.api.upkeep import Upkeep
from sessionfs.correlation import inherit
from sessionfs.durable import BackgroundSync
from sessionfs.errors import Error, InvalidInput, NotFound
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import read_all, selecting
from sessionfs.hooks import StoreHooks
from sessionfs.objects import ObjectDatabase
from sessionfs.sessions import Filter, SessionInfo, Status, parse_status
from sessionfs.store import store as domain
from sessionfs.store.layout import find_store, is_store

if TYPE_CHECKING:
    from sessionfs.api.templates import Templates
    from sessionfs.templates import Template
    from sessionfs.watch import Start, Watch

SESSION_VARIABLE = "SESSIONFS_SESSION"


class NoTemplate(InvalidInput):
    """Variables were given, and no template that has some."""


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    create: bool = False,
    profile: str = "default",
    actor: str | None = None,
    background_sync: bool = True,
) -> Store:
    """Open a store.

    Args:
        path: Its directory; found by :func:`find_store` when none is given.
        create: Make it if it is not there.
        profile: What a store that is made starts with: ``default`` or ``guarded``.
        actor: Who does what is done through it, as its records will say; ``uid:<number>`` by default.
        background_sync: Sync in a thread, once per ``durability.interval`` while something is written; without it, call
            :meth:`Store.sync` or :meth:`Store.close`.

    What the process was started with (``SESSIONFS_CORRELATION_ID``, ``TRACEPARENT``; see :func:`environment`) is in all
    that it records.

    Raises:
        NotFound: There is no store.
        Unsupported: It was made by a newer sessionfs.
        InvalidInput: Its config.toml, or one of these variables, cannot be understood.

    Durability:
        A store that is made survives a power cut.
    """
    inherit(os.environ)
    place = os.fspath(path) if path is not None else find_store(os.environ, None, for_creation=create)
    if create and not is_store(place):
        domain.Store.create(place, profile=profile)
    return Store(domain.Store(place, actor=actor), background_sync=background_sync)


class Store(Searching, Upkeep, Analysing, Copying, Exchanging):
    """An open store. Thread-safe, and safe beside other processes; usable as a context manager."""

    def __init__(self, store: domain.Store, *, background_sync: bool = False) -> None:
        """Wrap an open store of the floor below; :func:`open` is the usual way."""
        super().__init__(store)
        self.hooks = StoreHooks(store)
        store.install_hooks(self.hooks)
        self.sessions = Sessions(self)
        self._sync_thread: BackgroundSync | None = None
        if background_sync:
            self._sync_thread = BackgroundSync(store.unsynced, store.sync, store.config.sync_interval_ns)

    @property
    def path(self) -> str:
        """The store's directory, absolute."""
        return self.core.path

    @property
    def objects(self) -> ObjectDatabase:
        """The content below it all: immutable bytes by oid."""
        return self.core.objects

    @property
    def templates(self) -> Templates:
        """What sessions can be made from, by name."""
        from sessionfs.api.templates import Templates
        from sessionfs.templates import user_directory

        return Templates(self.core, user_directory(os.environ))

    def events(
        self,
        *types: str,
        sessions: Iterable[str | Session] | None = None,
        since: Time | None = None,
        until: Time | None = None,
        actor: str | None = None,
        correlation: str | None = None,
        text: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[Event]:
        """Yield the events of several sessions, of all by default, in the order of their times.

        The rest is as in :meth:`Session.events`. What is good is read before damage is reported.
        """
        query = Query(
            types=types,
            since_ns=to_ns(since),
            until_ns=to_ns(until),
            actor=actor,
            correlation=correlation,
            text=text,
            reverse=reverse,
            limit=limit,
        )
        chosen = None if sessions is None else [one.id if isinstance(one, Session) else one for one in sessions]
        return read_all(self.core, query, chosen)

    def watch(
        self,
        *types: str,
        sessions: Iterable[str | Session] | None = None,
        start: Start = None,
        actor: str | None = None,
        correlation: str | None = None,
        text: str | None = None,
        poll: bool | None = None,
        on_error: Callable[[str, Error], None] | None = None,
    ) -> Watch[Event]:
        """Watch what is appended from now on, by whichever process: each event once, those of a session in order.

        What it returns is an iterator that waits for the next event, an asynchronous one under trio and asyncio, and a
        context manager. While nothing happens it costs nothing.

        Args:
            types, actor, correlation, text: Only such events, as in :meth:`Session.events`.
            sessions: Only of these, until they are deleted; by default of all, also those to come.
            start: Begin with what is there: with the event of this number in each session, or of these numbers by
                session (0 for those without one). So a watcher that was killed goes on after what it has seen.
            poll: Look every 40 ms instead of being told; by default only where the filesystem tells nobody.
            on_error: Called with a session's id when its log cannot be read on, or, with *text*, when the data of an
                event are lost; the others are watched further. By default that is raised, after the events before it,
                and can be gone on after.

        Raises:
            NotFound: There is no such session.
            InvalidInput: No event can be what was asked for.
        """
        from sessionfs.watch import Watch  # late: most programs watch nothing

        make = selecting(Query(types=types, actor=actor, correlation=correlation, text=text), self.objects)
        chosen = None if sessions is None else [self.core.session(_id_of(one)).id for one in sessions]
        return Watch(self.core, chosen, make, start=start, poll=poll, on_error=on_error)

    def sync(self, *, everything: bool = False) -> None:
        """Put everything this process wrote on stable storage.

        Args:
            everything: Also what other processes wrote to the store; syncs the whole filesystem.

        Durability:
            It survives a power cut when this returns, in either mode, and so does what stands before it in the logs.
        """
        if everything:
            self.core.sync_everything()
        else:
            self.core.sync()

    def close(self) -> None:
        """Sync, and let go of threads and descriptors. The store can be used again, without background syncing."""
        thread, self._sync_thread = self._sync_thread, None
        if thread is not None:
            thread.stop()
        self.core.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sessionfs.Store {self.path!r}>"


class Sessions(Mapping[str, Session]):
    """The sessions of a store, by id, in the order of their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._core = store.core

    def __getitem__(self, session_id: str) -> Session:
        return Session(self._core.load(self._core.session(session_id)), self._store)

    def __iter__(self) -> Iterator[str]:
        return iter([info.id for info in self._core.sessions(sort="id")])

    def __len__(self) -> int:
        return len(self._core.sessions())

    def create(
        self,
        name: str | None = None,
        *,
        id: str | None = None,
        description: str | None = None,
        tags: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
        parent: str | Session | None = None,
        template: str | Template | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> Session:
        """Make a new session. In a ``with`` block it completes at the end, or fails with the exception's text.

        Args:
            id: A slug, unique in the store; a UUIDv7 by default.
            metadata: Anything JSON can hold.
            parent: An existing session, or its id.
            template: What it begins with: one of :attr:`Store.templates`, or its name. Tags and metadata that are given
                come to those of the template, a name and a description stand in place of its own.
            variables: Values of the template's variables.

        Raises:
            Conflict: The id is taken, or as many sessions are active as config.toml allows.
            NotFound: There is no such parent or template, or a file of the template's is missing.
            InvalidInput: The id, name, a tag or the metadata cannot be what was given; a variable is missing, or cannot
                have its value. As with all errors, there is no session then.
        """
        parent_id = parent.id if isinstance(parent, Session) else parent
        if template is not None:
            from sessionfs.templates import make_session  # late: most sessions are made from none

            chosen = self._store.templates[template] if isinstance(template, str) else template
            fields = {"session_id": id, "name": name, "description": description, "tags": tags, "metadata": metadata}
            made = make_session(self._core, chosen, variables or {}, parent=parent_id, **fields)
            return Session(made, self._store)
        if variables:
            raise NoTemplate(f"values for {', '.join(map(repr, variables))} were given, and no template that has them")
        session = self._core.create_session(
            session_id=id,
            name=name,
            description=description,
            tags=tags,
            metadata=metadata,
            parent=parent_id,
        )
        return Session(session, self._store)

    def list(
        self,
        *,
        status: str | Status | Iterable[str | Status] | None = None,
        tags: Iterable[str] = (),
        parent: str | Session | None = None,
        created_by: str | None = None,
        created_after: Time | None = None,
        created_before: Time | None = None,
        text: str | None = None,
        sort: str = "created",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[Session]:
        """Return the sessions that match all that is given.

        Args:
            status: One of them, or several, any of which will do.
            tags: All of them.
            created_after, created_before: A datetime, nanoseconds since the epoch, or text: ``2026-11-20``, ``7d``.
            text: In the name or description, whatever the case.
            sort: ``created``, ``updated``, ``name``, ``id``, ``size`` or ``status``.
        """
        wanted = Filter(
            status=None if status is None else _statuses(status),
            tags=(tags,) if isinstance(tags, str) else tuple(tags),
            parent=parent.id if isinstance(parent, Session) else parent,
            created_by=created_by,
            created_after_ns=to_ns(created_after),
            created_before_ns=to_ns(created_before),
            text=text,
        )
        infos = self._core.sessions(wanted, sort=sort, reverse=reverse, offset=offset, limit=limit)
        return [session for info in infos if (session := self._find(info)) is not None]

    def resolve(self, text: str, *, current: str | None = None) -> Session:
        """Return the session that *text* names: an id, a unique prefix of one, a unique name, or ``@``.

        Args:
            current: What ``@`` stands for, in any of these forms; HEAD by default.

        Raises:
            NotFound: None is named so.
            InvalidInput: Several are.
        """
        return Session(self._core.load(self._core.resolve(text, current=current)), self._store)

    @property
    def current(self) -> Session | None:
        """The current session: ``$SESSIONFS_SESSION``, else what :meth:`use` chose; None if there is none."""
        name = os.environ.get(SESSION_VARIABLE) or self._core.head()
        return None if name is None else Session(self._core.load(self._core.resolve(name)), self._store)

    def use(self, session: str | Session | None) -> None:
        """Make a session the current one, for every process; None for none."""
        if isinstance(session, Session):
            session = session.id
        self._core.set_head(session)

    def delete(self, session: str | Session) -> str:
        """Move a session to the trash, and return the directory it has there."""
        return self._core.delete_session(session.id if isinstance(session, Session) else session)

    def _find(self, info: SessionInfo) -> Session | None:
        try:
            return Session(self._core.session(info.id), self._store)  # to be listed is not to be loaded
        except NotFound:
            return None  # deleted since it was listed


def _id_of(session: str | Session) -> str:
    return session.id if isinstance(session, Session) else session


def _statuses(status: str | Status | Iterable[str | Status]) -> tuple[Status, ...]:
    several = (status,) if isinstance(status, str | Status) else status
    return tuple(one if isinstance(one, Status) else parse_status(one) for one in several)
