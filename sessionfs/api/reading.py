"""Reading a session, whether as it is now or as it was: artifacts and state as mappings, and what it says about itself.

What can be changed is added by :mod:`sessionfs.api.artifacts`, :mod:`sessionfs.api.state` and
:mod:`sessionfs.api.session`; what it was at a moment is in :mod:`sessionfs.api.view`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import IO, Any, Protocol, cast

from sessionfs.api.artifact import Artifact, artifact_of
from sessionfs.artifacts import Directory, Node, Tree, check_path
from sessionfs.clock import to_datetime
from sessionfs.errors import InvalidInput
from sessionfs.objects import ObjectDatabase
from sessionfs.sessions import SessionInfo
from sessionfs.state import State
from sessionfs.store.session import Session

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Source(Protocol):
    """What is read: a live session, or a view of one."""

    @property
    def id(self) -> str:
        """The session's id."""

    @property
    def objects(self) -> ObjectDatabase:
        """Where content is."""

    @property
    def lock(self) -> threading.RLock:
        """To be held while tree or state are read."""

    @property
    def tree(self) -> Tree:
        """The artifacts."""

    @property
    def state(self) -> State:
        """The keys and values."""

    def refresh(self) -> bool:
        """Take in what was appended, if that belongs to it."""


class ArtifactsView(Mapping[str, Artifact]):
    """Paths and artifacts. Iteration gives what is not a directory, sorted; directories can be asked for by path."""

    def __init__(self, source: Source, session: Session) -> None:
        """Read *source*; the log of *session* says so, when reads are audited."""
        self._source = source
        self._read_in = session

    def __getitem__(self, path: Path) -> Artifact:
        checked = check_path(path)
        with self._fresh():
            return self._artifact(checked, self._source.tree.resolve(checked))

    def __iter__(self) -> Iterator[str]:
        return iter([artifact.path for artifact in self.list()])

    def __len__(self) -> int:
        with self._fresh():
            return self._source.tree.artifact_count

    def __contains__(self, path: object) -> bool:
        try:
            checked = check_path(cast(Path, path))
        except (InvalidInput, TypeError):
            return False
        with self._fresh():
            return self._source.tree.find(checked) is not None

    def list(
        self, prefix: Path = "", *, recursive: bool = True, type: str | None = None, tags: Iterable[str] = ()
    ) -> list[Artifact]:
        """Return the artifacts below the directory *prefix*, sorted by path.

        Args:
            recursive: Everything below, without the directories themselves; otherwise what is directly in it,
                directories included.
            type: Only those of this type.
            tags: Only those that have all of these.

        Raises:
            NotFound: There is no *prefix*.
        """
        start = check_path(prefix) if prefix else ""
        wanted = {tags} if isinstance(tags, str) else set(tags)
        with self._fresh():
            return [
                self._artifact(path, node)
                for path, node in self._below(start, recursive)
                if (type is None or node.shown_type == type) and wanted <= set(node.tags)
            ]

    def open(self, path: Path, mode: str = "rb", *, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """Open the artifact at *path* for reading; ``r`` for text, ``rb`` for bytes."""
        return self[path].open(mode, encoding=encoding, newline=newline)

    def read(self, path: Path) -> bytes:
        """Return the whole content of the artifact at *path*."""
        return self[path].read_bytes()

    def __repr__(self) -> str:
        return f"<sessionfs.{type(self).__name__} of {self._source.id!r}>"

    def _below(self, start: str, recursive: bool) -> Iterable[tuple[str, Node]]:
        tree = self._source.tree
        if recursive:
            return ((path, node) for path, node in tree.walk(start) if not node.is_directory)
        directory = tree.resolve(start)
        if not isinstance(directory, Directory):
            return [(start, directory)]
        return [(f"{start}/{name}" if start else name, node) for name, node in sorted(directory.entries().items())]

    def _artifact(self, path: str, node: Node) -> Artifact:
        return artifact_of(path, node, self._source.objects, self._read_in)

    def _fresh(self) -> threading.RLock:
        """Return the source's lock, after reading what others did; hold it to look at the tree."""
        self._source.refresh()
        return self._source.lock


class StateView(Mapping[str, Any]):
    """Keys and JSON values. Thread-safe. A value that is read is a copy."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, key: str) -> Any:
        with self._fresh():
            return self._source.state.get(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.list())

    def __len__(self) -> int:
        with self._fresh():
            return len(self._source.state)

    def __contains__(self, key: object) -> bool:
        with self._fresh():
            return key in self._source.state

    def list(self, prefix: str = "") -> list[str]:
        """Return the keys that start with *prefix*, sorted."""
        with self._fresh():
            return self._source.state.keys(prefix)

    def to_dict(self, prefix: str = "") -> dict[str, Any]:
        """Return keys and values at one moment."""
        with self._fresh():
            state = self._source.state
            return {key: state.get(key) for key in state.keys(prefix)}

    def __repr__(self) -> str:
        return f"<sessionfs.{type(self).__name__} of {self._source.id!r}>"

    def _fresh(self) -> threading.RLock:
        self._source.refresh()
        return self._source.lock


class Described:
    """What a session says about itself, at some moment."""

    def info(self) -> SessionInfo:
        """Return everything it says about itself, at one moment."""
        raise NotImplementedError

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        return self.info().name

    @property
    def description(self) -> str | None:
        """Its description, if it has one."""
        return self.info().description

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.info().tags

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata; a copy, ``update`` sets them."""
        return dict(self.info().metadata)

    @property
    def parent(self) -> str | None:
        """The id of its parent, if it has one."""
        return self.info().parent

    @property
    def status(self) -> str:
        """``active``, ``suspended``, ``completed``, ``failed`` or ``archived``."""
        return self.info().status.value

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        return self.info().reason

    @property
    def created_by(self) -> str:
        """Who made it."""
        return self.info().created_by

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        return to_datetime(self.info().created_ns)

    @property
    def updated_at(self) -> datetime:
        """When anything in it changed last."""
        return to_datetime(self.info().updated_ns)

    @property
    def started_at(self) -> datetime:
        """When it became active first."""
        return to_datetime(self.info().started_ns)

    @property
    def ended_at(self) -> datetime | None:
        """When it completed or failed."""
        ended_ns = self.info().ended_ns
        return None if ended_ns is None else to_datetime(ended_ns)

    @property
    def artifact_count(self) -> int:
        """How many artifacts it has, directories left out."""
        return self.info().artifact_count

    @property
    def size(self) -> int:
        """Bytes of content of its artifacts, each counted for itself."""
        return self.info().size

    @property
    def stored_size(self) -> int:
        """Bytes their objects take, each counted for itself."""
        return self.info().stored_size

    @property
    def event_count(self) -> int:
        """How many records its log has."""
        return self.info().event_count

    def to_dict(self) -> dict[str, Any]:
        """Return everything it says about itself, JSON-ready."""
        return self.info().to_dict()
