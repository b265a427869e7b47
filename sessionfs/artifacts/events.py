"""What the ``artifact.*`` records say. Paths and targets are in text form (see :mod:`sessionfs.artifacts.names`).

What has its usual value, or did not change, is left out.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from sessionfs.oid import ObjectId


class Attributes(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What can be set on an artifact besides its content. UNSET leaves it as it is; None takes it away."""

    mode: str | UnsetType = UNSET  # permission bits, octal
    uid: int | UnsetType = UNSET
    gid: int | UnsetType = UNSET
    mtime: str | UnsetType = UNSET
    ctime: str | UnsetType = UNSET  # when it is not the record's time
    atime: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    mime_type: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET  # all of it, replacing what was
    xattrs: dict[str, bytes] | UnsetType = UNSET  # likewise; values in base64
    origin: str | UnsetType | None = UNSET


class MadeBy(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The block that was open when an artifact was stored: a tool's call, an agent's turn, a workflow."""

    type: str  # of the record that the block becomes when it ends
    name: str  # of the tool, agent or workflow
    block: str  # that record has the same in its data
    inputs: list[str] = []  # ids of artifacts that were read for it, and that no earlier artifact of the block names


class Stored(Attributes, omit_defaults=True, kw_only=True):
    """``artifact.stored``: a new version of the file at ``path``, or a new artifact of any kind."""

    path: str
    kind: str = "file"
    ino: int | None = None  # of a new artifact
    oid: ObjectId | None = None
    size: int = 0
    stored_size: int | None = None  # bytes of the object's file; as size when it is not compressed
    compression: str | None = None  # "chunks"; for "lz4" and "none" stored_size says it
    target: str | None = None  # of a symlink
    rdev: int = 0
    link: str | None = None  # this is another name of the artifact at that path, and nothing else is said
    created_at: str | None = None  # of a new artifact, when it was made before it was recorded
    entered: str | None = None  # with created_at: what its directory's times become, if they do
    created_by: str | None = None  # when it is not the record's actor
    version: int | None = None  # of an inode that is brought back: it replaces what is there, and its versions go on
    made_by: MadeBy | None = None  # what it was made by, if that was said
    brought_back: str | None = None  # id of the version that this one is again, after a restore or an undo


class Updated(Attributes, omit_defaults=True, kw_only=True):
    """``artifact.updated``: attributes of the artifact at ``path`` ("" is the root) were set."""

    path: str


class Renamed(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``artifact.renamed``: what was at ``path`` is at ``to``; what was there is gone, or at ``path``."""

    path: str
    to: str
    exchange: bool = False  # the two changed places


class Deleted(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``artifact.deleted``: nothing is at ``path`` any more, nor below it; other names of it stay."""

    path: str
    kind: str = "file"


class Retrieved(msgspec.Struct, omit_defaults=True, kw_only=True):
    """``artifact.retrieved``: the content of a version was read, or opened to be read."""

    path: str
    id: str  # of the version
    by: str | None = None  # who read it, when it is not the record's actor
