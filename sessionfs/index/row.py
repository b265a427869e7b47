"""One artifact as a row of the index: at one path of one session, there now or once."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from msgspec import UNSET

from sessionfs.artifacts import Node, from_text, mime, text_of
from sessionfs.artifacts.events import Attributes, Stored
from sessionfs.artifacts.names import encode
from sessionfs.artifacts.node import OTHER_MODE, USUAL_MODES
from sessionfs.clock import parse_time
from sessionfs.log import MAX_DEPTH, check_depth

# What older versions wrote may be deeper than what is written now, and whoever asks has used some of Python's stack.
_MAX_DEPTH = 4 * MAX_DEPTH

_MAX_INTEGER = (1 << 63) - 1

_encode_json = msgspec.json.Encoder().encode


class Row(msgspec.Struct, kw_only=True):
    """The columns of the table ``artifacts``, in order, as SQLite has them."""

    key: int
    session: int
    standing: int
    path: str
    name: str
    ending: str | None  # what follows the last dot of the name
    kind: str
    ino: int
    links: int
    maker: str | None  # the session whose log stored the version, when that is another one: a fork began with it
    seq: int
    version: int
    oid: bytes | None
    size: int
    stored_size: int
    compression: str
    set_type: str | None
    set_mime_type: str | None
    type: str
    mime_type: str
    description: str | None
    tags: str | None  # JSON, as metadata; None for none
    metadata: str | None
    created_ns: int
    updated_ns: int
    mtime_ns: int
    created_by: str
    origin: str | None
    mode: int
    uid: int
    gid: int
    target: str | None

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.kind == "directory"

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.kind == "file"

    def copy(self, key: int) -> Row:
        """Return the same under another key."""
        row = copy.copy(self)
        row.key = key
        return row

    def move(self, path: str) -> None:
        """Put it at *path*; what its name says about its type changes with that."""
        self.path = path
        self.name = path.rpartition("/")[2]
        dot = self.name.rfind(".")
        self.ending = self.name[dot + 1 :] if dot >= 0 else None
        self.show_types()

    def show_types(self) -> None:
        """Say the type and mime type as they are shown: as set, or else what name and mime type stand for."""
        self.mime_type = self.set_mime_type or mime.guess_by_name(from_text(self.name)) or mime.UNKNOWN
        self.type = self.set_type or mime.guess_type(self.mime_type)

    def set_content(self, data: Stored) -> None:
        """Take over the content that a record stored."""
        self.oid = None if data.oid is None else bytes.fromhex(data.oid)
        self.size = data.size
        self.stored_size = data.size if data.stored_size is None else data.stored_size
        self.compression = data.compression or ("none" if data.stored_size is None else "lz4")
        if data.target is not None:
            self.target = data.target
            self.size = self.stored_size = len(encode(from_text(data.target)))

    def set_attributes(self, data: Attributes) -> None:
        """Take over what a record says besides content; :meth:`show_types` is to follow."""
        if data.mode is not UNSET:
            self.mode = int(data.mode, 8)
        if data.uid is not UNSET:
            self.uid = data.uid
        if data.gid is not UNSET:
            self.gid = data.gid
        if data.mtime is not UNSET:
            self.mtime_ns = ns_of(data.mtime)
        if data.ctime is not UNSET:
            self.updated_ns = ns_of(data.ctime)
        if data.description is not UNSET:
            self.description = data.description
        if data.tags is not UNSET:
            self.tags = to_json(data.tags)
        if data.metadata is not UNSET:
            self.metadata = to_json(data.metadata)
        if data.origin is not UNSET:
            self.origin = data.origin
        if data.type is not UNSET:
            self.set_type = data.type
        if data.mime_type is not UNSET:
            self.set_mime_type = data.mime_type


COLUMNS = Row.__struct_fields__

_USUAL = {kind: int(mode, 8) for kind, mode in USUAL_MODES.items()}
_OTHER = int(OTHER_MODE, 8)


def usual_mode(kind: str) -> int:
    """Return the permission bits of what nobody said any for."""
    return _USUAL.get(kind, _OTHER)


def ns_of(time: str) -> int:
    """Return a time of the log in nanoseconds since the epoch, as SQLite can hold it."""
    return fit(parse_time(time))


def fit(number: int) -> int:
    """Return *number* as SQLite can hold it; what 64 bits are too few for, years after 2262, as the nearest float."""
    return number if -_MAX_INTEGER <= number <= _MAX_INTEGER else float(number)  # type: ignore[return-value]


def to_json(value: Any) -> str | None:
    """Return tags or metadata as JSON; None for none, and for what is nested too deeply to be read from the index."""
    if not value:
        return None
    try:
        text = _encode_json(value)
        check_depth(text, _MAX_DEPTH)
    except (ValueError, RecursionError):
        return None
    return text.decode()


def row_of_node(node: Node, path: str, *, key: int, session: int, session_id: str, standing: int) -> Row:
    """Return the row for an inode of a folded tree, at one of its paths."""
    maker, _, seq = node.id.rpartition(":")
    row = Row(
        key=key,
        session=session,
        standing=standing,
        path="",
        name="",
        ending=None,
        kind=node.kind,
        ino=node.ino,
        links=node.links,
        maker=None if maker == session_id else maker,
        seq=int(seq),
        version=node.version,
        oid=None if node.oid is None else bytes.fromhex(node.oid),
        size=node.size,
        stored_size=node.bytes_stored,
        compression=node.compression,
        set_type=node.type,
        set_mime_type=node.mime_type,
        type="",
        mime_type="",
        description=node.description,
        tags=to_json(node.tags),
        metadata=to_json(node.metadata),
        created_ns=fit(node.created_ns),
        updated_ns=fit(node.ctime_ns),
        mtime_ns=fit(node.mtime_ns),
        created_by=node.created_by,
        origin=node.origin,
        mode=node.mode & 0o7777,
        uid=node.uid,
        gid=node.gid,
        target=None if node.target is None else text_of(node.target),
    )
    row.move(text_of(path))
    return row
