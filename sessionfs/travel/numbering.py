"""Which versions each path has, as ``artifact.*`` records add up. Pure.

The numbers follow the rules of :class:`sessionfs.artifacts.Tree`: what is stored again is the next version, a rename to
a free path takes the numbers along, one onto a file continues that file's numbers, and what is deleted and stored again
begins at 1. What has been deleted or replaced by something else keeps its last versions under its path until something
is stored there.

Paths are in text form here, as records have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sessionfs.store.fold import InconsistentLog


class Version(NamedTuple):
    """One version of an artifact: its number, and the record that stored it."""

    number: int
    session_id: str  # a fork's first versions are in the log of its parent
    seq: int

    @property
    def id(self) -> str:
        """Its identity: ``<session>:<seq>``."""
        return f"{self.session_id}:{self.seq}"


class File:
    """A file, by however many names, or one that was."""

    __slots__ = ("versions",)

    def __init__(self, versions: list[Version]) -> None:
        self.versions = versions


class Directory:
    """What is in a directory, and what was."""

    __slots__ = ("entries", "gone")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.gone: dict[str, Entry] = {}

    def find(self, name: str) -> Entry:
        """Return what is, or else was, called *name*."""
        return self.entries.get(name) or self.gone.get(name)

    def put(self, name: str, entry: Entry) -> None:
        """Note that *entry* is there from now on."""
        before = self.gone.pop(name, None)
        self.entries[name] = entry
        if isinstance(entry, Directory) and isinstance(before, Directory) and not entry.entries:
            entry.gone = {**before.gone, **before.entries}

    def take(self, name: str) -> Entry:
        """Note that *name* is nothing any more, and return what it was: that is elsewhere, or nowhere."""
        return self.entries.pop(name, None)

    def drop(self, name: str) -> None:
        """Note that what was there is gone."""
        entry = self.entries.pop(name, None)
        if entry is not None:
            self.gone[name] = entry


Entry = File | Directory | None  # None: nothing, or what has no versions: a symbolic link, fifo, …


class Numbering:
    """The versions of a session's artifacts at one moment."""

    def __init__(self) -> None:
        self.root = Directory()

    def find(self, path: str) -> Entry:
        """Return what is, or else was, at *path* ("" is the root)."""
        entry: Entry = self.root
        if path:
            for name in path.split("/"):
                if not isinstance(entry, Directory):
                    return None
                entry = entry.find(name)
        return entry

    def put(self, path: str, entry: Entry) -> None:
        """Note that *entry* is at *path*."""
        directory, name = self._place(path)
        directory.put(name, entry)

    def apply(self, type: str, data: msgspec.Raw | bytes, version: Version) -> None:
        """Apply one record.

        Args:
            version: What it makes, if it stores one that is the first.

        Raises:
            InconsistentLog: Nothing holds what it names.
        """
        _STEPS[type](self, _decode(data), version)

    def _stored(self, said: _Said, version: Version) -> None:
        directory, name = self._place(said.path)
        if said.link is not None:
            above, linked = self._place(said.link)
            directory.put(name, above.entries.get(linked))
            return
        known = directory.entries.get(name)
        if said.kind == "directory":
            if not isinstance(known, Directory):
                directory.put(name, Directory())
        elif said.kind != "file":
            directory.put(name, None)
        elif said.version is not None:
            directory.put(name, File(_brought_back(directory.find(name), version._replace(number=said.version))))
        elif isinstance(known, File):
            known.versions.append(version._replace(number=known.versions[-1].number + 1))
        else:
            directory.put(name, File([version]))

    def _renamed(self, said: _Said, version: Version) -> None:
        old_directory, old_name = self._place(said.path)
        new_directory, new_name = self._place(said.to)
        moved, other = old_directory.take(old_name), new_directory.take(new_name)
        if said.exchange:
            old_directory.put(old_name, other)
        elif isinstance(moved, File) and isinstance(other, File):
            moved.versions = _continued(other.versions, moved.versions)
        new_directory.put(new_name, moved)

    def _deleted(self, said: _Said, version: Version) -> None:
        directory, name = self._place(said.path)
        directory.drop(name)

    def _place(self, path: str) -> tuple[Directory, str]:
        directory = self.root
        *above, name = path.split("/")
        for part in above:
            found = directory.entries.get(part)
            if not isinstance(found, Directory):
                raise InconsistentLog(f"the log names {path!r}, and there is nothing that holds it; see sessionfs fsck")
            directory = found
        return directory, name


class _Said(msgspec.Struct):
    """What matters of the data of an ``artifact.*`` record."""

    path: str
    kind: str = "file"
    link: str | None = None
    to: str = ""
    exchange: bool = False
    version: int | None = None


_decode = msgspec.json.Decoder(_Said).decode

_STEPS: dict[str, Callable[[Numbering, _Said, Version], None]] = {
    "artifact.stored": Numbering._stored,
    "artifact.renamed": Numbering._renamed,
    "artifact.deleted": Numbering._deleted,
}

NUMBERED = frozenset(_STEPS)
"""The types of records that matter."""


def _brought_back(before: Entry, version: Version) -> list[Version]:
    """Return the versions of a file that goes on with what is, or was, at its path."""
    known = before.versions if isinstance(before, File) else []
    return [*(earlier for earlier in known if earlier.number < version.number), version]


def _continued(replaced: list[Version], moved: list[Version]) -> list[Version]:
    """Return the versions of a file that was renamed onto another one."""
    last = replaced[-1].number
    own = [version for version in moved if version.number > last]
    return [*replaced, *(own or [moved[-1]._replace(number=last + 1)])]
