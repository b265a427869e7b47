"""What was found, as records: the artifacts, the state and the fields that a session begins with.

What an export's sidecar says of an artifact holds as long as the artifact is what it names: a file with that content,
a link with that target. Of a file with other content, which somebody edited, mode and time are the file's own, and it
is the next version. Extended attributes that the file has count in either case, by the rules of the mount: so what was
set with ``setfattr`` is taken over, and what only shows a guess stays one. What the sidecar names and nobody finds has
been removed, unless it could not be there in the first place.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from typing import Any

import msgspec

from sessionfs.artifacts import Node, events, from_text, text_of
from sessionfs.artifacts.node import KINDS, Entry, format_mode, unusual
from sessionfs.backup.export_sidecar import (
    ARTIFACTS,
    OBJECTS,
    SIDECAR,
    STATE,
    DamagedExport,
    Earlier,
    Item,
    Sidecar,
    is_sidecar,
    parse,
)
from sessionfs.backup.import_members import Found, Members
from sessionfs.clock import format_time, parse_time
from sessionfs.objects import ObjectDatabase, Stored
from sessionfs.oid import ObjectId
from sessionfs.sessions import check_actor
from sessionfs.state import MAX_INLINE_BYTES, Changed, check_key, parse_value
from sessionfs.store import xattrs
from sessionfs.store.artifacts import encode_attributes, with_mime_type
from sessionfs.store.session import random_ino

Record = tuple[str, Any]
"""A record that is to be appended: its type and what it says."""

_MAX_SIDECAR_BYTES = 4 << 30
_MAX_INO = 1 << 53  # as of inodes everywhere: JSON readers with floating-point numbers keep it
_OCTAL = re.compile(r"[0-7]{1,4}")
_FIRST_FREE_INO = 2  # the root is 1


class Source:
    """What was found, sorted out: artifacts, state values and earlier contents, and what the sidecar says."""

    def __init__(self, members: Members, objects: ObjectDatabase) -> None:
        """Look whether it is an export: its sidecar is at the top, or in the only directory that is there.

        Raises:
            DamagedExport, NewerExport: It is one, and cannot be read.
        """
        found = members.by_path
        tops = [path for path in found if path and "/" not in path]
        only = f"{tops[0]}/" if len(tops) == 1 and found[tops[0]].kind == "directory" else ""
        prefix = next((prefix for prefix in ("", only) if _is_export(found.get(f"{prefix}{SIDECAR}"))), None)
        self.sidecar: Sidecar | None = None
        self.state: dict[str, Found] = {}
        self.objects: dict[ObjectId, Stored] = {}
        self.artifacts = found
        if prefix is not None:
            self.sidecar = _read_sidecar(found[f"{prefix}{SIDECAR}"], objects)
            self.artifacts = dict(_below(found, f"{prefix}{ARTIFACTS}"))
            self.state = {key: value for key, value in _below(found, f"{prefix}{STATE}") if key}
            for path, earlier in _below(found, f"{prefix}{OBJECTS}"):
                if earlier.content is not None and path:
                    self.objects[earlier.content.stored.oid] = earlier.content.stored
        for artifact in self.artifacts.values():
            if artifact.content is not None:
                self.objects.setdefault(artifact.content.stored.oid, artifact.content.stored)
        self.artifacts.setdefault("", Found("directory"))


class Items:
    """The records that make what was found."""

    def __init__(self, source: Source, *, now: str, owner: tuple[int, int], actor: str) -> None:
        """Prepare them.

        Args:
            now: The time of what says of itself none.
            owner: User and group of what says of itself none.
            actor: Who made what says of itself nobody.
        """
        self._source = source
        self._now = now
        self._owner = owner
        self._actor = actor
        self._inos: set[int] = set()
        sidecar = source.sidecar
        self._items = {} if sidecar is None else {from_text(item.path): item for item in sidecar.artifacts}
        self._earlier: dict[str, list[Earlier]] = {}
        for version in [] if sidecar is None else sidecar.versions:
            self._earlier.setdefault(from_text(version.path), []).append(version)
        self.version_count = 0

    @property
    def root(self) -> Node:
        """What is said of the root directory."""
        sidecar = self._source.sidecar
        return self._node("", self._source.artifacts[""], None if sidecar is None else sidecar.root)

    def artifacts(self) -> Iterator[Record]:
        """Yield what makes the artifacts, a directory before what it holds."""
        root = self.root
        directories: dict[str, Node] = {"": root}
        linked: dict[int, tuple[str, Node]] = {}  # first path and node, by what was found
        several: dict[int, None] = {}  # of these, those with several names
        touched: dict[str, None] = {}  # directories whose times a link moves
        for path, found, item in self._places():
            if id(found) in linked:
                first, _ = linked[id(found)]
                data = events.Stored(path=text_of(path), kind=found.kind, link=text_of(first))
                yield "artifact.stored", data
                touched[path.rpartition("/")[0]] = None
                several[id(found)] = None
                continue
            node = self._node(path, found, item)
            linked[id(found)] = path, node
            if node.is_directory:
                directories[path] = node
            earlier = list(self._versions(path, node)) if node.is_file else []
            yield from earlier
            yield "artifact.stored", self._stored(path, node, item, continues=bool(earlier))
        for number in several:
            first, node = linked[number]
            yield "artifact.updated", events.Updated(path=text_of(first), ctime=node.ctime or node.mtime)
        for path in sorted(touched):
            node = directories[path]
            if path:
                ctime = node.ctime or node.mtime
                yield "artifact.updated", events.Updated(path=text_of(path), mtime=node.mtime, ctime=ctime)
        yield "artifact.updated", events.Updated(path="", **encode_attributes(_attributes(root)))

    def state(self, objects: ObjectDatabase) -> Iterator[Record]:
        """Yield what sets the keys.

        Raises:
            BadKey, BadValue: No state can have one.
        """
        for key, found in sorted(self._source.state.items()):
            if found.content is None:
                raise DamagedExport(f"{STATE}/{text_of(key)} is a {found.kind}; the value of a key is a file")
            json = parse_value(objects.read(found.content.stored.oid))
            changed = Changed(check_key(key))
            if len(json) > MAX_INLINE_BYTES:
                changed.new_oid, changed.new_size = objects.put_bytes(json).oid, len(json)
            else:
                changed.new = msgspec.Raw(json)
            yield "state.changed", changed

    # Inside

    def _places(self) -> Iterator[tuple[str, Found, Item | None]]:
        """Yield what there is to be, sorted: what was found, and what could not be there."""
        found = self._source.artifacts
        absent = {path: item for path, item in self._items.items() if item.absent and path not in found}
        by_first: dict[str, Found] = {}
        for path in sorted((path for path in {*found, *absent} if path), key=lambda path: path.split("/")):
            item = self._items.get(path)
            if path in found:
                yield path, found[path], item
                continue
            assert item is not None
            above = path.rpartition("/")[0]
            if above in found and found[above].kind == "directory" and item.kind not in ("file", "directory"):
                first = path if item.link is None else from_text(item.link)
                made = by_first.setdefault(first, Found(item.kind, rdev=item.rdev))
                yield path, made, item

    def _node(self, path: str, found: Found, item: Item | None) -> Node:
        """Return what is at *path*."""
        if item is not None and item.link is not None:
            item = self._items.get(from_text(item.link))  # a copy made a file of its own of it
        fits = item is not None and item.kind == found.kind
        node = self._known(path, found, item) if fits and item is not None else self._new(path, found)
        node.links = 1
        for name, value in found.xattrs.items():
            for field, new in xattrs.changes_to_set(xattrs.OfNode(node), name, value).items():
                setattr(node, field, tuple(new) if field == "tags" else new)
        return node

    def _new(self, path: str, found: Found) -> Node:
        uid, gid = self._owner
        mtime = self._now if found.mtime_ns is None else format_time(found.mtime_ns)
        node = _bare(path, found.kind, random_ino())
        node.uid = uid if found.uid is None else found.uid
        node.gid = gid if found.gid is None else found.gid
        node.permissions = None if found.mode is None else unusual(found.kind, format_mode(found.mode))
        node.mtime, node.ctime, node.created_at, node.created_by = mtime, self._now, self._now, self._actor
        node.target, node.rdev = found.target, found.rdev
        if found.content is not None:
            _set_content(node, found.content.stored)
            node.mime_type = with_mime_type({}, path, found.content.head).get("mime_type")
        return node

    def _known(self, path: str, found: Found, item: Item) -> Node:
        """Return what the sidecar says, and the file where that is another one."""
        ino = item.ino if _FIRST_FREE_INO <= item.ino < _MAX_INO and item.ino not in self._inos else random_ino()
        self._inos.add(ino)
        node = _bare(path, item.kind, ino)
        for field in Entry.__struct_fields__:
            if field not in ("name", "ino", "kind", "tree", "linked", "target"):
                setattr(node, field, getattr(item, field))
        node.ctime, node.created_at = item.ctime or item.mtime, item.created_at or item.mtime
        node.target = None if item.target is None else from_text(item.target)
        for time in (node.mtime, node.ctime, node.created_at, *([node.atime] if node.atime else ())):
            parse_time(time)
        check_actor(node.created_by)
        if item.version < 1:
            raise DamagedExport(f"{item.path!r} has the version {item.version}; they begin at 1")
        if item.permissions is not None and _OCTAL.fullmatch(item.permissions) is None:
            raise DamagedExport(f"{item.path!r} has the mode {item.permissions!r}; it is at most four octal digits")
        if found.content is not None and found.content.stored.oid != item.oid:
            node.version += 1
            self._take_status(node, found)
        elif found.target is not None and found.target != node.target:
            node.target = found.target
            self._take_status(node, found)
        if found.content is not None:
            _set_content(node, found.content.stored)
        return node

    def _take_status(self, node: Node, found: Found) -> None:
        """Note that somebody changed a file after it was exported."""
        if found.mode is not None:
            node.permissions = unusual(node.kind, format_mode(found.mode))
        if found.mtime_ns is not None:
            node.mtime = format_time(found.mtime_ns)
        node.ctime = self._now

    def _versions(self, path: str, node: Node) -> Iterator[Record]:
        """Yield what stores the earlier versions of a file, as far as their contents are there."""
        for version in sorted(self._earlier.get(path, ()), key=lambda version: version.version):
            stored = self._source.objects.get(version.oid)
            if stored is None or not 1 <= version.version < node.version:
                continue
            parse_time(version.mtime)
            self.version_count += 1
            yield (
                "artifact.stored",
                events.Stored(
                    path=text_of(path),
                    ino=node.ino,
                    version=version.version,
                    created_at=node.created_at,
                    created_by=node.created_by or None,
                    mtime=version.mtime,
                    uid=node.uid,
                    gid=node.gid,
                    **_content_fields(stored),
                ),
            )

    def _stored(self, path: str, node: Node, item: Item | None, *, continues: bool) -> events.Stored:
        content: dict[str, Any] = {}
        if node.oid is not None:
            content = _content_fields(self._source.objects[node.oid])
        elif node.is_file:
            raise DamagedExport(f"the file {text_of(path)!r} has no content")
        return events.Stored(
            path=text_of(path),
            kind=node.kind,
            ino=node.ino,
            target=None if node.target is None else text_of(node.target),
            rdev=node.rdev,
            created_at=node.created_at,
            created_by=node.created_by or None,
            version=node.version if node.version > 1 or continues else None,
            made_by=None if item is None else item.made_by,
            **content,
            **encode_attributes(_attributes(node)),
        )


def _attributes(node: Node) -> dict[str, Any]:
    """Return what is said of *node*, for :func:`encode_attributes`, which checks it."""
    attributes: dict[str, Any] = {
        "uid": node.uid,
        "gid": node.gid,
        "mtime_ns": node.mtime_ns,
        "ctime_ns": node.ctime_ns,
    }
    if node.permissions is not None:
        attributes["mode"] = stat.S_IMODE(node.mode)
    if node.atime_ns is not None:
        attributes["atime_ns"] = node.atime_ns
    for field in ("type", "mime_type", "description", "tags", "metadata", "xattrs"):
        if getattr(node, field):
            attributes[field] = getattr(node, field)
    if node.origin is not None:
        attributes["parent"] = node.origin
    return attributes


def _bare(path: str, kind: str, ino: int) -> Node:
    if kind not in KINDS:
        raise DamagedExport(f"{text_of(path)!r} is of the unknown kind {kind!r}")
    return _Bare(name=path.rpartition("/")[2], kind=kind, ino=ino)


class _Bare(Node, eq=False, kw_only=True):
    """A node that hangs nowhere."""

    @property
    def is_directory(self) -> bool:
        return self.kind == "directory"


def _set_content(node: Node, stored: Stored) -> None:
    node.oid, node.size = stored.oid, stored.size


def _content_fields(stored: Stored) -> dict[str, Any]:
    return {
        "oid": stored.oid,
        "size": stored.size,
        "stored_size": None if stored.compression == "none" else stored.stored_size,
        "compression": "chunks" if stored.compression == "chunks" else None,
    }


def _is_export(found: Found | None) -> bool:
    return found is not None and found.content is not None and is_sidecar(found.content.head)


def _read_sidecar(found: Found, objects: ObjectDatabase) -> Sidecar:
    assert found.content is not None
    stored = found.content.stored
    if stored.size > _MAX_SIDECAR_BYTES:
        raise DamagedExport(f"the export's {SIDECAR} has {stored.size} bytes; at most {_MAX_SIDECAR_BYTES} can be read")
    return parse(objects.read(stored.oid))


def _below(found: dict[str, Found], directory: str) -> Iterator[tuple[str, Found]]:
    """Yield what is in *directory*, itself as ""."""
    start = f"{directory}/"
    for path, one in found.items():
        if path == directory:
            yield "", one
        elif path.startswith(start):
            yield path[len(start) :], one
