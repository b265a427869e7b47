"""What hooks are told of each change before it is made, as far as it is known before the log's lock is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict, replace

from sessionfs.artifacts import Directory, Node, mime, rules, text_of
from sessionfs.log import Position
from sessionfs.objects import Stored
from sessionfs.sessions import Created, SessionInfo, Status, Updated, transition
from sessionfs.store import past
from sessionfs.store.hooked import ArtifactAction, Asked, SessionAction, StateAction, freeze

if TYPE_CHECKING:
    from sessionfs.store.session import Session

# The verb of each step of the lifecycle.
STEPS: dict[Status, str] = {
    Status.SUSPENDED: "session.suspend",
    Status.ACTIVE: "session.resume",
    Status.COMPLETED: "session.complete",
    Status.FAILED: "session.fail",
    Status.ARCHIVED: "session.archive",
}


def of_new_session(data: Created) -> SessionAction:
    """Return what is said of a session that is about to be made."""
    return SessionAction(
        session=data.id,
        name=data.name,
        description=data.description,
        tags=data.tags,
        metadata=freeze(data.metadata),
        parent=data.parent,
    )


def of_fork(parent: Session, session_id: str, at: Position | None, fields: dict[str, Any]) -> SessionAction:
    """Return what is said of a fork of *parent* that is about to be made; the arguments are ``forks.make``'s.

    Raises:
        CorruptLog, InconsistentLog, LostBeginning: The parent cannot be read there.
    """
    begun = past.fold_at(parent, at if at is not None else parent.log.position).fold.fields
    return SessionAction(
        session=session_id,
        name=fields.get("name"),
        description=fields.get("description", begun.description),
        tags=tuple(fields.get("tags", begun.tags)),
        metadata=freeze(fields.get("metadata", begun.metadata)),
        parent=parent.id,
    )


def of_session(session: Session, update: Callable[[SessionInfo], Updated] = lambda _: Updated()) -> SessionAction:
    """Return what is said of *session*, when what *update* makes of it has been applied.

    Raises:
        NoSuchSession: It was deleted.
    """
    session.refresh()
    info = session.info()
    action = SessionAction(
        session=session.id,
        name=info.name,
        description=info.description,
        tags=info.tags,
        metadata=freeze(info.metadata),
        parent=info.parent,
        status=info.status.value,
        reason=info.reason,
    )
    given = {field: value for field, value in asdict(update(info)).items() if value is not msgspec.UNSET}
    return replace(action, **{field: freeze(value) for field, value in given.items()}) if given else action


def of_step(session: Session, new: Status, reason: str | None) -> SessionAction:
    """Return what is said of a session that moves to the status *new*.

    Raises:
        BadTransition: That step does not exist.
    """
    action = of_session(session)
    transition(session.id, session.status, new)
    return replace(action, status=new.value, reason=reason if reason is not None else action.reason)


# Artifacts


def of_file(session: Session, path: str, stored: Stored, fields: dict[str, Any]) -> ArtifactAction:
    """Return what is said of a file that gets a version.

    Args:
        fields: Its attributes, as the version's record will hold them.

    Raises:
        IsADirectory, NotADirectory, SessionNotWritable: It cannot get one.
    """
    with _reading(session):
        known = rules.check_file(session.tree, path)
        return _stored(session, path, "file", known, {**fields, "oid": stored.oid, "size": stored.size})


def of_new(session: Session, path: str, kind: str, fields: dict[str, Any]) -> ArtifactAction:
    """Return what is said of a directory, symlink or special file that is made; otherwise as :func:`of_file`.

    Raises:
        ArtifactExists, NotADirectory, SessionNotWritable: It cannot be made.
    """
    with _reading(session):
        rules.check_free(session.tree, path)
        return _stored(session, path, kind, None, fields)


def of_link(session: Session, source: str, target: str) -> ArtifactAction:
    """Return what is said of another name for what is at *source*.

    Raises:
        NoSuchArtifact, ArtifactExists, LinkedDirectory, SessionNotWritable, …: It cannot have one.
    """
    with _reading(session):
        rules.check_link(session.tree, source, target)
        return of_node(session, target, session.tree.resolve(source), link=text_of(source))


def of_copy(session: Session, source: str, target: str) -> ArtifactAction:
    """Return what is said of a copy of what is at *source*.

    Raises:
        NoSuchArtifact, SessionNotWritable: It cannot be made.
    """
    with _reading(session):
        return of_node(session, target, session.tree.resolve(source), origin=text_of(source))


def of_rename(session: Session, source: str, target: str, *, exchange: bool = False) -> ArtifactAction:
    """Return what is said of what is moved from *source* to *target*.

    Raises:
        NoSuchArtifact, SessionNotWritable: It cannot be moved.
    """
    with _reading(session):
        return of_node(session, source, session.tree.resolve(source), to=text_of(target), exchange=exchange)


def of_deletion(session: Session, path: str, *, recursive: bool = False) -> ArtifactAction:
    """Return what is said of what is removed.

    Raises:
        NoSuchArtifact, DirectoryNotEmpty, SessionNotWritable: It cannot be removed.
    """
    with _reading(session):
        node = session.tree.resolve(path)
        if isinstance(node, Directory) and not recursive:
            rules.check_empty(node)
        return of_node(session, path, node, recursive=recursive)


def of_retrieval(session: Session, path: str, id: str) -> ArtifactAction:
    """Return what is said of the version *id*, which was or is at *path* and is read."""
    session.refresh()
    with session.log.lock:
        node = session.tree.find(path)
        if node is None or node.id != id:
            return ArtifactAction(session=session.id, path=text_of(path), id=id)
        return of_node(session, path, node)


def answered(asked: Asked, path: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the path and attributes with which an artifact is to be stored, after hooks were asked."""
    changed = dict(asked.modified)
    name = changed.pop("name", None)
    if name is not None:
        path = sibling(path, name)
    return path, {**fields, **changed}


def sibling(path: str, name: str) -> str:
    """Return the path of what is called *name* in the same directory as *path*."""
    directory = path.rpartition("/")[0]
    return f"{directory}/{name}" if directory else name


def of_node(session: Session, path: str, node: Node, **more: Any) -> ArtifactAction:
    """Return what is said of *node*, which is or will be at *path*."""
    return ArtifactAction(
        session=session.id,
        path=text_of(path),
        kind=node.kind,
        id=node.id or None,
        oid=node.oid,
        size=node.size,
        type=node.shown_type if node.is_file else None,
        mime_type=node.shown_mime_type if node.is_file else None,
        description=node.description,
        tags=node.tags,
        metadata=freeze(node.metadata or {}),
        target=None if node.target is None else text_of(node.target),
        **more,
    )


def _stored(session: Session, path: str, kind: str, known: Node | None, fields: dict[str, Any]) -> ArtifactAction:
    def value(name: str) -> Any:
        return fields[name] if name in fields else getattr(known, name) if known is not None else None

    mime_type = value("mime_type") or mime.guess_by_name(path.rpartition("/")[2]) or mime.UNKNOWN
    return ArtifactAction(
        session=session.id,
        path=text_of(path),
        kind=kind,
        id=None if known is None else known.id or None,
        oid=fields.get("oid"),
        size=fields.get("size", 0),
        type=value("type") or mime.guess_type(mime_type) if kind == "file" else None,
        mime_type=mime_type if kind == "file" else None,
        description=value("description"),
        tags=tuple(value("tags") or ()),
        metadata=freeze(value("metadata") or {}),
        target=fields.get("target"),
    )


# State


def of_value(session: Session, key: str, json: bytes | None) -> StateAction:
    """Return what is said of a key that is set, or deleted.

    Raises:
        NoSuchKey, SessionNotWritable: That cannot be done.
    """
    session.refresh()
    session.check_writable()
    if json is None:
        with session.log.lock:
            session.fold.state.get_json(key)
        return StateAction(session=session.id, key=key, deleted=True)
    return StateAction(session=session.id, key=key, json=msgspec.Raw(json))


def of_present_value(session: Session, key: str) -> StateAction:
    """Return what is said of a key as it is.

    Raises:
        NoSuchKey: It has no value.
    """
    session.refresh()
    with session.log.lock:
        return StateAction(session=session.id, key=key, json=msgspec.Raw(session.fold.state.get_json(key)))


@contextmanager
def _reading(session: Session) -> Iterator[None]:
    """Hold the session's lock, with what others did taken in; the session is active."""
    session.refresh()
    with session.log.lock:
        session.check_writable()
        yield
