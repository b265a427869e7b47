"""What is shown of something that words were found in: the text around them, read again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec

from sessionfs.artifacts import text_of
from sessionfs.errors import Error, NotFound
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import read
from sessionfs.search.asking import Asked, Hit, Kind
from sessionfs.search.extract import extract
from sessionfs.search.fill import texts_in
from sessionfs.search.snippet import Snippet, make_snippet
from sessionfs.sessions import SessionInfo
from sessionfs.store.store import Store

_BEGINNING = 160


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown, and the session or event that was read for it."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    event: Event | None = None
    info: SessionInfo | None = None


class Shower:
    """Makes what is shown of what was found in one store."""

    def __init__(self, store: Store, asked: Asked) -> None:
        self._store = store
        self._finds = [find for one in asked.words for find in one.wanted]

    def snippet(self, hit: Hit) -> Shown | None:
        """Return what is shown of *hit*; None when it is not there any more."""
        try:
            if hit.kind is Kind.EVENT:
                return self._of_event(hit)
            if hit.kind is Kind.SESSION:
                return self._of_session(hit)
        except NotFound:
            return None
        return self._of_artifact(hit)

    def _of_artifact(self, hit: Hit) -> Shown:
        artifact = hit.artifact
        assert artifact is not None
        text = ""
        if artifact.oid is not None:
            try:
                pieces = self._store.objects.stream(artifact.oid)
                text = extract(pieces, artifact.size, self._store.config.document_bytes).text
            except Error:
                text = ""  # grep and fsck say what is wrong with it
        return self._of_texts([text, artifact.description or "", " ".join(artifact.tags), text_of(artifact.name)])

    def _of_session(self, hit: Hit) -> Shown:
        info = self._store.session(hit.session).info()
        shown = self._of_texts([info.description or "", info.name or "", " ".join(info.tags)])
        return msgspec.structs.replace(shown, info=info)

    def _of_event(self, hit: Hit) -> Shown | None:
        assert hit.seq is not None
        event = next(read(self._store, hit.session, Query(start=hit.seq, end=hit.seq + 1)), None)
        if event is None:
            return None
        shown = self._of_texts([" ".join(itertools.islice(texts_in(event.data), 1000)), event.type])
        return msgspec.structs.replace(shown, event=event)

    def _of_texts(self, texts: Iterable[str]) -> Shown:
        """Return the part of the first of *texts* that has one of the words; else how the first one begins."""
        several = [text for text in texts if text]
        for text in several:
            snippet = make_snippet(text, self._finds)
            if snippet is not None:
                return Shown(text=snippet.text, spans=snippet.spans)
        beginning = Snippet(" ".join(several[0][:_BEGINNING].split()) if several else "")
        return Shown(text=beginning.text)
