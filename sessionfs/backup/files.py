"""The small files of a store that are copied besides logs and objects: refs, HEAD, config.toml, hooks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from sessionfs import refs
from sessionfs.durable import Disk, Mode, Unsynced, place, write_all
from sessionfs.durable.publish import make_directory
from sessionfs.errors import Corrupt, from_os_error
from sessionfs.store.reach import read_from
from sessionfs.store.store import Store

_PLAIN_MODE = 0o644


class NotedRefs:
    """The refs of one session, and how long each was: what was added later is not copied."""

    def __init__(self, source: Store, session_id: str) -> None:
        self._source = source
        self._session_id = session_id
        self.lengths = dict(_list_refs(source, session_id))

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name of each of them, and what it held."""
        for name, length in self.lengths.items():
            yield name, self._read(name, length)

    def copy(self, target: Store) -> Iterator[tuple[str, str]]:
        """Add their lines to those of the target; yield the path of each that is damaged, and why."""
        directory = target.layout.refs(self._session_id)
        for name, length in self.lengths.items():
            path = f"{directory}/{name}"
            try:
                if target.disk.size_at(path) == length and read_from(target.disk, path, 0) == self._read(name, length):
                    continue
                refs.extend(target.disk, target.unsynced, target.config.mode, path, self._read(name, length))
            except Corrupt as failure:
                yield f"sessions/{self._session_id}/refs/{name}", str(failure)

    def _read(self, name: str, length: int) -> bytes:
        return read_from(self._source.disk, f"{self._source.layout.refs(self._session_id)}/{name}", 0)[:length]


def _list_refs(store: Store, session_id: str) -> Iterator[tuple[str, int]]:
    directory = store.layout.refs(session_id)
    for name in refs.list_names(store.disk, directory):
        size = store.disk.size_at(f"{directory}/{name}")
        if size:
            yield name, size


def copy_head(source: Store, target: Store) -> None:
    """Make the current session that of the source."""
    content = read_from(source.disk, source.layout.head, 0)
    if content:
        refs.extend(target.disk, target.unsynced, target.config.mode, target.layout.head, content)


def copy_config(source: Store, target: Store) -> None:
    """Put the source's config.toml in place of the target's, if it is another one."""
    _copy_file(source, target, source.layout.config, target.layout.config)


def copy_hooks(source: Store, target: Store) -> None:
    """Copy the programs in ``hooks/``, and ``templates/``, which may have some; what is only in the target stays."""
    _copy_directory(source, target, source.layout.hooks, target.layout.hooks)
    _copy_directory(source, target, source.layout.templates, target.layout.templates)


def walk(disk: Disk, directory: str, below: str = "") -> Iterator[tuple[str, int | None]]:
    """Yield the directories and the regular files in *directory*, as paths below it: each directory before its content.

    With a file come its permissions; a directory has None. Links and special files are left out; what a link leads to
    may be anywhere.
    """
    try:
        names = sorted(disk.listdir(f"{directory}/{below}"))
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        mode = os.lstat(f"{directory}/{below}{name}").st_mode
        if stat.S_ISDIR(mode):
            yield f"{below}{name}", None
            yield from walk(disk, directory, f"{below}{name}/")
        elif stat.S_ISREG(mode):
            yield f"{below}{name}", stat.S_IMODE(mode)


def _copy_directory(source: Store, target: Store, there: str, here: str) -> None:
    for name, mode in walk(source.disk, there):
        make_directory(target.disk, target.unsynced, target.config.mode, here)
        if mode is None:
            make_directory(target.disk, target.unsynced, target.config.mode, f"{here}/{name}")
        else:
            _copy_file(source, target, f"{there}/{name}", f"{here}/{name}", mode)


def _copy_file(source: Store, target: Store, there: str, here: str, mode: int | None = None) -> None:
    """Copy a file whole, in place of another one if it says something else; with this mode, if one is given."""
    content = read_from(source.disk, there, 0)
    if source.disk.size_at(there) is None or (
        target.disk.size_at(here) == len(content) and read_from(target.disk, here, 0) == content
    ):
        return
    disk = target.disk
    try:
        temporary = disk.create_temporary(target.layout.staging, _PLAIN_MODE)
        try:
            write_all(disk, temporary.fd, content)
            if mode is not None:
                os.fchmod(temporary.fd, mode)
            place(disk, Unsynced(disk), Mode.FULL, temporary, here, replace=True)
        finally:
            disk.discard_temporary(temporary)
    except OSError as failure:
        raise from_os_error(failure, f"copy {there} to {here}") from failure
