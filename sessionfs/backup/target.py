"""Where a copy goes: checking that it may, and opening it, or making it."""

from __future__ import annotations

import contextlib
import os

from sessionfs.artifacts.names import MAX_NAME_BYTES
from sessionfs.backup.export_file import cut_name
from sessionfs.durable import Disk
from sessionfs.errors import Conflict, InvalidInput, NotFound, from_os_error
from sessionfs.store.identity import identity_of, read_identity, write_identity
from sessionfs.store.layout import is_store
from sessionfs.store.store import Store

_UNFINISHED = ".unfinished"
_COPIED_FROM = "copied-from"  # in tmp/ of a clone that is about to get an identity of its own: whose copy it is


class OtherStore(Conflict):
    """What is to be a copy of a store is another store."""


class NotEmpty(Conflict):
    """A directory for a new store has something in it."""


class Entangled(InvalidInput):
    """One store lies in the other, or is the other."""


def open_backup(source: Store, path: str) -> Store:
    """Open the backup of *source* at *path*, or make it.

    Raises:
        OtherStore: There is a store, and it is no backup of this one.
        StoreExists: There is a directory with other things in it.
        Entangled: It lies in the store, or around it.
    """
    check_apart(source.path, path)
    identity = identity_of(source.disk, source.layout)
    return open_copy(source.path, path, identity)


def open_copy(source_path: str, path: str, identity: str) -> Store:
    """Open the store at *path* if it has this *identity*; make it if nothing is there.

    Raises:
        OtherStore: It has another one.
        StoreExists: There is a directory with other things in it.
    """
    if not is_store(path):
        Store.create(path, identity=identity)
    target = Store(path)
    found = read_identity(target.disk, target.layout)
    if found != identity:
        raise OtherStore(
            f"{path} is no backup of {source_path}: its id is {found or 'missing'}, not {identity}; name another "
            f"directory, or, to bring sessions there, use: sessionfs push"
        )
    return target


def check_apart(one: str, other: str) -> None:
    """Check that two directories, which need not be there, do not lie in each other.

    Raises:
        Entangled: They do, or are the same.
    """
    first, second = os.path.realpath(one), os.path.realpath(other)
    if first == second:
        raise Entangled(f"{other} is the store itself; name another directory")
    if second.startswith(first.rstrip("/") + "/"):
        raise Entangled(f"{other} lies in the store {one}, and would be a copy inside of what is copied; name another")
    if first.startswith(second.rstrip("/") + "/"):
        raise Entangled(f"the store {one} lies in {other}; name another directory")


def check_store(path: str) -> None:
    """Check that there is something at *path* before it is called no store.

    Raises:
        NotFound: There is nothing.
    """
    if not os.path.isdir(path):
        raise NotFound(f"there is no directory {path}; name a store, or a backup of one")


def check_free(path: str) -> None:
    """Check that nothing is at *path*, or an empty directory.

    Raises:
        NotEmpty: There is something.
        Error: Nothing can be there.
    """
    try:
        os.lstat(path)  # not lexists, for which a name that is too long is one that is free
        if not os.path.isdir(path) or os.listdir(path):
            raise NotEmpty(f"{path} is there already, and not empty; name a new directory")
    except FileNotFoundError:
        return
    except OSError as failure:
        raise from_os_error(failure, f"look at {path}") from failure


def beside(path: str) -> str:
    """Return where what is to be the store at *path* is made."""
    above, name = os.path.split(path)
    return os.path.join(above, cut_name(name, MAX_NAME_BYTES - len(_UNFINISHED)) + _UNFINISHED)


def put_in_place(disk: Disk, path: str) -> None:
    """Let what was made beside *path* appear there; it survives a power cut then, if it would have where it was."""
    try:
        disk.rename(beside(path), path)
        disk.sync_directory(os.path.dirname(path))
    except OSError as failure:
        raise from_os_error(failure, f"rename {beside(path)} to {path}") from failure


class Unfinished:
    """A new store that is made beside the place that it is for, and gets there when it is complete.

    ``<path>.unfinished`` is left where it is when something fails, or the process is killed: doing it again goes on
    with it.
    """

    def __init__(self, path: str, source_path: str, identity: str) -> None:
        """Open or make what is to be the store at *path*, which is missing or an empty directory.

        Raises:
            NotEmpty: There is something.
            OtherStore: What was left unfinished there is a copy of another store.
        """
        self.path = os.path.abspath(path)
        check_apart(source_path, self.path)
        check_free(self.path)
        unfinished = beside(self.path)
        self._copied_from = f"{unfinished}/tmp/{_COPIED_FROM}"
        self._source_identity = identity
        if is_store(unfinished) and _first_line(self._copied_from) == identity:  # killed with its own identity already
            self.store = Store(unfinished)
        else:
            self.store = open_copy(source_path, unfinished, identity)

    def finish(self, identity: str | None = None) -> Store:
        """Put it in its place, with another *identity* if one is given, and return it opened.

        Durability:
            Survives a power cut.
        """
        store = self.store
        if identity is not None:
            with open(self._copied_from, "w", encoding="ascii") as file:
                file.write(f"{self._source_identity}\n")
                file.flush()
                os.fsync(file.fileno())
            write_identity(store.disk, store.layout, identity, replace=True)
        store.close()
        put_in_place(store.disk, self.path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.path}/tmp/{_COPIED_FROM}")
        return Store(self.path)


def _first_line(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().rstrip("\n")
    except FileNotFoundError:
        return None
