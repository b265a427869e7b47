"""A store from another machine, by rsync: logs first, then the objects that they name.

It is made beside its place and appears when it is complete; doing it again after a kill goes on with what has come. The
other store may be in use: gc there, in between, is what could take an object away; fsck says so.
"""

from __future__ import annotations

import os

from sessionfs.backup.done import Copied
from sessionfs.backup.remote import Remote, rsync
from sessionfs.backup.target import OtherStore, beside, check_free, put_in_place
from sessionfs.durable import OsDisk
from sessionfs.errors import from_os_error
from sessionfs.store.identity import identity_of, new_identity, read_identity, write_identity
from sessionfs.store.layout import Layout, NotAStore
from sessionfs.store.store import Store

_NOT_COPIED = ("/format", "/tmp/", "/changed/", "/locks/", "/trash/", "/index.sqlite*", "/synced")
_PROGRAMS = ("/hooks/", "/templates/")  # templates have hooks too: what is run here is for its owner to say


def copy_from(where: str, path: str, *, is_clone: bool) -> Copied:
    """Make a store at *path*, where nothing may be, of the store at *where* on another machine.

    Args:
        is_clone: Without its hooks, and with an id of its own.

    Raises:
        NotEmpty: Something is at *path*.
        NotAStore: There is no store.
        TransferFailed: Doing it again goes on.

    Durability:
        Survives a power cut.
    """
    place = Remote(where)
    target = os.path.abspath(path)
    check_free(target)
    if "format" not in rsync(["--list-only"], place.below()):
        raise NotAStore(f"{place} is no sessionfs store: it has no file 'format'")
    layout = Layout(beside(target))
    try:
        for directory in layout.directories():
            os.makedirs(directory, exist_ok=True)
    except OSError as failure:
        raise from_os_error(failure, f"make {layout.root}") from failure
    _check_same(place, layout)
    left_out = [f"--exclude={name}" for name in (*_NOT_COPIED, *(_PROGRAMS if is_clone else ()))]
    rsync(["-rtE", *left_out, "--exclude=/objects/"], place.below(), f"{layout.root}/")
    rsync(["-rtE"], place.below("objects/"), f"{layout.objects}/")
    rsync(["-t"], place.below("format"), layout.format)
    return _finish(layout, target, is_clone=is_clone)


def _check_same(place: Remote, layout: Layout) -> None:
    """Check that what an earlier run left here is of the same store."""
    disk = OsDisk()
    known = read_identity(disk, layout)
    rsync(["-rt", "--include=/id", "--exclude=*"], place.below(), f"{layout.root}/")
    if known is not None and known != read_identity(disk, layout):
        write_identity(disk, layout, known, replace=True)
        raise OtherStore(f"{layout.root} was begun with another store than {place}; remove it, and try again")


def _finish(layout: Layout, target: str, *, is_clone: bool) -> Copied:
    store = Store(layout.root)
    identity_of(store.disk, store.layout)
    if is_clone:
        write_identity(store.disk, store.layout, new_identity(), replace=True)
    count = size = 0
    for file in store.objects.list():
        count, size = count + 1, size + file.stored_size
    session_count = len(store.session_ids())
    store.sync_everything()
    store.close()
    put_in_place(store.disk, target)
    return Copied(target, (), session_count, count, size)
