"""What a query asks for, found the slow way: every session folded from its first record, every artifact looked at."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from sessionfs.artifacts import from_text, mime, text_of
from sessionfs.errors import Corrupt
from sessionfs.query.flat import flatten
from sessionfs.query.order import Page
from sessionfs.query.terms import (
    And,
    HasArtifact,
    HasText,
    Meta,
    MetaMatches,
    MetaWithin,
    Not,
    OfSession,
    OidIs,
    Or,
    Query,
    Subject,
    TextIs,
    TextMatches,
    Within,
    asks_for_kind,
)
from sessionfs.sessions import SessionInfo, Status
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store


class Artifact(NamedTuple):
    """One artifact at one path, now or when it was there last."""

    session: str
    path: str
    is_live: bool
    kind: str
    id: str
    oid: str | None
    version: int
    type: str
    mime_type: str
    description: str | None
    tags: tuple[str, ...]
    metadata: Any
    size: int
    stored_size: int
    compression: str
    created_ns: int
    updated_ns: int
    mtime_ns: int
    created_by: str
    parent: str | None
    mode: int
    uid: int
    gid: int
    links: int
    target: str | None

    @property
    def name(self):
        return self.path.rpartition("/")[2]

    @property
    def seq(self):
        return int(self.id.rpartition(":")[2])


def artifact_of(session_id, path, node, *, is_live=True):
    mime_type = node.mime_type or mime.guess_by_name(path.rpartition("/")[2]) or mime.UNKNOWN
    return Artifact(
        session=session_id,
        path=path,
        is_live=is_live,
        kind=node.kind,
        id=node.id,
        oid=node.oid,
        version=node.version,
        type=node.type or mime.guess_type(mime_type),
        mime_type=mime_type,
        description=node.description,
        tags=node.tags,
        metadata=node.metadata or {},
        size=node.size,
        stored_size=node.bytes_stored,
        compression=node.compression,
        created_ns=node.created_ns,
        updated_ns=node.ctime_ns,
        mtime_ns=node.mtime_ns,
        created_by=node.created_by,
        parent=node.origin,
        mode=node.mode & 0o7777,
        uid=node.uid,
        gid=node.gid,
        links=node.links,
        target=node.target,
    )


class Naive:
    """Everything in a store at one moment."""

    def __init__(self, path: str) -> None:
        store = Store(path)
        self.infos: list[SessionInfo] = []
        self.artifacts: list[Artifact] = []
        self.has_lost_history = False
        for session_id in store.session_ids():
            try:
                session = store.session(session_id)
            except NoSuchSession:
                continue
            except Corrupt as failure:  # nothing of it can be read
                self.infos.append(_unreadable(session_id, failure))
                continue
            # A fork without a good record of its own says that it is its parent.
            self.infos.append(replace(session.info(), id=session_id))
            self.artifacts += [artifact_of(session_id, path, node) for path, node in session.tree.walk()]
            try:
                self.artifacts += _past(session) if session.damage is None else []
            except Corrupt:  # before its newest snapshot, so that it is not in the way of the session
                self.has_lost_history = True
        store.close()

    # Asking

    def find(self, query: Query, page: Page) -> list[Any]:
        """Return what *query* asks for, in order."""
        found = sorted(self._all(query), key=lambda one: _place(one, page.order.key), reverse=page.order.reverse)
        end = None if page.limit is None else page.offset + page.limit
        return found[page.offset : end]

    def count(self, query: Query) -> int:
        """Return how many it asks for."""
        return len(self._all(query))

    def _all(self, query):
        if query.subject is Subject.SESSIONS:
            return [info for info in self.infos if self._session_fits(query.where, info)]
        infos = {info.id: info for info in self.infos}
        return [
            one
            for one in self.artifacts
            if (one.is_live or query.versions)
            and (one.kind != "directory" or asks_for_kind(query.where))
            and self._artifact_fits(query.where, one, infos[one.session])
        ]

    def _artifact_fits(self, term, one, info):
        def fits(part):
            return self._artifact_fits(part, one, info)

        match term:
            case And(parts):
                return all(map(fits, parts))
            case Or(parts):
                return any(map(fits, parts))
            case Not(part):
                return not fits(part)
            case OfSession(part):
                return self._session_fits(part, info)
            case TextIs("session" as field) | TextMatches("session" as field):
                return _text_fits(term, one.session)
            case OidIs(digits):
                return one.oid is not None and one.oid.startswith(digits)
            case HasText(text):
                return _has(text, one.name) or _has(text, one.description)
            case Meta() | MetaMatches() | MetaWithin():
                return _meta_fits(term, one.metadata)
            case Within(field, low, high):
                return _is_within(getattr(one, _ATTRIBUTES.get(field, field)), low, high)
            case _:
                return _text_fits(term, getattr(one, _ATTRIBUTES.get(term.field, term.field)))

    def _session_fits(self, term, info):
        def fits(part):
            return self._session_fits(part, info)

        match term:
            case And(parts):
                return all(map(fits, parts))
            case Or(parts):
                return any(map(fits, parts))
            case Not(part):
                return not fits(part)
            case HasArtifact(part):
                return any(
                    one.session == info.id
                    and one.is_live
                    and (one.kind != "directory" or asks_for_kind(part))
                    and self._artifact_fits(part, one, info)
                    for one in self.artifacts
                )
            case HasText(text):
                return _has(text, info.name) or _has(text, info.description)
            case Meta() | MetaMatches() | MetaWithin():
                return _meta_fits(term, info.metadata)
            case Within(field, low, high):
                return _is_within(getattr(info, _SESSION_ATTRIBUTES.get(field, field)), low, high)
            case TextIs("status") | TextMatches("status"):
                return _text_fits(term, info.status.value)
            case _:
                return _text_fits(term, getattr(info, _SESSION_ATTRIBUTES.get(term.field, term.field)))


_ATTRIBUTES = {
    "mime": "mime_type", "tag": "tags", "by": "created_by", "stored": "stored_size", "created": "created_ns",
    "updated": "updated_ns", "modified": "mtime_ns",
}  # fmt: skip
_SESSION_ATTRIBUTES = {
    "tag": "tags", "by": "created_by", "stored": "stored_size", "created": "created_ns", "updated": "updated_ns",
    "started": "started_ns", "ended": "ended_ns", "artifacts": "artifact_count", "events": "event_count",
    "state": "state_count",
}  # fmt: skip


def _text_fits(term, value):
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    if isinstance(term, TextIs):
        return term.text in values
    return any(map(term.glob.compiled(), values))


def _has(text, value):
    return value is not None and text.casefold() in value.casefold()


def _is_within(value, low, high):
    return value is not None and (low is None or value >= low) and (high is None or value < high)


def _meta_fits(term, metadata):
    pairs = flatten(metadata)
    if isinstance(term, Meta):
        return any(name == term.key or name.startswith(term.key + ".") for name, _ in pairs)
    values = [value for name, value in pairs if name == term.key]
    if isinstance(term, MetaMatches):
        return any(isinstance(value, str) and term.glob.compiled()(value) for value in values)
    kind = str if isinstance(term.low if term.low is not None else term.high, str) else (int, float)
    return any(
        (term.low is None or value > term.low or (term.low_included and value == term.low))
        and (term.high is None or value < term.high or (term.high_included and value == term.high))
        for value in values
        if isinstance(value, kind)
    )


def _place(one, key):
    if isinstance(one, SessionInfo):
        values = {"name": one.name or "", "status": one.status.value, "id": one.id, "size": one.size}
        return values.get(key, getattr(one, _SESSION_ATTRIBUTES.get(key, key), None)), one.id
    values = {"name": _text(one.name), "path": _text(one.path)}
    return values.get(key, getattr(one, _ATTRIBUTES.get(key, key))), one.session, _text(one.path), one.seq, one.version


def _text(path):
    return text_of(path)


def _unreadable(session_id, failure):
    return SessionInfo(
        id=session_id, name=None, description=None, tags=(), metadata={}, parent=None, status=Status.FAILED,
        reason=str(failure), created_by="", created_ns=0, updated_ns=0, started_ns=0, ended_ns=None, artifact_count=0,
        size=0, stored_size=0, event_count=0, state_count=0, damage=str(failure),
    )  # fmt: skip


# What was there once


def _past(session):
    """Yield what was there once: what a record took away, or gave another content, as it was before that record."""
    fold = session.new_fold()
    ended: list[Artifact] = []
    before = _rows(session.id, fold)
    for _, record in session.log.lines():
        fold.apply(record)
        if not record.type.startswith("artifact."):
            before = _rows(session.id, fold)
            continue
        after = _rows(session.id, fold)
        for (path, ino), row in before.items():
            there = after.get((_moved(path, record), ino))
            if (there is None or there.id != row.id) and row.kind != "directory":
                ended.append(row._replace(is_live=False))
        before = after
    return ended


def _rows(session_id, fold):
    return {(path, node.ino): artifact_of(session_id, path, node) for path, node in fold.tree.walk()}


def _moved(path, record):
    """Return where what was at *path* is after *record*."""
    if record.type != "artifact.renamed":
        return path
    data = msgspec.json.decode(record.data)
    old, new = from_text(data["path"]), from_text(data["to"])
    ways = [(old, new), (new, old)] if data.get("exchange") else [(old, new)]
    for source, target in ways:
        if path == source or path.startswith(source + "/"):
            return target + path[len(source) :]
    return path
