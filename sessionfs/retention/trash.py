"""The trash: what was deleted and is still inside its grace period.

trash/<id>@<time>/              a session
trash/+objects@<time>/          objects that nothing needed
trash/+repair@<time>/           what a repair took away
trash/+power-cut@<time>/        what was set aside after a power cut
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sessionfs.clock import format_time
from sessionfs.durable import Mode
from sessionfs.durable.publish import make_directory
from sessionfs.errors import Conflict, NotFound, from_os_error
from sessionfs.log.framing import written_type
from sessionfs.objects.trashed import PREFIX as OBJECTS_PREFIX
from sessionfs.retention.alone import without_gc
from sessionfs.store.layout import parse_trashed
from sessionfs.store.reach import list_files, read_from
from sessionfs.store.store import Store


class NotInTrash(NotFound):
    """Nothing in the trash is called so."""


class NameTaken(Conflict):
    """What is to come back would replace something."""


class Trashed(NamedTuple):
    """One thing in the trash."""

    name: str  # of its directory
    kind: str  # "session", "objects", "repair", "power-cut"
    session_id: str | None
    time_ns: int  # when it was put there
    size: int  # bytes of its files
    file_count: int

    def to_dict(self) -> dict[str, str | int | None]:
        """Return it JSON-ready."""
        return {**self._asdict(), "time": format_time(self.time_ns)}


def list_trash(store: Store) -> Iterator[Trashed]:
    """Yield what is in the trash, by name."""
    for name in sorted(store.disk.listdir(store.layout.trash)):
        parsed = parse_trashed(name)
        if parsed is None or os.path.islink(f"{store.layout.trash}/{name}"):
            continue  # nobody of ours put it there
        what, time_ns = parsed
        kind = what[1:] if what.startswith("+") else "session"
        sizes = [store.disk.size_at(path) or 0 for path in list_files(store.disk, f"{store.layout.trash}/{name}")]
        yield Trashed(name, kind, what if kind == "session" else None, time_ns, sum(sizes), len(sizes))


def find(store: Store, text: str) -> Trashed:
    """Return what *text* names: a name in the trash, or the id of a session, of which it is the newest.

    Raises:
        NotInTrash: Nothing.
    """
    found = [one for one in list_trash(store) if text in (one.name, one.session_id)]
    if not found:
        raise NotInTrash(f"nothing in the trash is called {text!r}; see: sessionfs trash list")
    return max(found, key=lambda one: one.time_ns)


def restore(store: Store, trashed: Trashed) -> int:
    """Take something back; return how many things it was.

    A session is as it was before it was deleted; objects are where they were. What a repair took away is only to be
    looked at: it was damaged.

    Raises:
        NotInTrash: It has gone meanwhile.
        NameTaken: Another session has its id now, or it is not for taking back.
        LockHeld: gc or repack is at work.

    Durability:
        Survives a power cut.

    Concurrency:
        Not beside gc, which may be filling or emptying it.
    """
    with without_gc(store):
        if trashed.name not in store.disk.listdir(store.layout.trash):
            raise NotInTrash(f"{trashed.name} is no longer in the trash; see: sessionfs trash list")
        if trashed.kind == "session" and trashed.session_id is not None:
            _restore_session(store, trashed, trashed.session_id)
            return 1
        if trashed.kind == "objects":
            return _restore_objects(store, trashed)
    raise NameTaken(
        f"{trashed.name} holds what was damaged; copy from {store.layout.trash}/{trashed.name} what you want of it"
    )


def _restore_session(store: Store, trashed: Trashed, session_id: str) -> None:
    """Put a session back: without the record that says it was deleted, which is its last."""
    disk, layout = store.disk, store.layout
    place = f"{layout.trash}/{trashed.name}"
    if disk.size_at(layout.log(session_id)) is not None:
        raise NameTaken(f"there is a session {session_id!r} again; delete it first, or keep the one in the trash")
    content = read_from(disk, f"{place}/log", 0)
    start = content.rfind(b"\n", 0, len(content) - 1) + 1
    try:
        if written_type(content[start:]) == "session.deleted":
            # First here: whatever happens next, it is in the trash, or whole in its place.
            fd = disk.open(f"{place}/log", os.O_RDWR | os.O_CLOEXEC)
            try:
                disk.lock(fd, f"{place}/log")
                disk.truncate(fd, start)
                disk.fdatasync(fd)
            finally:
                disk.close(fd)
        disk.rename(place, layout.session(session_id))
        disk.sync_directory(layout.sessions)
        disk.sync_directory(layout.trash)
    except OSError as failure:
        raise from_os_error(failure, f"take session {session_id} out of the trash") from failure
    store.forget(session_id)
    session = store.session(session_id)
    with session.noting():
        session.note("session.recovered", {"from": "trash"})


def _restore_objects(store: Store, trashed: Trashed) -> int:
    count = 0
    directory = f"{store.layout.trash}/{trashed.name}"
    for name in store.disk.listdir(directory):
        target = f"{store.layout.objects}/{name[:2]}"
        # A copy of a store may lack empty directories.
        make_directory(store.disk, store.unsynced, Mode.RELAXED, target)
        with contextlib.suppress(FileNotFoundError):  # somebody has read it meanwhile, which takes it back
            store.disk.rename(f"{directory}/{name}", f"{target}/{name[2:]}")
            count += 1
    remove_tree(store, directory, lambda _: False)
    store.sync_everything()
    return count


def remove_tree(store: Store, directory: str, may_go: Callable[[str], bool]) -> tuple[int, int]:
    """Delete the files below *directory* that *may_go*, by path, and the directories that are empty then.

    It may be a file itself. Of links, what they lead to stays where it is.

    Returns:
        How many files were deleted, and their bytes.
    """
    if os.path.islink(directory):
        store.disk.unlink(directory)
        return 0, 0
    count = size = 0
    for path in list(list_files(store.disk, directory)):
        if may_go(path):
            length = store.disk.size_at(path)
            with contextlib.suppress(FileNotFoundError):
                store.disk.unlink(path)
                count, size = count + 1, size + (length or 0)
    _remove_empty(store, directory)
    return count, size


def _remove_empty(store: Store, directory: str) -> None:
    """Remove what is empty, and links; what is no directory, or has gone, is left alone."""
    if os.path.islink(directory):
        store.disk.unlink(directory)
        return
    try:
        names = store.disk.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        _remove_empty(store, f"{directory}/{name}")
    with contextlib.suppress(OSError):  # something is left in it
        os.rmdir(directory)


def is_objects(trashed: Trashed) -> bool:
    """Say whether it holds objects that nothing needed."""
    return trashed.name.startswith(OBJECTS_PREFIX)
