"""What a power cut may have left of a store in ``relaxed`` mode: found when the store is first opened after it.

A cut can leave an object empty, full of zeros or torn under its right name, and a record that names it, because in
``relaxed`` mode nothing was synced before it was named. What was written before the last sync of the whole filesystem
is safe (see :mod:`sessionfs.store.synced`). What is younger is suspect:

- each object is hashed; one that is not what its name says is set aside, so that putting the content again writes it;
- each session is cut back to its last record up to which all is there that the records name; so are its refs. A fork
  whose parent has lost what it began with goes as a whole.

What is cut off is kept in ``trash/+power-cut@<time>/``, and the session's log says so. Everything that was promised
stays: a sync covers all records before the one that was promised, and all they name.

Nobody else has the store open meanwhile: who opens it waits for the lock on the file ``format``. Without a cut this
costs reading two short files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sessionfs import refs
from sessionfs.clock import format_time
from sessionfs.errors import Corrupt, Denied, Error, NotFound, from_os_error
from sessionfs.log.damage import CorruptLog, UnreadableLog
from sessionfs.log.framing import is_followed, is_framed
from sessionfs.log.lines import NoSuchLog, read_lines
from sessionfs.log.record import parse_line
from sessionfs.oid import ObjectId
from sessionfs.sessions import Forked
from sessionfs.store import past, references
from sessionfs.store import snapshot as snapshots
from sessionfs.store.aside import POWER_CUT, Aside
from sessionfs.store.pruned import pruned_oids
from sessionfs.store.reach import read_from

if TYPE_CHECKING:
    from sessionfs.objects import ObjectFile
    from sessionfs.store.store import Store

_TIME = re.compile(rb'\{"seq":\d{1,18},"time":"([^"]{30})"')


class Cut(NamedTuple):
    """A session that was cut back."""

    session_id: str
    seq: int  # of the first record that was cut off; 0: the whole session
    record_count: int


class Settled(NamedTuple):
    """What a power cut had left, and what was done about it."""

    directory: str | None  # where it is kept; None when there was nothing
    damaged: tuple[str, ...] = ()  # objects, by file name
    cuts: tuple[Cut, ...] = ()
    refs: tuple[str, ...] = ()  # that were moved back, by path

    def __str__(self) -> str:
        """Return a sentence for people."""
        parts = [f"{len(self.damaged)} damaged objects"] if self.damaged else []
        for cut in self.cuts:
            parts.append(f"{cut.record_count} records of session {cut.session_id} from record {cut.seq} on")
        parts += [f"the newest values of {path}" for path in self.refs]
        return f"after a power cut, these were set aside in {self.directory}: {'; '.join(parts)}"


def settle(store: Store) -> Settled | None:
    """Find what a power cut has left of *store*, if there may have been one, and settle it.

    Returns:
        What was done; None when there was no cut, or when this process may not write: then blobs that are suspect are
        hashed when they are opened.

    Raises:
        LockHeld: Another process has been at it for too long.
    """
    boot_id = store.disk.boot_id()
    if boot_id is None:
        return None
    suspect_ns: int | None = None
    try:
        note = store.synced.read()
        if note is None or note.is_copy:
            _begin(store)
            return None
        if note.is_of(boot_id):
            store.synced.renew()  # the clock has gone back behind it: what is written now would look old
            return None
        suspect_ns = note.suspect_ns
        with _alone(store):
            note = store.synced.read()
            if note is None or note.is_of(boot_id):
                return None  # while we waited
            settled = _Settling(store, note.suspect_ns).run()
            store.synced.renew()
            return settled
    except (OSError, Error) as failure:
        error = failure
        if isinstance(error, OSError):
            error = from_os_error(error, f"look at what a power cut left of {store.path}")
        if not isinstance(error, Denied):
            raise error from failure
        store.objects.suspect_ns = suspect_ns
        return None


def _begin(store: Store) -> None:
    """Note that nothing of a copy is suspect; where the disk is full, whoever opens it with space does that.

    Till then it can be read, and gc can make space.
    """
    try:
        store.synced.begin()
    except OSError as failure:
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


@contextlib.contextmanager
def _alone(store: Store) -> Iterator[None]:
    fd = store.disk.open(store.layout.format, os.O_RDONLY | os.O_CLOEXEC)
    try:
        store.disk.lock(fd, f"{store.path}, which is being looked through after a power cut,")
        yield
    finally:
        store.disk.close(fd)


class _Settling:
    """One time that it is done."""

    def __init__(self, store: Store, since_ns: int) -> None:
        self._store = store
        self._disk = store.disk
        self._objects = store.objects
        self._verifier = store.objects.verifier()
        self._layout = store.layout
        self._since_ns = since_ns
        self._since = format_time(since_ns).encode()
        self._aside = Aside(store, POWER_CUT, store.disk.now_ns())
        self._cuts: list[Cut] = []
        self._refs: list[str] = []

    def run(self) -> Settled:
        damaged = [file for file in self._young_objects() if not self._is_whole(file)]
        for file in damaged:
            self._objects.set_aside(file, self._aside.make())
        session_ids = self._store.session_ids()
        for session_id in session_ids:
            self._cut_log(session_id)
        while any(self._drop_lost_fork(session_id) for session_id in session_ids):
            pass  # what began with one of these is lost, too
        for session_id in session_ids:
            self._note_fork(session_id)
            self._cut_refs(session_id)
        self._cut_ref(self._layout.head, None)
        for cut in self._cuts:
            self._note(cut)
        names = tuple(file.path.removeprefix(self._layout.objects + "/") for file in damaged)
        directory = self._aside.directory if self._aside.is_made else None
        return Settled(directory, names, tuple(self._cuts), tuple(self._refs))

    def _is_young(self, path: str) -> bool:
        modified_ns = self._disk.modified_ns(path)
        return modified_ns is not None and modified_ns >= self._since_ns

    # Objects

    def _young_objects(self) -> list[ObjectFile]:
        """Return the objects that are suspect; what is in pieces last, the shorter before the longer."""
        young = [file for file in self._objects.list() if self._is_young(file.path)]
        in_pieces = [file for file in young if file.compression == "chunks"]
        return [file for file in young if file.compression != "chunks"] + sorted(in_pieces, key=self._verifier.size)

    def _is_whole(self, file: ObjectFile) -> bool:
        try:
            self._verifier.verify(file)
        except (Corrupt, NotFound):
            return False
        return True

    # Logs

    def _cut_log(self, session_id: str) -> None:
        path = self._layout.log(session_id)
        cut: Cut | None = None
        # Again, because what was cut off may have been the record that says that something was given up.
        while self._is_young(path) and (found := self._first_bad(path, session_id)) is not None:
            seq, offset = found
            count = self._count(path, offset) + (0 if cut is None else cut.record_count)
            if seq == 0:
                self._drop(session_id, count)
                return
            self._aside.cut(path, offset, f"{session_id}.log-from-{offset}")
            cut = Cut(session_id, seq, count)
        if cut is not None:
            self._cuts.append(cut)

    def _first_bad(self, path: str, session_id: str) -> tuple[int, int] | None:
        """Return the number and the offset of the first record that cannot be believed; None when all can.

        Records that were appended together count together. A torn line was never whole: the next writer sets it aside.
        """
        seq = offset = 0
        good = 0, 0
        try:
            pruned = pruned_oids(read_from(self._disk, path, 0).split(b"\n"))
            for line in read_lines(self._disk, path, session_id):
                if self._is_suspect(line) and not self._has_all(line, pruned):
                    return good
                seq, offset = seq + 1, offset + len(line)
                if not is_followed(line[:-1]):
                    good = seq, offset
        except (NoSuchLog, UnreadableLog):  # the latter is not what a power cut leaves
            return None
        except CorruptLog as failure:
            # What was damaged before the cut stays what it is: damage, which nobody takes away unasked.
            rest = read_from(self._disk, path, failure.offset).split(b"\n")
            was_damaged = any(_TIME.match(line) and not self._is_suspect(line) for line in rest)
            return None if was_damaged else good
        # Behind a hole there may be whole lines, the last of which would tell who opens the session where to begin.
        return good if b"\n" in read_from(self._disk, path, offset) else None

    def _count(self, path: str, offset: int) -> int:
        """Return how many records lie behind *offset*, whatever they are worth."""
        return sum(map(is_framed, read_from(self._disk, path, offset).split(b"\n")))

    def _is_suspect(self, line: bytes) -> bool:
        time = _TIME.match(line)
        return time is not None and time[1] >= self._since

    def _has_all(self, line: bytes, pruned: set[ObjectId]) -> bool:
        record = parse_line(line[:-1])
        return record is not None and references.has_all(record, self._objects, pruned)

    def _drop_lost_fork(self, session_id: str) -> bool:
        """Set a session aside if it began with what another one has lost; say whether."""
        if not self._is_new(session_id):
            return False
        try:
            past.begin(self._store.unread(session_id), heal=False)
        except past.LostBeginning:
            self._drop(session_id, self._count(self._layout.log(session_id), 0))
            return True
        return False

    def _is_new(self, session_id: str) -> bool:
        """Say whether a session is there, and its first record is suspect."""
        path = self._layout.log(session_id)
        try:
            first = next(read_lines(self._disk, path, session_id), None) if self._is_young(path) else None
        except (CorruptLog, NoSuchLog):
            return False
        return first is not None and self._is_suspect(first)

    def _note_fork(self, session_id: str) -> None:
        """Let the parent of a fork know of it, if the record that says so is lost: it must not go without a word."""
        fork = past.fork_of(self._store.unread(session_id)) if self._is_new(session_id) else None
        if fork is None:
            return
        parent = self._store.unread(fork.session)
        with contextlib.suppress(NotFound, Corrupt):  # then the fork has a snapshot of its beginning
            parent.open()
            if not parent.fold.fields.forked:
                with parent.noting():
                    parent.note("session.forked", Forked(session_id, fork.seq))

    def _drop(self, session_id: str, count: int) -> None:
        """Set a whole session aside."""
        self._disk.rename(self._layout.session(session_id), f"{self._aside.make()}/{session_id}")
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(self._layout.mark(session_id))
        self._cuts = [cut for cut in self._cuts if cut.session_id != session_id]
        self._cuts.append(Cut(session_id, 0, count))

    def _note(self, cut: Cut) -> None:
        """Let the session's log say that it was cut."""
        if cut.seq == 0:
            return
        session = self._store.unread(cut.session_id)
        message = f"{cut.record_count} records were cut off after a power cut: not all that they name was there"
        data = {"message": message, "seq": cut.seq, "count": cut.record_count, "kept": self._aside.directory}
        # One that was deleted, and on its way to the trash, need not say it; one that is damaged cannot.
        with contextlib.suppress(NotFound, Corrupt):
            session.open()
            with session.noting():
                session.note("warning.raised", data)

    # Refs

    def _cut_refs(self, session_id: str) -> None:
        directory = self._layout.refs(session_id)
        try:
            names = sorted(self._disk.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            self._cut_ref(f"{directory}/{name}", session_id)

    def _cut_ref(self, path: str, session_id: str | None) -> None:
        """Move a ref back to its newest value that is there; HEAD, which names a session, to its last whole line."""
        if not self._is_young(path):
            return

        def is_good(entry: refs.Entry) -> bool:
            return session_id is None or entry.time_ns < self._since_ns or self._has_moment(session_id, entry.value)

        content = read_from(self._disk, path, 0)
        offset = refs.good_length(content, is_good)
        if b"\n" in content[offset:]:  # a line that is torn is cut off by the next writer
            self._aside.cut(path, offset, f"{session_id or ''}.{os.path.basename(path)}-from-{offset}")
            self._refs.append(path.removeprefix(self._layout.root + "/"))

    def _has_moment(self, session_id: str, value: str) -> bool:
        """Say whether the snapshot *value* is there, and the session's log leads to it."""
        if value == refs.NONE:
            return True
        if not references.has_snapshot(ObjectId(value), self._objects):
            return False
        snapshot = snapshots.read(self._objects, ObjectId(value))
        size = self._disk.size_at(self._layout.log(session_id)) or 0
        return snapshot.session.id != session_id or snapshot.position.offset <= size
