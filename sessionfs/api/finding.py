"""Finding artifacts and sessions in a whole store: by a query, by keywords, or by both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Unpack

from sessionfs.api.artifact import JSON_VALUES, Artifact
from sessionfs.store import store as domain

if TYPE_CHECKING:
    from sessionfs.index import Index
    from sessionfs.index.find import IndexedArtifact
    from sessionfs.index.keeper import Progress
    from sessionfs.query import Page, Query
    from sessionfs.query.arguments import ArtifactFilters, SessionFilters
    from sessionfs.sessions import SessionInfo

Row = TypeVar("Row")


class FoundArtifact(Artifact, frozen=True, kw_only=True):
    """An artifact, and where it was found. Its content is that of this version, whatever happens to the path later."""

    JSON: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "session": attrgetter("session"),
        "is_live": attrgetter("is_live"),
        **JSON_VALUES,
    }

    session: str  # id of the session that has it
    is_live: bool  # it was there when it was found; otherwise it was there once

    def __repr__(self) -> str:
        return f"<sessionfs.FoundArtifact {self.path!r} version {self.version} of {self.session!r}>"


class Found(Generic[Row]):
    """What a query finds. Each iteration asks anew, and gives what is so at that moment."""

    def __init__(
        self,
        store: Finding,
        query: Query,
        page: Page,
        make: Callable[[Any], Row],
        *,
        progress: Progress | None = None,
    ) -> None:
        """Prepare it; nothing is asked yet.

        Args:
            make: Makes what is given of what the index has.
            progress: Told how far the index has got when it has to read logs.
        """
        self._index = store.index
        self._query = query
        self._page = page
        self._make = make
        self._progress = progress
        self._cursor: str | None = None

    def __iter__(self) -> Iterator[Row]:
        from sessionfs.index.find import place_of
        from sessionfs.query.order import format_cursor

        self._cursor = None
        number = 0
        for number, found in enumerate(self._index.find(self._query, self._page, progress=self._progress), start=1):
            if number == self._page.limit:
                self._cursor = format_cursor(self._page.order, place_of(found, self._page.order))
            yield self._make(found)

    def count(self) -> int:
        """Return how many there are in all, whatever offset and limit say."""
        return self._index.count(self._query, progress=self._progress)

    @property
    def cursor(self) -> str | None:
        """Where the next page begins, once this one has been gone through; None when there is no more."""
        return self._cursor

    def explain(self) -> list[str]:
        """Return in words how it is found."""
        return self._index.explain(self._query, self._page, progress=self._progress)


class Finding:
    """What a store can be asked to find."""

    def __init__(self, store: domain.Store) -> None:
        self.core = store
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """What queries are answered from: derived, made when it is first needed, kept up to date by itself."""
        if self._index is None:
            from sessionfs.index import Index

            self._index = Index(self.core)
        return self._index

    def close_index(self) -> None:
        """Let go of the index's files."""
        if self._index is not None:
            self._index.close()

    def find(
        self,
        query: str | None = None,
        *,
        versions: bool = False,
        sort: str = "created",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
        cursor: str | None = None,
        **filters: Unpack[ArtifactFilters],
    ) -> Found[FoundArtifact]:
        """Find artifacts in all sessions.

        Args:
            query: As in ``type:tool_result tag:q4 name:*.csv size:>1M after:7d meta.dept:sales``; the grammar is in
                ``sessionfs/docs/query.md``.
            versions: Also what was there once: replaced, removed.
            sort: ``created updated modified size name path type session``; equal ones by session and path.
            offset: Leave out so many at the start.
            limit: At most so many; all by default.
            cursor: Go on behind the end of an earlier page: its ``cursor``.
            filters: What must also be so; see :class:`sessionfs.query.arguments.ArtifactFilters`. Where several
                texts are given, any will do; ``*``, ``?`` and ``[…]`` are patterns.

        Raises:
            InvalidInput: The query cannot be understood - the message says at which column - or a keyword has a value
                that it cannot have.
        """
        from sessionfs.query import Subject, artifact_query
        from sessionfs.query.order import make_page

        wanted = artifact_query(query, versions=versions, **filters)
        page = make_page(Subject.ARTIFACTS, sort=sort, reverse=reverse, offset=offset, limit=limit, cursor=cursor)
        return Found(self, wanted, page, self.found_artifact)

    def find_sessions(
        self,
        query: str | None = None,
        *,
        sort: str = "created",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
        cursor: str | None = None,
        **filters: Unpack[SessionFilters],
    ) -> Found[SessionInfo]:
        """Find sessions, without opening them; otherwise as :meth:`find`.

        Args:
            query: As in ``status:failed tag:nightly has:(type:log size:>1M)``.
            sort: ``created updated size artifacts events name status id``.
            filters: What must also be so; see :class:`sessionfs.query.arguments.SessionFilters`.
        """
        from sessionfs.query import Subject, session_query
        from sessionfs.query.order import make_page

        wanted = session_query(query, **filters)
        page = make_page(Subject.SESSIONS, sort=sort, reverse=reverse, offset=offset, limit=limit, cursor=cursor)
        return Found(self, wanted, page, lambda info: info)

    def found_artifact(self, found: IndexedArtifact) -> FoundArtifact:
        """Return what the index has, with its content."""
        audited = self.core.config.audit_reads
        return FoundArtifact(
            session=found.session,
            is_live=found.is_live,
            path=found.path,
            name=found.name,
            kind=found.kind,
            id=found.id,
            oid=found.oid,
            version=found.version,
            type=found.type,
            mime_type=found.mime_type,
            description=found.description,
            tags=found.tags,
            metadata=found.metadata,
            size=found.size,
            stored_size=found.stored_size,
            compression=found.compression,
            created_ns=found.created_ns,
            updated_ns=found.updated_ns,
            mtime_ns=found.mtime_ns,
            created_by=found.created_by,
            parent=found.parent,
            mode=found.mode,
            uid=found.uid,
            gid=found.gid,
            links=found.links,
            target=found.target,
            objects=self.core.objects,
            read_in=self.core.session(found.session) if audited else None,
        )
