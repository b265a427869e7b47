"""Looking into contents: for a pattern, and for words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from sessionfs.api.finding import Finding, FoundArtifact
from sessionfs.errors import Error, InvalidInput
from sessionfs.store import store as domain

if TYPE_CHECKING:
    from sessionfs.api.travelling import When
    from sessionfs.events.event import Event
    from sessionfs.index import IndexedArtifact
    from sessionfs.index.keeper import Progress
    from sessionfs.query import Query
    from sessionfs.query.arguments import ArtifactFilters
    from sessionfs.search.asking import Asked
    from sessionfs.search.asking import Hit as IndexedHit
    from sessionfs.search.grep import How
    from sessionfs.search.lines import Line
    from sessionfs.search.pattern import Pattern
    from sessionfs.search.texts import Texts
    from sessionfs.sessions import SessionInfo
    from sessionfs.travel import View


class MatchedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an artifact's content that matches, or stands near one that does."""

    artifact: FoundArtifact
    number: int  # counted from 1
    text: str  # without its end; bytes that are no UTF-8 as os.fsdecode gives them
    spans: tuple[tuple[int, int], ...]  # what matches, the first 10,000 times: from a character up to, without another
    is_match: bool = True  # otherwise it is there for before or after
    is_whole: bool = True  # otherwise only what is around a match, of a line of more than 4 MiB


class MatchedContent(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one artifact; of one that has many, some of them."""

    artifact: FoundArtifact
    lines: tuple[Line, ...]
    count: int  # of those that match
    binary_at: int | None = None  # the byte at which it turned out to be no text, behind what matches
    failure: Error | None = None  # why it could not be read to its end


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that words were found in: an artifact, a session or an event."""

    kind: str  # "artifact", "session" or "event"
    score: float  # higher fits better
    session: str
    artifact: FoundArtifact | None = None
    event: Event | None = None
    info: SessionInfo | None = None
    snippet: str = ""  # the part of the text around the words, or its beginning
    spans: tuple[tuple[int, int], ...] = ()  # the words in it: from a character up to but without another


class Searching(Finding):
    """What a store can be asked to look for in contents."""

    def __init__(self, store: domain.Store) -> None:
        super().__init__(store)
        self._texts: Texts | None = None

    @property
    def texts(self) -> Texts:
        """What words are looked up in: derived, made when it is first needed, kept up to date by itself."""
        if self._texts is None:
            from sessionfs.search.texts import Texts

            self._texts = Texts(self.core, self.index)
        return self._texts

    def close_index(self) -> None:
        """Let go of the files of both indexes."""
        if self._texts is not None:
            self._texts.close()
        super().close_index()

    def search(
        self,
        words: str,
        query: str | None = None,
        *,
        kinds: Iterable[str] = ("artifact", "session", "event"),
        versions: bool = False,
        limit: int | None = None,
        progress: Progress | None = None,
        **filters: Unpack[ArtifactFilters],
    ) -> Iterator[Hit]:
        """Find words in contents, names, descriptions, tags and events; yields the best first.

        Texts are indexed: what is text, whatever its type says, JSON, office documents and, with the optional package
        for it, PDF files; of each the first 4 MiB (``search.document_limit``). Case and accents do not matter. Of
        Chinese, Japanese and others without spaces, any part of a sentence is a word, also one character.

        Args:
            words: All of them must be there; ``"in quotes"`` next to each other, ``begin*`` what begins so, ``-word``
                must not be there, ``OR`` between alternatives.
            query: Only in artifacts that this finds, as in :meth:`find`; then sessions and events are left out.
            kinds: What to find.
            versions: Also in what was there once.
            limit: At most so many; all by default.
            progress: Told how many bytes of contents have been read, when there are new ones.
            filters: As in :meth:`find`.

        Raises:
            InvalidInput: The words or the query cannot be understood, and the message says at which column; or *kinds*
                or *limit* cannot be.
            Denied: config.toml says that words are not indexed.
        """
        from sessionfs.query import artifact_query
        from sessionfs.query.order import check_count
        from sessionfs.search.asking import Asked, Kind
        from sessionfs.search.words import parse_words

        try:
            chosen = {Kind(kind) for kind in kinds}
        except ValueError as failure:
            raise InvalidInput(f"{failure}; kinds are artifact, session and event") from failure
        check_count("limit", limit)
        if query is not None or filters:
            chosen &= {Kind.ARTIFACT}
        wanted = artifact_query(query, versions=versions, **filters)
        asked = Asked(parse_words(words), wanted, frozenset(chosen), limit)
        hits = self.texts.search(asked, progress=progress)
        return self._with_snippets(hits, asked)

    def _with_snippets(self, hits: list[IndexedHit], asked: Asked) -> Iterator[Hit]:
        from sessionfs.search.shown import Shower

        shower = Shower(self.core, asked)
        for hit in hits:
            snippet = shower.snippet(hit)
            if snippet is None:
                continue  # it has gone since
            yield Hit(
                kind=hit.kind.value,
                score=hit.score,
                session=hit.session,
                artifact=None if hit.artifact is None else self.found_artifact(hit.artifact),
                event=snippet.event,
                info=snippet.info,
                snippet=snippet.text,
                spans=snippet.spans,
            )

    def grep(
        self,
        pattern: str,
        query: str | None = None,
        *,
        at: When | None = None,
        versions: bool = False,
        fixed: bool = False,
        ignore_case: bool = False,
        words: bool = False,
        whole_lines: bool = False,
        invert: bool = False,
        before: int = 0,
        after: int = 0,
        max_count: int | None = None,
        binary: bool = False,
        time_limit: float = 10.0,
        on_error: Callable[[FoundArtifact, Error], None] | None = None,
        **filters: Unpack[ArtifactFilters],
    ) -> Iterator[MatchedLine]:
        """Look through contents for a regular expression, line by line; yields lines while it goes on.

        Contents are text in UTF-8, or in UTF-16 with its mark; one with a NUL byte is read up to there. They are
        looked through on as many threads as there are processors, in a few MiB of memory whatever their size.

        Args:
            pattern: In the syntax of ``re``.
            query: Only in artifacts that this finds, as in :meth:`find`; ``session:q4@{5}`` as they were then.
            at: As they were at this moment; sessions that had not begun are left out.
            versions: Also what was there once; what has the same content as one before it is left out.
            fixed: *pattern* is plain text.
            words: No letter, digit or ``_`` stands next to a match.
            whole_lines: Only lines that match from end to end.
            invert: Lines that do not match.
            before, after: So many lines around each, too.
            max_count: So many lines of each artifact at most.
            binary: Go on behind NUL bytes.
            time_limit: How many seconds the pattern may take on one artifact; one more for each 8 MiB of it.
            on_error: Called with what cannot be read, and the others are searched; by default that is raised.
            filters: As in :meth:`find`.

        Raises:
            InvalidInput: The pattern or the query cannot be understood - the message says at which column - or the
                pattern takes too long.
            NotFound: A session that the query names has no such moment, or none of all has it.
            Corrupt: A content is damaged or missing.
        """
        from sessionfs.query import artifact_query
        from sessionfs.search.grep import How
        from sessionfs.search.lines import Wanted
        from sessionfs.search.pattern import Pattern

        compiled = Pattern(pattern, fixed=fixed, ignore_case=ignore_case, words=words, whole_lines=whole_lines)
        wanted = Wanted(invert=invert, before=before, after=after, max_count=max_count)
        how = How(wanted=wanted, take_binary=binary, seconds=time_limit, each_once=versions)
        for some in self.grep_contents(compiled, how, artifact_query(query, versions=versions, **filters), at=at):
            for line in some.lines:
                yield MatchedLine(
                    artifact=some.artifact,
                    number=line.number,
                    text=line.text,
                    spans=line.spans,
                    is_match=line.is_match,
                    is_whole=line.is_whole,
                )
            if some.failure is not None:
                if on_error is None:
                    raise some.failure
                on_error(some.artifact, some.failure)

    def grep_contents(
        self,
        pattern: Pattern,
        how: How,
        query: Query,
        *,
        at: When | None = None,
        progress: Progress | None = None,
    ) -> Iterator[MatchedContent]:
        """Look through contents as :meth:`grep` does, and yield the lines of each artifact together.

        Args:
            progress: Told how far the index has got when it has to read logs.
        """
        from sessionfs.search.grep import grep

        made: tuple[IndexedArtifact, FoundArtifact] | None = None
        for lines in grep(self._found_at(query, at, progress), pattern, how, self._stream):
            if made is None or made[0] is not lines.artifact:
                made = lines.artifact, self.found_artifact(lines.artifact)
            yield MatchedContent(
                artifact=made[1], lines=lines.lines, count=lines.count, binary_at=lines.binary_at, failure=lines.failure
            )

    def _stream(self, found: IndexedArtifact) -> Iterable[bytes]:
        return self.found_artifact(found).stream()

    def _found_at(self, query: Query, at: When | None, progress: Progress | None) -> Iterator[IndexedArtifact]:
        """Yield what *query* finds, now or at the moments that it or *at* says, by session and path."""
        from sessionfs.index.moments import BadMoments, find_at, split_moments
        from sessionfs.query.order import Order, Page

        plain, moments = split_moments(query)
        if not moments and at is None:
            return self.index.find(query, Page(order=Order("session")), progress=progress)
        if moments and at is not None:
            raise BadMoments("the query names moments, and another one was given beside it; give one of the two")
        if plain.versions:
            raise BadMoments("a moment has one version of each artifact; leave the other versions out, or the moment")
        return find_at(self._views(plain, moments, at), plain)

    def _views(self, query: Query, moments: dict[str, str], at: Any) -> Iterator[View]:
        from sessionfs.errors import NotFound
        from sessionfs.index.moments import named_sessions
        from sessionfs.travel import BeforeSession, moment_of, view_at

        if moments:
            for session_id in sorted(moments):
                yield view_at(self.core.session(session_id), moment_of(moments[session_id]))
            return
        moment = moment_of(at)
        named = named_sessions(query)
        missed: NotFound | None = None
        has_any = False
        for session_id in self.core.session_ids() if named is None else named:
            try:
                view = view_at(self.core.session(session_id), moment)
            except BeforeSession:
                continue
            except NotFound as failure:
                if named is not None:
                    raise  # a session that somebody named
                missed = failure
                continue
            has_any = True
            yield view
        if missed is not None and not has_any:
            raise missed  # of all sessions some have no such moment; when none has it, it is misspelt
