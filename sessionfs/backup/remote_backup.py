"""A backup on another machine: rsync carries the files, in the order of :mod:`sessionfs.backup.whole`.

1. Note where each log ends, and copy the logs and refs up to there, as far as the backup lacks something of them, to a
   directory of this machine. A log that is as long there, and was written to at the same time, is the same.
2. Objects that the backup lacks, after each has been checked against its name; what is there is never replaced. Packs,
   which grow, are lengthened.
3. The logs and refs of 1. rsync gives each file its name when it has all of it.

So the backup is a whole store at every moment. What a kill leaves is a file that has no name in the store yet; the next
run goes on. How safe it is there against a power cut is up to the other machine: nobody syncs its disk for us.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable

from sessionfs.backup import files, remote
from sessionfs.backup.done import Brought, Copied, Outcome
from sessionfs.backup.lease import leased
from sessionfs.backup.logs import LogFile, Relation, log_of, relate
from sessionfs.backup.objects import Progress
from sessionfs.backup.remote import Remote, rsync
from sessionfs.backup.remote_objects import RemoteObjects
from sessionfs.backup.target import OtherStore
from sessionfs.backup.whole import Noted, note_sessions
from sessionfs.durable import OsDisk
from sessionfs.errors import Conflict, from_os_error
from sessionfs.log import NoSuchLog
from sessionfs.log.pages import Place, read_on, start_of
from sessionfs.store import past
from sessionfs.store.identity import identity_of, parse_identity
from sessionfs.store.layout import FORMAT_LINE, Layout
from sessionfs.store.reach import read_from
from sessionfs.store.store import Store, StoreExists

_WRITE_BYTES = 1 << 20

# So often it begins anew, because a session was deleted while it was copied.
_TRIES = 10


def backup_to(store: Store, where: str, *, verify: bool = False, progress: Progress | None = None) -> Copied:
    """Make the backup of *store* at *where*, on another machine, or bring it up to date.

    Args:
        verify: Compare the content of all objects with those there, and send again what differs.
        progress: Is told how many bytes of objects have been sent.

    Raises:
        OtherStore, StoreExists: Something else is there.
        TransferFailed: The backup is a whole store all the same; try again.
        NoRsync: It is not installed.
    """
    place = Remote(where)
    identity = identity_of(store.disk, store.layout)
    is_new = _check_target(store, place, identity)
    with leased(store), tempfile.TemporaryDirectory(prefix="sessionfs-backup-") as scratch:
        if is_new:
            _begin(Layout(f"{scratch}/begin"), place, identity)
        staged = Layout(f"{scratch}/send")
        os.mkdir(staged.root)
        session_count, sent = _stage_sessions(store, place, staged)
        try:
            _stage_files(store, staged)
        except OSError as failure:
            raise from_os_error(failure, f"copy what {store.path} has besides sessions") from failure
        objects = RemoteObjects(store, place, progress)
        objects.send(verify=verify and not is_new)
        _send_sessions(store, place, staged, sent)
        rsync(["-rtE"], f"{staged.root}/", place.below())
        if is_new:
            _send_format(staged, place)
    return Copied(where, sent, session_count, objects.done.object_count, objects.done.size, tuple(objects.damaged))


def _check_target(store: Store, place: Remote, identity: str) -> bool:
    """Say whether there is nothing yet.

    Raises:
        OtherStore: There is another store.
        StoreExists: There is something that is no store.
    """
    with tempfile.TemporaryDirectory(prefix="sessionfs-backup-") as scratch:
        try:
            rsync(["-r", "--include=/id", "--include=/format", "--exclude=*"], place.below(), f"{scratch}/")
        except remote.NotThere:
            return True
        there = Layout(scratch)
        disk = OsDisk()
        found = read_from(disk, there.identity, 0).decode("ascii", "replace")
        if found:
            found = parse_identity(found, f"{place}/id")
        if found == identity:
            return not os.path.exists(there.format)
        if found or os.path.exists(there.format):
            raise OtherStore(
                f"{place} is no backup of {store.path}: its id is {found or 'missing'}, not {identity}; name another"
            )
    if rsync(["--list-only"], place.below()).count("\n") > 1:  # one for the directory itself
        raise StoreExists(f"{place} is not empty, and no store; name an empty or new directory")
    return True


# What is sent besides objects


def _begin(staged: Layout, place: Remote, identity: str) -> None:
    """Make the directories, and say which store it is to be: so the next run knows it if this one is killed."""
    for directory in staged.directories():
        os.makedirs(directory)
    with open(staged.identity, "w", encoding="ascii") as file:
        file.write(f"{identity}\n")
    rsync(["-rt", "--mkpath"], f"{staged.root}/", place.below())


def _stage_files(store: Store, staged: Layout) -> None:
    """Put there what a store has besides sessions and objects; what comes last is left out."""
    for path, target in ((store.layout.config, staged.config), (store.layout.head, staged.head)):
        if os.path.exists(path):
            shutil.copy2(path, target)
    for path, target in ((store.layout.hooks, staged.hooks), (store.layout.templates, staged.templates)):
        for name, mode in files.walk(store.disk, path):
            os.makedirs(target, exist_ok=True)
            if mode is None:
                os.mkdir(f"{target}/{name}")
            else:
                shutil.copy2(f"{path}/{name}", f"{target}/{name}")


def _send_sessions(store: Store, place: Remote, staged: Layout, sent: Iterable[Brought]) -> None:
    """Send the sessions, parents before what was forked from them: rsync has an order of its own in each run."""
    waiting = [one.session_id for one in sent if os.path.isdir(staged.session(one.session_id))]
    while waiting:
        now = [one for one in waiting if _parent(store, one) not in waiting] or waiting
        rsync(["-rt"], f"{staged.root}/", place.below(), names=[f"sessions/{one}/" for one in now])
        waiting = [one for one in waiting if one not in now]


def _parent(store: Store, session_id: str) -> str | None:
    with contextlib.suppress(NoSuchLog):  # deleted since
        fork = past.fork_of(store.unread(session_id))
        return None if fork is None else fork.session
    return None


def _send_format(staged: Layout, place: Remote) -> None:
    """Make a store of what is there: this file comes last."""
    with open(staged.format, "w", encoding="ascii") as file:
        file.write(FORMAT_LINE)
    rsync(["-t"], staged.format, place.below("format"))


def _stage_sessions(store: Store, place: Remote, staged: Layout) -> tuple[int, tuple[Brought, ...]]:
    """Put what is to be sent of the sessions in its place; return how many there are, and what becomes of them."""
    sizes = remote.list_sizes(place.below("sessions/"))
    differing = _differing(store, place)

    def has_all(session_id: str) -> bool:
        return session_id not in differing

    for _ in range(_TRIES):
        with contextlib.suppress(NoSuchLog):  # a session was deleted meanwhile
            noted = note_sessions(store, has_all)
            sent = [_stage(store, one, sizes, place, staged) for one in noted]
            return len(noted), tuple(one for one in sent if one.outcome is not Outcome.UNCHANGED or one.message)
        shutil.rmtree(staged.root)
        os.mkdir(staged.root)
    raise Conflict(f"sessions of {store.path} are deleted faster than they can be copied; try again")


def _differing(store: Store, place: Remote) -> set[str]:
    """Return the sessions whose logs have another length, or were written to at another time, than those there.

    The length alone says too little: a session that was made again in the same steps has a log that is as long. rsync
    compares with empty files that have these two, because logs that are on a shelf have none.
    """
    with tempfile.TemporaryDirectory(prefix="sessionfs-backup-") as scratch:
        for session_id in store.session_ids():
            status = store.disk.status_at(store.layout.log(session_id))
            if status is not None:
                os.mkdir(f"{scratch}/{session_id}")
                with open(f"{scratch}/{session_id}/log", "wb") as file:
                    file.truncate(status[2])
                os.utime(f"{scratch}/{session_id}/log", ns=(status[3], status[3]))
        options = ["-rtn", "--modify-window=-1", "--out-format=%n"]  # times to the nanosecond
        listed = rsync(options, f"{scratch}/", place.below("sessions/"))
    return {name.removesuffix("/log") for name in listed.splitlines() if name.endswith("/log")}


def _stage(store: Store, noted: Noted, sizes: dict[str, int], place: Remote, staged: Layout) -> Brought:
    """Put what is to be sent of a session in its place, and say what becomes of it."""
    session_id = noted.session_id
    said = "" if noted.end is None or noted.end.damage is None else str(noted.end.damage)
    if noted.end is not None and noted.end.place.seq == 0:
        return Brought(session_id, Outcome.REFUSED, 0, said)  # nothing of it can be read
    for name, content in noted.refs.contents():
        if sizes.get(f"{session_id}/refs/{name}", 0) < len(content):
            os.makedirs(staged.refs(session_id), exist_ok=True)
            with open(f"{staged.refs(session_id)}/{name}", "wb") as file:
                file.write(content)
    if noted.end is None:
        return Brought(session_id, Outcome.UNCHANGED)
    end = noted.end.place
    path = staged.log(session_id)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _copy_log(store, session_id, end, path)
    if f"{session_id}/log" not in sizes:
        return Brought(session_id, Outcome.NEW, end.seq, said)
    relation, there = _relate(store, session_id, end, place, staged)
    if relation is Relation.BEHIND:
        return Brought(session_id, Outcome.EXTENDED, end.seq - there.seq, said)
    if relation is Relation.SAME:  # but for its time, which is sent
        return Brought(session_id, Outcome.UNCHANGED, 0, said)
    shutil.rmtree(staged.session(session_id))  # what is there stays, refs included
    if relation is Relation.AHEAD:
        return Brought(session_id, Outcome.AHEAD, 0, said)
    said = f"it has another history there, or is damaged; move {place}/sessions/{session_id} away, and run this again"
    return Brought(session_id, Outcome.REFUSED, 0, said)


def _copy_log(store: Store, session_id: str, end: Place, path: str) -> None:
    with open(path, "wb", buffering=_WRITE_BYTES) as file:
        for line in read_on(store.disk, store.layout.log(session_id), start_of(session_id), end.offset):
            file.write(line.text)
    modified_ns = store.disk.modified_ns(store.layout.log(session_id))
    if modified_ns is not None:
        os.utime(path, ns=(modified_ns, modified_ns))


def _relate(store: Store, session_id: str, end: Place, place: Remote, staged: Layout) -> tuple[Relation, Place]:
    """Say how the log there stands to ours; of what both have, only hashes travel."""
    path = f"{staged.root}.there"
    shutil.copyfile(staged.log(session_id), path)
    rsync(["--no-whole-file", "--ignore-times"], place.below(f"sessions/{session_id}/log"), path)
    return relate(log_of(store, session_id), end, LogFile(OsDisk(), path, session_id))
