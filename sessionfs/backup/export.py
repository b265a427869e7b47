"""Exporting a session, as it is or was: to a directory or a tar archive, with all that files cannot say beside them."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO, NamedTuple, cast

from sessionfs.artifacts import Node, text_of
from sessionfs.backup.export_directory import DirectoryTarget
from sessionfs.backup.export_members import Content, Member, Target, Writer
from sessionfs.backup.export_sidecar import (
    ARTIFACTS,
    EVENTS,
    FORMAT,
    FORMAT_NAME,
    OBJECTS,
    SIDECAR,
    STATE,
    Earlier,
    Head,
    Item,
    Moment,
    encode,
    encode_head,
    item_of,
    read_makers,
)
from sessionfs.backup.export_tar import COMPRESSIONS, TarTarget, compression_by_name
from sessionfs.clock import format_time
from sessionfs.errors import InvalidInput
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.store import xattrs
from sessionfs.store.session import Session
from sessionfs.travel import View
from sessionfs.travel.versions import versions_at

Progress = Callable[[int], None]
"""Called with how many bytes of content have been written more."""

_SPOOLED_BYTES = 16 << 20  # of the sidecar are in memory, before it goes to a temporary file
_READ_BYTES = 1 << 20

FORMATS = ("directory", *(f"tar.{form}" if form else "tar" for form in COMPRESSIONS))


class Exported(NamedTuple):
    """What was written.

    Attributes:
        absent: Artifacts of kinds that cannot be there (text form); ``session.json`` has what they are.
        lost_xattr_count: Extended attributes that could not be there; ``session.json`` has them.
    """

    session_id: str
    seq: int
    artifact_count: int
    size: int
    state_count: int
    version_count: int
    absent: tuple[str, ...]
    lost_xattr_count: int

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**self._asdict(), "absent": list(self.absent)}


def export(
    session: Session,
    view: View,
    target: Target,
    *,
    all_versions: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write *view*, a moment of *session*, to *target*, which is complete then.

    Args:
        all_versions: Also the earlier versions of the artifacts there are, and the log.

    Raises:
        DamagedObject, NoSuchObject: Some content is damaged or missing.
        OSError: It cannot be written.
        So with all that is raised: *target* was abandoned, and has left nothing.
    """
    try:
        exported = _Export(session, view, target, progress).run(all_versions)
        target.finish()
    except BaseException:
        target.abandon()
        raise
    return exported


class _Export:
    """One export."""

    def __init__(self, session: Session, view: View, target: Target, progress: Progress | None) -> None:
        self._session = session
        self._view = view
        self._target = target
        self._progress = progress
        self._first_paths: dict[int, str] = {}  # of inodes with several names
        self._absent: list[str] = []

    def run(self, all_versions: bool) -> Exported:
        view = self._view
        with view.lock:
            nodes = list(view.tree.walk())
        earlier = list(self._earlier(nodes)) if all_versions else []
        self._add_sidecar(nodes, earlier)
        self._add_tree(nodes)
        self._add_state()
        if all_versions:
            self._add_objects(nodes, earlier)
            self._add_events()
        return Exported(
            session_id=view.session_id,
            seq=view.seq,
            artifact_count=view.tree.artifact_count,
            size=view.tree.size,
            state_count=len(view.state.values),
            version_count=len(earlier),
            absent=tuple(self._absent),
            lost_xattr_count=self._target.lost_xattr_count,
        )

    def _add_sidecar(self, nodes: list[tuple[str, Node]], earlier: list[Earlier]) -> None:
        with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as file:
            for part in self._sidecar(nodes, earlier):
                file.write(part)
            size = file.tell()
            file.seek(0)
            self._target.add(self._plain(SIDECAR, size), lambda out: shutil.copyfileobj(file, cast(BinaryIO, out)))

    def _sidecar(self, nodes: list[tuple[str, Node]], earlier: list[Earlier]) -> Iterator[bytes]:
        """Yield the sidecar: one line of JSON, and one for each thing in its lists."""
        view = self._view
        moment = Moment(view.seq, format_time(view.time_ns), view.position.chain)
        root = item_of("", view.tree.root)
        yield encode_head(Head(format=f"{FORMAT_NAME} {FORMAT}", moment=moment, session=view.fields, root=root))
        yield b',\n"artifacts":['
        yield from _separated(map(encode, self._items(nodes)))
        yield b'],\n"state":{'
        values = view.state.values
        yield from _separated(encode(key) + b":" + encode(values[key].changed_at) for key in sorted(values))
        yield b'},\n"versions":['
        yield from _separated(map(encode, earlier))
        yield b"]}\n"

    def _items(self, nodes: list[tuple[str, Node]]) -> Iterator[Item]:
        makers = read_makers(self._session, (node.id for _, node in nodes if node.is_file))
        for path, node in nodes:
            first = self._first_paths.setdefault(node.ino, path) if node.links > 1 else path
            if first != path:
                yield Item(path=text_of(path), ino=node.ino, kind=node.kind, link=text_of(first))
                continue
            item = item_of(path, node)
            item.made_by = makers.get(node.id)
            if not self._target.holds(node.kind):
                item.absent = True
                self._absent.append(item.path)
            yield item

    def _add_tree(self, nodes: list[tuple[str, Node]]) -> None:
        self._target.add(_member(ARTIFACTS, self._view.tree.root))
        for path, node in nodes:
            if not self._target.holds(node.kind):
                continue
            first = self._first_paths.get(node.ino, path)
            link = None if first == path else f"{ARTIFACTS}/{first}"
            member = _member(f"{ARTIFACTS}/{path}", node, link)
            is_content = node.oid is not None and link is None
            self._target.add(member, self._content(node.oid) if is_content and node.oid is not None else None)

    def _add_state(self) -> None:
        state = self._view.state
        self._target.add(self._plain(STATE, kind="directory"))
        for key in sorted(state.values):
            json = state.get_json(key)
            self._target.add(self._plain(f"{STATE}/{key}", len(json)), partial(_write, json))

    def _earlier(self, nodes: list[tuple[str, Node]]) -> Iterator[Earlier]:
        index = versions_at(self._session, self._view.position)
        seen: set[int] = set()
        for path, node in nodes:
            if not node.is_file or node.ino in seen:
                continue
            seen.add(node.ino)
            for version in index.versions(path):
                content = index.content(self._session, version)
                if version.number < node.version and content.oid is not None and self._is_there(content.oid):
                    yield Earlier(
                        path=text_of(path),
                        version=version.number,
                        id=version.id,
                        oid=content.oid,
                        size=content.size,
                        time=format_time(content.time_ns),
                        mtime=format_time(content.mtime_ns),
                        actor=content.actor,
                    )

    def _is_there(self, oid: ObjectId) -> bool:
        """Say whether a version has its content still: old ones may have been given up."""
        return self._objects.has(oid, "blob")

    def _add_objects(self, nodes: list[tuple[str, Node]], earlier: list[Earlier]) -> None:
        self._target.add(self._plain(OBJECTS, kind="directory"))
        present = {node.oid for _, node in nodes if self._target.holds(node.kind)}
        for oid, size in {version.oid: version.size for version in earlier if version.oid not in present}.items():
            self._target.add(self._plain(f"{OBJECTS}/{oid}", size), self._content(oid))

    def _add_events(self) -> None:
        log, end = self._session.log, self._view.position.offset

        def write(out: Writer) -> None:
            for offset in range(0, end, _READ_BYTES):
                out.write(log.read_at(offset, min(_READ_BYTES, end - offset)))

        self._target.add(self._plain(EVENTS, end), write)

    def _plain(self, path: str, size: int = 0, *, kind: str = "file") -> Member:
        """Return a member that is no artifact."""
        mode = 0o755 if kind == "directory" else 0o644
        return Member(path=path, kind=kind, mode=mode, size=size, mtime_ns=self._view.time_ns)

    def _content(self, oid: ObjectId) -> Content:
        return lambda out: self._objects.copy_out(oid, cast(BinaryIO, _Watched(out, self._progress)))

    @property
    def _objects(self) -> ObjectDatabase:
        return self._view.objects


class _Watched:
    """A writer that says how much is written."""

    def __init__(self, out: Writer, progress: Progress | None) -> None:
        self._out = out
        self._progress = progress

    def write(self, data: bytes) -> int:
        self._out.write(data)
        if self._progress is not None:
            self._progress(len(data))
        return len(data)


def _member(path: str, node: Node, link: str | None = None) -> Member:
    """Return *node* as a member of the export."""
    # Linux lets only these two have attributes; what others have is in the sidecar.
    has_xattrs = link is None and (node.is_file or node.is_directory)
    shown = xattrs.OfNode(node)
    names = xattrs.names(shown, is_directory=node.is_directory) if has_xattrs else []
    return Member(
        path=path,
        kind=node.kind,
        mode=stat.S_IMODE(node.mode),
        mtime_ns=node.mtime_ns,
        uid=node.uid,
        gid=node.gid,
        atime_ns=node.atime_ns,
        size=node.size if node.is_file else 0,
        target=node.target or "",
        rdev=node.rdev,
        link=link,
        xattrs={name: xattrs.get(shown, name) for name in names},
    )


def _separated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *parts*, each on a line of its own, with commas between them."""
    separator = b"\n"
    for part in parts:
        yield separator + part
        separator = b",\n"


def _write(data: bytes, out: Writer) -> None:
    out.write(data)


class UnknownFormat(InvalidInput):
    """There is no such format of exports."""


def open_target(destination: str | BinaryIO, format: str | None = None) -> Target:
    """Begin what an export is written to.

    Args:
        destination: A path, or a stream.
        format: ``directory``, ``tar``, ``tar.gz``, ``tar.bz2``, ``tar.xz`` or ``tar.lz4``; by default what the path's
            name says, a directory if it says nothing, and ``tar`` for a stream.

    Raises:
        UnknownFormat: There is none of this name, or a stream is to become a directory.
        DestinationTaken: Something is there already.
        OSError: It cannot be made there.
    """
    if format is None:
        if isinstance(destination, str):
            compression = compression_by_name(destination)
            return DirectoryTarget(destination) if compression is None else TarTarget(destination, compression)
        return TarTarget(destination, "")
    if format == "directory" and isinstance(destination, str):
        return DirectoryTarget(destination)
    if format not in FORMATS:
        raise UnknownFormat(f"there is no format {format!r}; these are possible: {', '.join(FORMATS)}")
    if format == "directory":
        raise UnknownFormat("a stream cannot become a directory; it can be a tar archive")
    return TarTarget(destination, format.removeprefix("tar").removeprefix("."))
