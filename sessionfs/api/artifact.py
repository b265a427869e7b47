"""One artifact, as Python sees it: a value."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import IO, Any, BinaryIO, ClassVar, TypeVar

import msgspec

from sessionfs.api.files import ArtifactFile, parse_mode, wrap
from sessionfs.artifacts import IsADirectory, Node, text_of
from sessionfs.clock import format_time, to_datetime
from sessionfs.errors import Corrupt, InvalidInput
from sessionfs.objects import GivenUp, NoSuchObject, ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.store.session import Session

URL_MIME_TYPE = "text/uri-list"

Result = TypeVar("Result")


class LostContent(Corrupt):
    """An artifact names an object that the store does not have."""


class BadContent(InvalidInput):
    """Content that an artifact cannot have."""


JSON_VALUES: dict[str, Callable[[Any], Any]] = {
    "path": lambda one: text_of(one.path),
    "name": lambda one: text_of(one.name),
    "kind": attrgetter("kind"),
    "id": attrgetter("id"),
    "oid": attrgetter("oid"),
    "version": attrgetter("version"),
    "type": attrgetter("type"),
    "mime_type": attrgetter("mime_type"),
    "description": attrgetter("description"),
    "tags": lambda one: list(one.tags),
    "metadata": attrgetter("metadata"),
    "size": attrgetter("size"),
    "stored_size": attrgetter("stored_size"),
    "compression": attrgetter("compression"),
    "created_at": lambda one: format_time(one.created_ns),
    "updated_at": lambda one: format_time(one.updated_ns),
    "mtime": lambda one: format_time(one.mtime_ns),
    "created_by": attrgetter("created_by"),
    "parent": attrgetter("parent"),
    "mode": lambda one: f"{one.mode:04o}",
    "uid": attrgetter("uid"),
    "gid": attrgetter("gid"),
    "links": attrgetter("links"),
    "target": lambda one: None if one.target is None else text_of(one.target),
}
"""What an artifact's JSON has: how each field is made of it."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact at one moment. Its content is that of this version, whatever happens to the path later."""

    JSON: ClassVar[dict[str, Callable[[Any], Any]]] = JSON_VALUES

    path: str
    name: str
    kind: str  # "file", "directory", "symlink", …
    id: str  # "<session>:<seq>"
    oid: ObjectId | None
    version: int
    type: str
    mime_type: str
    description: str | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    size: int
    stored_size: int
    compression: str
    created_ns: int
    updated_ns: int
    mtime_ns: int
    created_by: str
    parent: str | None  # id of the artifact it was made from
    mode: int  # permission bits
    uid: int
    gid: int
    links: int  # how many names it has
    target: str | None  # of a symlink
    objects: ObjectDatabase
    read_in: Session | None = None  # whose log says that its content was read, when reads are audited

    @property
    def created_at(self) -> datetime:
        """When the artifact was first stored."""
        return to_datetime(self.created_ns)

    @property
    def updated_at(self) -> datetime:
        """When its content or attributes changed last."""
        return to_datetime(self.updated_ns)

    @property
    def url(self) -> str | None:
        """The URL it refers to, if it is a reference."""
        return self.read_text().strip() if self.mime_type == URL_MIME_TYPE else None

    def read_bytes(self) -> bytes:
        """Return the whole content, checked against its hash.

        Raises:
            Corrupt: The object is damaged or missing.
            NotFound: The session has given it up: see :meth:`Session.prune`.
            InvalidInput: It is no file.
        """
        return self._read(self.objects.read)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the whole content as text."""
        return self.read_bytes().decode(encoding)

    def json(self) -> Any:
        """Return the content as JSON."""
        try:
            return msgspec.json.decode(self.read_bytes())
        except msgspec.MsgspecError as failure:
            raise BadContent(f"the content of {text_of(self.path)!r} is not JSON: {failure}") from failure

    def open(self, mode: str = "rb", *, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """Open this version for reading; ``r`` for text, ``rb`` for bytes."""
        letter, both_ways, text = parse_mode(mode)
        if letter != "r" or both_ways:
            raise InvalidInput(f"a version never changes, so it cannot be opened with {mode!r}; use artifacts.open")
        raw = ArtifactFile(self.path, reader=self._read(self.objects.open))
        return wrap(raw, text=text, encoding=encoding, newline=newline)

    def copy_to(self, target: BinaryIO) -> int:
        """Write the content to *target*, checked against its hash, and return its length in bytes."""
        return self._read(lambda oid: self.objects.copy_out(oid, target))

    def stream(self) -> Iterator[bytes]:
        """Return the content in pieces of at most 1 MiB, checked against its hash while they are read."""
        return self._read(self.objects.stream)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready: names in text form, times as RFC 3339."""
        return {name: value_of(self) for name, value_of in self.JSON.items()}

    def __repr__(self) -> str:
        return f"<sessionfs.Artifact {self.path!r} version {self.version}>"

    def _read(self, read: Callable[[ObjectId], Result]) -> Result:
        if self.oid is None:
            raise IsADirectory(f"{text_of(self.path)!r} is a {self.kind}, which has no content to read")
        if self.read_in is not None:
            self.read_in.artifacts.note_retrieved(self.path, self.id)
        try:
            return read(self.oid)
        except GivenUp:
            raise
        except NoSuchObject as failure:
            raise LostContent(
                f"the content of {text_of(self.path)!r} is lost: object {self.oid} is missing; run sessionfs fsck"
            ) from failure


def artifact_of(path: str, node: Node, objects: ObjectDatabase, read_in: Session | None = None) -> Artifact:
    """Return what *node*, at *path*, says about itself now."""
    return Artifact(
        path=path,
        name=path.rpartition("/")[2],
        kind=node.kind,
        id=node.id,
        oid=node.oid,
        version=node.version,
        type=node.shown_type,
        mime_type=node.shown_mime_type,
        description=node.description,
        tags=node.tags,
        metadata=dict(node.metadata or {}),
        size=node.size,
        stored_size=node.bytes_stored,
        compression=node.compression,
        created_ns=node.created_ns,
        updated_ns=node.ctime_ns,
        mtime_ns=node.mtime_ns,
        created_by=node.created_by,
        parent=node.origin,
        mode=stat.S_IMODE(node.mode),
        uid=node.uid,
        gid=node.gid,
        links=node.links,
        target=node.target,
        objects=objects,
        read_in=read_in,
    )
