"""What a session says about itself, as its ``session.*`` records add up."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from sessionfs.errors import InvalidInput
from sessionfs.log import Position, encode_data
from sessionfs.oid import ObjectId
from sessionfs.sessions.lifecycle import FINISHED, STATUS_AFTER, Status


class BadField(InvalidInput):
    """A name, tag or metadata that a session cannot have."""


class Pin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wanted something kept, since when (RFC 3339), and why."""

    time: str
    actor: str
    message: str = ""


class Templated(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The template that a session was made from, and what was filled in."""

    name: str
    values: dict[str, Any] = {}


class Fields(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A session's own fields; times are RFC 3339."""

    id: str
    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    parent: str | None = None
    status: Status = Status.ACTIVE
    reason: str | None = None
    created_by: str = ""
    created_at: str = ""
    updated_at: str = ""
    started_at: str = ""
    ended_at: str | None = None
    deleted: bool = False
    forked: bool = False  # others may begin where it was
    includes: dict[str, int] = {}  # how many records of others it began with, or has had merged into it
    settings: dict[str, Any] = {}  # keys of config.toml that it answers for itself, as they were given
    pins: dict[str, Pin] = {}  # by path, in text form; "" is all of it
    template: str | None = None  # what it was made from
    hooks: dict[str, tuple[str, ...]] = {}  # programs in STORE/templates that are called for it, by place


class Fork(msgspec.Struct, frozen=True):
    """Where a fork begins: with what ``session`` was before its record ``seq``; the rest is that place in its log."""

    session: str
    seq: int
    offset: int
    chain: str
    base: int

    @property
    def position(self) -> Position:
        """The place in the log of ``session``."""
        return Position(self.seq, self.offset, self.chain, self.base)


class Created(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.created``: the first record of every log."""

    id: str
    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    parent: str | None = None
    uid: int = 0  # the owner of the root directory
    gid: int = 0
    fork: Fork | None = None  # it begins with artifacts, state and most fields of another session
    template: Templated | None = None
    hooks: dict[str, tuple[str, ...]] = {}  # programs in STORE/templates that are called for it, by place


class Forked(msgspec.Struct):
    """``session.forked``: a session began with what this one was before its record ``seq``."""

    child: str
    seq: int


class Restored(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.restored``: an earlier moment was brought back, by the records of the same operation."""

    kind: str  # "restore", "undo" or "redo"
    to: int  # the moment: after the record with this number
    checkpoint: str | None = None  # what was before
    paths: tuple[str, ...] = ()  # only these artifacts, and no state; in text form
    operations: tuple[int, ...] = ()  # that were undone; for "redo", the undoings that were
    includes: dict[str, int] | None = None  # what of others the session has now; None for no change


class Merged(msgspec.Struct):
    """``session.merged``: what ``session`` had changed was taken over, by the records of the same operation."""

    session: str
    seq: int  # before which of its records
    includes: dict[str, int]  # what of others came along
    base: str  # what both began with: "<session>:<number of the last record>"
    checkpoint: str | None = None  # what was before


class Replayed(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.replayed``: what had happened in ``session`` happened here, by the records just before this one."""

    session: str
    seq: int  # its record that came first
    to: int  # and the last one
    count: int  # how many records here come from there
    dropped: tuple[int, ...] = ()  # those that were left out, as they were to be
    changed: tuple[int, ...] = ()  # that say something else here
    impossible: tuple[int, ...] = ()  # that could not happen without those


class Updated(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.updated``: the fields that were set; None takes a name or description away."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class Configured(msgspec.Struct, kw_only=True):
    """``session.configured``: keys of config.toml that the session answers for itself; None takes one away."""

    settings: dict[str, Any]


class Pinned(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.pinned`` and ``session.unpinned``: what is at ``path``, or all of it, is to be kept, or no more."""

    path: str = ""  # in text form
    message: str = ""


class Deleted(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``session.deleted``: its last record."""

    reason: str | None = None


class Moved(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A step of the lifecycle, or ``session.saved``; ``snapshot`` names what the next opening starts from.

    ``beginning`` is the snapshot that a fork began with, when it can no longer be read from its parent's log.
    """

    reason: str | None = None
    snapshot: ObjectId | None = None
    beginning: ObjectId | None = None
    checkpoint: str | None = None  # the name that it was saved for


def create(data: Created, *, time: str, actor: str) -> Fields:
    """Apply ``session.created``."""
    return Fields(
        id=data.id,
        name=data.name,
        description=data.description,
        tags=data.tags,
        metadata=data.metadata,
        parent=data.parent,
        created_by=actor,
        created_at=time,
        updated_at=time,
        started_at=time,
        template=None if data.template is None else data.template.name,
        hooks=data.hooks,
    )


def inherit(fields: Fields, parent: Fields, fork: Fork) -> None:
    """Give a fork the fields that describe its parent's work; not the name, by which sessions are told apart."""
    fields.description, fields.tags, fields.metadata = parent.description, parent.tags, parent.metadata
    fields.settings = parent.settings
    fields.template, fields.hooks = parent.template, parent.hooks
    include(fields, {**parent.includes, fork.session: fork.seq})


def include(fields: Fields, others: dict[str, int]) -> None:
    """Note that it has what *others* were before so many of their records."""
    known = fields.includes
    fields.includes = known | {id: max(seq, known.get(id, 0)) for id, seq in others.items() if id != fields.id}


def restore(fields: Fields, data: Restored) -> None:
    """Apply ``session.restored``; artifacts and state have been changed by records of their own."""
    if data.includes is not None:
        fields.includes = data.includes


def update(fields: Fields, data: Updated) -> None:
    """Apply ``session.updated``."""
    if data.name is not UNSET:
        fields.name = data.name
    if data.description is not UNSET:
        fields.description = data.description
    if data.tags is not UNSET:
        fields.tags = data.tags
    if data.metadata is not UNSET:
        fields.metadata = data.metadata


def configure(fields: Fields, data: Configured) -> None:
    """Apply ``session.configured``."""
    settings = {**fields.settings, **data.settings}
    fields.settings = {key: value for key, value in settings.items() if value is not None}


def pin(fields: Fields, data: Pinned, *, time: str, actor: str) -> None:
    """Apply ``session.pinned``."""
    fields.pins = {**fields.pins, data.path: Pin(time, actor, data.message)}


def unpin(fields: Fields, data: Pinned) -> None:
    """Apply ``session.unpinned``."""
    fields.pins = {path: pin for path, pin in fields.pins.items() if path != data.path}


def move_pins(fields: Fields, source: str, target: str, *, exchange: bool) -> None:
    """Let what is pinned at or below *source* stay so at *target*, where it is now; and the other way round."""
    moves = [(source, target), (target, source)] if exchange else [(source, target)]
    fields.pins = {_moved(path, moves): pin for path, pin in fields.pins.items()}


def _moved(path: str, moves: list[tuple[str, str]]) -> str:
    for source, target in moves:
        if path == source or path.startswith(f"{source}/"):
            return target + path[len(source) :]
    return path


def move(fields: Fields, event: str, data: Moved, *, time: str) -> None:
    """Apply a step of the lifecycle."""
    fields.status = STATUS_AFTER[event]
    if fields.status is Status.FAILED:
        fields.reason = data.reason
    if fields.status in FINISHED and fields.ended_at is None:
        fields.ended_at = time


def check_name(name: str | None) -> str | None:
    """Return *name* if a session can have it.

    Raises:
        BadField: It is empty, has control characters, or is too long.
    """
    if name is None:
        return None
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 500:
        raise BadField(f"{name!r} is no name for a session: 1 to 500 printable characters are needed")
    return name


def check_tags(tags: Any) -> tuple[str, ...]:
    """Return *tags* in order, each once.

    Raises:
        BadField: One of them is empty, has a comma or control characters, or is too long.
    """
    if isinstance(tags, str):
        raise BadField(f"tags are a list of texts; the text {tags!r} was given")
    try:
        tags = tuple(tags)
    except TypeError as failure:
        raise BadField(f"tags are a list of texts; {tags!r} was given") from failure
    for tag in tags:
        # A comma separates tags in the mount's xattr, and a slash would split a path under by-tag/.
        if (
            not isinstance(tag, str)
            or not tag.strip()
            or not tag.isprintable()
            or set(tag) & set(",/")
            or len(tag.encode()) > 255
        ):
            raise BadField(f"{tag!r} is no tag: printable characters without ',' and '/', at most 255 bytes")
        if tag in (".", ".."):
            raise BadField(f"{tag!r} is no tag")
    return tuple(dict.fromkeys(tags))


def check_metadata(metadata: Any) -> dict[str, Any]:
    """Return *metadata* as plain JSON values.

    Raises:
        BadField: It is no mapping from texts to what JSON can hold.
    """
    if not isinstance(metadata, dict) or not all(isinstance(key, str) and key for key in metadata):
        raise BadField(f"metadata is a mapping from texts to JSON values; {metadata!r} was given")
    try:
        plain: dict[str, Any] = msgspec.json.decode(encode_data(metadata))
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as failure:
        raise BadField(f"the metadata cannot be JSON: {failure}") from failure
    return plain
