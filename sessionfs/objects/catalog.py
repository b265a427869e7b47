"""Which packs there are, and where in them an object lies.

Readers look again when they do not find what they want: others add packs, complete them, and take them away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from sessionfs.durable import Disk
from sessionfs.errors import from_os_error
from sessionfs.objects.opened import Complete, Growing, open_complete
from sessionfs.objects.packing import Entry
from sessionfs.oid import ObjectId

PACK_SUFFIX = ".pack"
INDEX_SUFFIX = ".idx"

Packed = tuple[str, Entry]
"""The path of a pack, and where in it an object lies."""


class Catalog:
    """The packs in one directory, as they were seen last. Its owner holds a lock."""

    def __init__(self, disk: Disk, directory: str) -> None:
        """Look at the packs in *directory*, which need not be there; nothing is opened yet."""
        self._disk = disk
        self._directory = directory
        self._packs: dict[str, Growing | Complete] = {}  # by name
        self._names: frozenset[str] = frozenset()  # of the files, as they were read last
        self._has_looked = False
        self.own: Growing | None = None
        """The pack that this process adds to: it knows what is in there."""

    # Paths

    def path(self, stem: str) -> str:
        """Return where the pack called *stem* lies, or would."""
        return f"{self._directory}/{stem}{PACK_SUFFIX}"

    def index_path(self, path: str) -> str:
        """Return where the index of the pack at *path* lies, or would."""
        return path.removesuffix(PACK_SUFFIX) + INDEX_SUFFIX

    # Looking

    def find(self, oid: ObjectId, suffixes: tuple[str, ...], *, refresh: bool) -> Packed | None:
        """Return where an object lies in one of these forms, the first that is there; None when it is not here."""
        if not self._has_looked:
            self._open_indexed()
        found = self._find(oid, suffixes) if self._packs else None
        if found is None and refresh and self.refresh():
            found = self._find(oid, suffixes)
        return found

    def _find(self, oid: ObjectId, suffixes: tuple[str, ...]) -> Packed | None:
        found = [(pack.path, entry) for pack in self._packs.values() for entry in pack.find(oid)]
        for suffix in suffixes if found else ():
            for packed in found:
                if packed[1].suffix == suffix:
                    return packed
        return None

    def all(self) -> list[Growing | Complete]:
        """Return every pack, up to date."""
        self.refresh()
        return list(self._packs.values())

    def growing(self) -> list[Growing]:
        """Return the packs without an index, up to date."""
        return [pack for pack in self.all() if isinstance(pack, Growing)]

    def at(self, stem: str) -> Growing | Complete | None:
        """Return the pack called *stem*, up to date; None when it has gone."""
        self.refresh()
        return self._packs.get(stem)

    def begun(self, stem: str, pack: Growing) -> None:
        """Note a pack that this process has begun."""
        self._packs[stem] = pack

    def damaged_indexes(self) -> tuple[str, ...]:
        """Return the paths of the indexes that are damaged, or of no pack that is here."""
        self.refresh()
        stems = {name.removesuffix(INDEX_SUFFIX) for name in self._names if name.endswith(INDEX_SUFFIX)}
        whole = {stem for stem, pack in self._packs.items() if isinstance(pack, Complete)}
        return tuple(f"{self._directory}/{stem}{INDEX_SUFFIX}" for stem in sorted(stems - whole))

    # Looking again

    def refresh(self) -> bool:
        """Take in what others have added, and forget the packs that are gone; whether there was anything."""
        self._has_looked = True
        try:
            names = frozenset(self._disk.listdir(self._directory))
        except (FileNotFoundError, NotADirectoryError):
            names = frozenset()
        except OSError as failure:
            raise from_os_error(failure, f"read {self._directory}") from failure
        is_new = names != self._names
        if is_new:
            self._names = names
            self._open(names)
        for pack in self._packs.values():
            if isinstance(pack, Growing) and pack is not self.own:
                is_new = pack.read_on(self._disk) or is_new
        return is_new

    def _open_indexed(self) -> None:
        """Open the packs that have an index, once; one that has none may take a while to be read."""
        self._has_looked = True
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = frozenset(self._disk.listdir(self._directory))
            self._open(frozenset(name for name in names if _has_index(name, names)))

    def _open(self, names: frozenset[str]) -> None:
        stems = {name.removesuffix(PACK_SUFFIX) for name in names if name.endswith(PACK_SUFFIX)}
        for gone in self._packs.keys() - stems:
            del self._packs[gone]
        for stem in sorted(stems):
            known = self._packs.get(stem)
            if isinstance(known, Complete):
                continue
            path = self.path(stem)
            complete = None
            if stem + INDEX_SUFFIX in names:
                complete = open_complete(self._disk, path, self.index_path(path))
            if complete is not None:
                self._packs[stem] = complete
            elif known is None:
                self._packs[stem] = Growing(path)


def _has_index(name: str, names: Collection[str]) -> bool:
    return name.removesuffix(PACK_SUFFIX).removesuffix(INDEX_SUFFIX) + INDEX_SUFFIX in names
