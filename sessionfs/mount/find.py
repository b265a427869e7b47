"""``find/<query>``: a directory of links to the artifacts that a query finds. It is found by name, not listed.

A name cannot hold a slash, so ``%2F`` stands for one; any byte can be written so, as in URLs. A link is called as its
artifact is; where several are called the same, the session stands before the name, and then the path, with ``~``
between. What was there once links to its content.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from sessionfs.artifacts import text_of
from sessionfs.artifacts.names import MAX_NAME_BYTES, encode
from sessionfs.index import Index, IndexedArtifact
from sessionfs.mount.inodes import Inode
from sessionfs.mount.loop import in_worker
from sessionfs.mount.namespace import Folder, Link
from sessionfs.query import Page, parse_query

if TYPE_CHECKING:
    from sessionfs.mount.view import View

# Ages count from now, so what a query finds changes by itself.
_KEPT_SECONDS = 60.0

_UP = "../../"


class Find(Folder):
    """``find``: each name in it is a query."""

    def __init__(self, view: View, path: str) -> None:
        super().__init__(view, path)
        self.index = Index(view.store)

    def names(self) -> Sequence[bytes]:
        return []

    def lookup(self, name: bytes) -> Inode | None:
        folder = self.child(text_of(os.fsdecode(name)), lambda view, path: FoundFolder(view, path, name, self.index))
        assert isinstance(folder, FoundFolder)
        folder.parse()  # what is no query is an error (EINVAL) here, where its name is
        return folder


class FoundFolder(Folder):
    """``find/<query>``: a link for each artifact that is found; as it is when it is opened."""

    must_load = True

    def __init__(self, view: View, path: str, name: bytes, index: Index) -> None:
        super().__init__(view, path)
        self._text = os.fsdecode(unquote_to_bytes(name))
        self._index = index
        self._targets: dict[bytes, str] = {}
        self._found_in: int | None = None  # the generation of the index
        self._found_at = 0.0

    def parse(self) -> None:
        """Check the query.

        Raises:
            BadQuery: It is none.
        """
        parse_query(self._text)

    async def load(self) -> None:
        """Ask the index, in a worker: it may have to read logs first."""
        await in_worker(self._find)

    def names(self) -> Sequence[bytes]:
        return list(self._targets)

    def lookup(self, name: bytes) -> Inode | None:
        target = self._targets.get(name)
        if target is None:
            return None
        # The same name may come to mean another artifact, so the target is part of the path.
        path = f"{self.path}/{text_of(os.fsdecode(name))}\0{text_of(target)}"
        return self.view.virtual(path, lambda view, path: Link(view, path, target))

    def _find(self) -> None:
        self._index.refresh()
        generation, now = self._index.generation, time.monotonic()
        if generation == self._found_in and now - self._found_at < _KEPT_SECONDS:
            return
        self._targets = link_targets(self._index.find(parse_query(self._text), Page()))
        self._found_in, self._found_at = generation, now


class _Needed(msgspec.Struct, frozen=True, gc=False):
    """What a link needs of an artifact, of which there may be very many."""

    key: int
    session: str
    path: str
    oid: str | None
    version: int
    seq: int
    is_live: bool

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


def _needed_of(one: IndexedArtifact) -> _Needed:
    return _Needed(one.key, one.session, one.path, one.oid, one.version, one.seq, one.is_live)


def link_targets(found: Iterable[IndexedArtifact]) -> dict[bytes, str]:
    """Return where the links to *found* lead, by their names, in the order in which it was found."""
    waiting = [_needed_of(one) for one in found]
    names: dict[int, str] = {}
    for form in (_plain, _with_session, _with_path):
        formed = {one.key: form(one) for one in waiting if one.key not in names}
        counts: dict[str, int] = {}
        for name in (*names.values(), *formed.values()):
            counts[name] = counts.get(name, 0) + 1
        names |= {key: name for key, name in formed.items() if counts[name] == 1 and _fits(name)}
    # What is left is too long, or is called as something else is written.
    taken = set(names.values())
    for one in waiting:
        if one.key not in names:
            name = f"{one.session}~{one.key}"
            while name in taken:
                name += "~"
            taken.add(name)
            names[one.key] = name
    return {encode(names[one.key]): _target(one) for one in waiting}


def _plain(one: _Needed) -> str:
    return one.name if one.is_live else f"{one.name}~{one.version}"


def _with_session(one: _Needed) -> str:
    return f"{one.session}~{_plain(one)}"


def _with_path(one: _Needed) -> str:
    path = one.path.replace("/", "~")
    return f"{one.session}~{path}" if one.is_live else f"{one.session}~{path}~{one.version}~{one.seq}"


def _fits(name: str) -> bool:
    return len(encode(name)) <= MAX_NAME_BYTES


def _target(one: _Needed) -> str:
    if one.is_live or one.oid is None:
        return f"{_UP}sessions/{one.session}/artifacts/{one.path}"
    return f"{_UP}objects/{one.oid}"
