"""An open session: its log, and what the log adds up to.

Every change goes the same way: take the log's lock, read what others appended, check that the change is allowed,
append its record, apply the record. Whatever is derived is derived from the record, in the process that wrote it
as in all others.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs.artifacts import Applied, Tree
from sessionfs.clock import Clock, parse_time
from sessionfs.errors import Conflict, Corrupt, Denied, Error, InvalidInput, NotFound
from sessionfs.log import MAX_DEPTH, Body, Draft, Log, LogCut, NoSuchLog, Position, Record, encode_data
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.sessions import (
    BadField,
    Moved,
    SessionInfo,
    Status,
    Updated,
    check_metadata,
    check_name,
    check_tags,
    parse_status,
    transition,
)
from sessionfs.state import State
from sessionfs.store import operation as operations
from sessionfs.store import past, proposals
from sessionfs.store import snapshot as snapshots
from sessionfs.store.asking import NOTHING_DONE, Asking
from sessionfs.store.config import Config
from sessionfs.store.describe import describe
from sessionfs.store.fold import Fold, InconsistentLog, check_data
from sessionfs.store.hooked import Hooks
from sessionfs.store.references import named_by
from sessionfs.store.settings import own_config

if TYPE_CHECKING:
    from sessionfs.store.artifacts import Artifacts
    from sessionfs.store.values import Values

# A record's data beyond this goes to an object, which leaves room for the rest of the line.
_MAX_DATA_BYTES = 60 << 10

# A snapshot when so many records have come since the last one: 500 cost 1 to 2 ms to read. Also only when what it has
# to write is at most twice as long as those records, so that all snapshots together stay within a constant factor of
# the log, however large a directory is.
_TAIL_RECORDS = 500
_ENTRY_BYTES = 250
_SNAPSHOT_FACTOR = 2

# What callers record; every other type says that something changed, and is written by what changed it.
CALLERS_TYPES = (
    "agent.executed", "tool.invoked", "workflow.started", "workflow.completed", "error.occurred", "warning.raised",
)  # fmt: skip
_CUSTOM = re.compile(r"custom(\.[A-Za-z0-9_-]+)+")
_MAX_TYPE_LENGTH = 128

_DELETED = "session.deleted"

MakeIno = Callable[[], int]


class NoSuchSession(NotFound, KeyError):
    """No session has this id."""


class SessionExists(Conflict):
    """A session of this id is there already."""


class BadEvent(InvalidInput):
    """An event that callers cannot record."""


class BadRecord(InvalidInput):
    """A change that JSON cannot hold: a text that is not Unicode, a value of another kind."""


class SessionNotWritable(Denied):
    """The session is suspended or finished, so it is read-only."""

    errno = 30  # EROFS


def random_ino() -> int:
    """Return a number for a new inode.

    Random, so that it can be known before its record is written and stays with the inode in every fork; 52 bits,
    so that JSON readers with floating-point numbers keep it.
    """
    return random.getrandbits(52) | 1 << 51


class Session:
    """One session of a store; one object per process and id. Thread-safe.

    ``foreign`` is called, with the lock held, for what other processes did: once per record that was read.
    """

    def __init__(
        self,
        log: Log,
        objects: ObjectDatabase,
        config: Config,
        session_id: str,
        *,
        actor: str,
        clock: Clock,
        make_ino: MakeIno = random_ino,
        other: Callable[[str], Session] | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Prepare it; nothing is read yet.

        Args:
            other: Gives another session of the store, likewise unread; what a fork begins with is in its parent's log.
            hooks: Who is asked and told of what is done.
        """
        self.id = session_id
        self.log = log
        self.objects = objects
        self._config = config
        self._own_config: tuple[dict[str, Any], Config] = ({}, config)  # what it answers for itself, and what it makes
        self.actor = actor
        self.clock = clock
        self.make_ino = make_ino
        self.foreign: Callable[[Record, Applied | None], None] | None = None
        self.fold = self.empty_fold()
        self._other = other
        self._snapshot: tuple[int, int, ObjectId | None] = (
            0,
            0,
            None,
        )  # next seq, offset, oid of the newest one
        self._next_snapshot_seq = _TAIL_RECORDS
        self._saved_at = ""  # time of the last record that the newest snapshot covers; "" without one
        self._saves_by_time = config.auto_save_interval_ns is not None
        self._writing = _Writing(self)
        self._depth = 0
        self._appended = False
        self._is_stale = False
        self._inconsistency: InconsistentLog | past.LostBeginning | None = None
        self.asking = Asking(self, hooks)
        self.is_loaded = False  # somebody outside has it: see Store.load

    # Opening

    def open(self) -> None:
        """Read the session: from its newest snapshot if there is a good one, else from its first record.

        Raises:
            NoSuchSession: There is none, or it was deleted.
        """
        with self.log.lock:
            self._inconsistency = None
            try:
                base = self.log.newest_base()
                if not self._open_at(base):
                    self._open_at_start()
            except NoSuchLog as failure:
                raise self._no_such_session() from failure
            self._is_stale = False
            self._check_there()

    def open_log(self) -> None:
        """Read the log to its end and verify it; what it adds up to is read when somebody looks.

        Raises:
            NoSuchSession: There is none, or it was deleted.
        """
        log, start = self.log, Position(0, 0, self.id, 0)
        with log.lock:
            self._is_stale = True
            try:
                found = past.newest_snapshot(self, log.newest_base())
                log.seek(start if found is None else found[1].position)
                records = []
                with contextlib.suppress(LogCut):
                    records = log.read_new()
                if found is not None and not records:  # the snapshot is of another log, or the log was cut
                    log.seek(start)
                    records = log.read_new()
            except NoSuchLog as failure:
                raise self._no_such_session() from failure
            if records[-1].type == _DELETED if records else log.damage is None:
                raise self._no_such_session()

    def _open_at(self, base: int) -> bool:
        """Open from the snapshot that the record at offset *base* names; False when that does not work."""
        found = past.newest_snapshot(self, base)
        if found is None:
            return False
        try:
            position = snapshots.restore(self.objects, found[1], self.fold)
            self.log.seek(position)
            self._note_snapshot(position.seq, position.offset, found[0])
            self._apply(self.log.read_new(), tell=False)
        except (Error, ValueError):
            return False  # as above
        return self.log.position.offset > base

    def _open_at_start(self) -> None:
        self.fold = self.empty_fold()
        self.log.seek(Position(0, 0, self.id, 0))
        try:
            begun = past.begin(self)
            self.fold = begun.fold
            # What a fork read of its parent's log counts as if it stood before its own first record.
            self._note_snapshot(-begun.record_count, -begun.byte_count, begun.snapshot)
            self._apply(self.log.read_new(), tell=False)
        except (InconsistentLog, past.LostBeginning) as failure:
            self._inconsistency = failure  # what came before it can be read

    def new_fold(self) -> Fold:
        """Return a fold to which none of its records has been applied.

        Raises:
            LostBeginning: It is a fork, and what it began with cannot be read.
        """
        return past.begin(self).fold

    def empty_fold(self, *, heal: bool = True) -> Fold:
        """Return a fold of nothing.

        Args:
            heal: Put tree objects that are missing or damaged back, where the log says what was in them.
        """
        return Fold(self.objects, self.id, recompute_tree=self._recompute_tree if heal else None)

    def other(self, session_id: str) -> Session:
        """Return another session of the same store, of which nothing has been read yet.

        Raises:
            NoSuchSession: Only this one can be reached.
        """
        if self._other is None:
            raise NoSuchSession(f"the session {session_id!r} cannot be reached from session {self.id}")
        return self._other(session_id)

    def _recompute_tree(self, oid: ObjectId) -> bytes | None:
        """Return a tree object that is missing or damaged, from the log, and put it back."""
        data = past.recompute_tree(self, oid)
        if data is not None and self.is_writable:
            self.objects.put_json("tree", data)
        return data

    def _check_there(self) -> None:
        if self.fold.fields.deleted or (self.log.position.seq == 0 and self.damage is None):
            raise self._no_such_session()

    def _no_such_session(self) -> NoSuchSession:
        return NoSuchSession(f"there is no session {self.id!r} in this store")

    # Reading

    @property
    def tree(self) -> Tree:
        """The live artifacts."""
        return self.fold.tree

    @property
    def state(self) -> State:
        """The live keys and values; :attr:`values` changes them."""
        return self.fold.state

    @property
    def lock(self) -> threading.RLock:
        """To be held while the tree or the state is read."""
        return self.log.lock

    @property
    def status(self) -> Status:
        """Where it is in its life."""
        return self.fold.fields.status

    @property
    def config(self) -> Config:
        """What config.toml says, and for some keys the session itself."""
        settings = self.fold.fields.settings
        if settings is not self._own_config[0]:
            self._own_config = settings, own_config(self._config, settings) if settings else self._config
        return self._own_config[1]

    @property
    def own_hooks(self) -> dict[str, tuple[str, ...]]:
        """Programs in ``STORE/templates`` that are called for it, by place."""
        if self._is_stale:
            self.refresh()
        return self.fold.fields.hooks

    @property
    def damage(self) -> Corrupt | None:
        """What is wrong with its log, if anything: it is readable up to there, and not writable."""
        return self._inconsistency or self.log.damage

    @property
    def is_writable(self) -> bool:
        """Whether changes are possible: it is active and its log is whole."""
        return self.fold.fields.status is Status.ACTIVE and self.damage is None

    @property
    def artifacts(self) -> Artifacts:
        """The verbs that change artifacts."""
        from sessionfs.store.artifacts import Artifacts

        return Artifacts(self)

    @property
    def values(self) -> Values:
        """The verbs that change state."""
        from sessionfs.store.values import Values

        return Values(self)

    def refresh(self) -> bool:
        """Read what other processes appended; True when there was something. Costs 0.5 us when there is nothing.

        Raises:
            NoSuchSession: It was deleted.
        """
        log = self.log
        with log.lock:
            if self._is_stale:
                self.open()
                return True
            if self.fold.fields.status is Status.ARCHIVED and not log.is_in_place():
                log.rest()
            try:
                records = log.read_new()
            except NoSuchLog as failure:
                raise self._no_such_session() from failure
            except LogCut:
                self.open()
                return True
            if self._inconsistency is not None:
                return False  # nothing can be applied to it
            if records:
                self._apply(records, tell=True)
            elif not self.fold.fields.deleted:
                return False
            self._check_there()
            return True

    def info(self) -> SessionInfo:
        """Return what the session is now, as far as it has been read."""
        with self.log.lock:
            return describe(self.fold, event_count=self.log.position.seq, damage=self.damage)

    def records(self, start_seq: int = 0) -> Iterator[tuple[bytes, Record]]:
        """Yield each line of the log with its record, from number *start_seq*.

        Raises:
            CorruptLog: At a damaged record, after all good ones before it.
        """
        for line, record in self.log.lines():
            if record.seq >= start_seq:
                yield line, record

    def _apply(self, records: list[Record], *, tell: bool) -> None:
        try:
            for record in records:
                applied = self.fold.apply(record)
                if tell and self.foreign is not None:
                    self.foreign(record, applied)
        except BaseException:
            self._is_stale = True  # the log has been read further than the fold has got
            raise
        if records:
            self._follow_base(records[-1])

    def _follow_base(self, last: Record) -> None:
        """Note a snapshot that another process wrote, so that this one does not write the same again."""
        if last.base > max(0, self._snapshot[1]):
            self._snapshot = (last.seq, last.base, self._snapshot[2])
            self._next_snapshot_seq = last.seq + _TAIL_RECORDS
            self._saved_at = last.time

    # Writing

    def writing(self) -> _Writing:
        """Return a context in which records can be appended: nobody else appends, and all others' are applied.

        Raises:
            CorruptLog, LockHeld: On entering.
            NoSuchSession: On entering: it was deleted.

        Durability:
            When the outermost context ends, its records are as safe as the durability mode says.
        """
        return self._writing

    def operation(self) -> AbstractContextManager[None]:
        """Return a context whose records are one operation: people see one change, and undo takes it back whole.

        It holds no lock: others may append in between, and what they append is not part of it.
        """
        return operations.operation(self.log)

    def append(self, type: str, data: Any, *, names_snapshot: bool = False) -> Applied | None:
        """Append one record and apply it; the caller is inside :meth:`writing` and has checked the change.

        Raises:
            NoSpace, ReadOnlyStore: Nothing was written.
        """
        return self.append_drafts([self.draft(type, data, names_snapshot)], [data])[0]

    def append_all(self, changes: list[tuple[str, Any]]) -> list[Applied | None]:
        """Append several records, all of them or none, then apply them; otherwise as :meth:`append`."""
        return self.append_drafts([self.draft(type, data) for type, data in changes], [data for _, data in changes])

    def draft(self, type: str, data: Any, names_snapshot: bool = False, *, max_depth: int | None = None) -> Draft:
        """Return a record that can be appended; large data are put into an object.

        Args:
            max_depth: How deep *data* may be nested; None where callers' values in it were checked before, or are in
                the log already.

        Raises:
            BadRecord: JSON cannot hold *data*.
        """
        try:
            text = encode_data(data, max_depth=max_depth)
            check_data(type, text)
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as failure:
            raise BadRecord(f"what {type} would say cannot be written down: {failure}") from failure
        if len(text) > _MAX_DATA_BYTES:
            return Draft(type, None, self.objects.put_bytes(text).oid, names_snapshot)
        return Draft(type, msgspec.Raw(text), None, names_snapshot)

    def append_drafts(self, drafts: list[Draft], decoded: list[Any]) -> list[Applied | None]:
        """Append records that are drafted already, all of them or none, then apply what they say."""
        oids = named_by(drafts)
        if oids:
            with self.objects.holding(oids):
                appended = self._append(drafts)
        else:
            appended = self._append(drafts)
        self._appended = True
        apply = self.fold.apply_decoded
        try:
            if len(appended) == 1:
                return [apply(appended[0], decoded[0])]
            return [apply(body, data) for body, data in zip(appended, decoded, strict=True)]
        except BaseException:
            self._is_stale = True
            raise

    def _append(self, drafts: list[Draft]) -> list[Body]:
        grouping = operations.current()
        if grouping is None:
            return self.log.append(self.clock, drafts, actor=self.actor)
        number = grouping.find(self.log)
        appended = self.log.append(self.clock, drafts, actor=self.actor, operation=number)
        grouping.note(self.log, appended[0].seq)
        return appended

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Hold the log's lock as :meth:`writing` does, and leave unread what has not been read: for :meth:`note`.

        Raises:
            CorruptLog, LockHeld: On entering.
            NoSuchSession: On entering: it was deleted.

        Durability:
            As of :meth:`writing`.
        """
        try:
            try:
                records = self.log.begin_in_place()
            except LogCut:
                self.open()
                records = self.log.begin_in_place()
            try:
                if not self._is_stale:
                    self._apply(records, tell=True)
                    self._check_there()
                elif records and records[-1].type == _DELETED:
                    raise self._no_such_session()
                yield
            finally:
                self.log.end()
        except NoSuchLog as failure:
            raise self._no_such_session() from failure
        self.log.commit()

    def note(self, type: str, data: Any) -> None:
        """Append a record that says nothing about artifacts and state; the caller is inside :meth:`noting`."""
        draft = self.draft(type, data)
        (body,) = self.log.append(self.clock, [draft], actor=self.actor)
        if not self._is_stale:
            self.fold.apply_decoded(body, data)

    def append_unread(self, drafts: list[Draft]) -> None:
        """Append records, all of them or none, without applying them: they are read when somebody looks."""
        with self.objects.holding(named_by(drafts)):
            self.log.append(self.clock, drafts, actor=self.actor)
        self._appended = self._is_stale = True

    def _catch_up(self, records: list[Record]) -> None:
        """Take in what others appended, before anything is written."""
        if self._is_stale or (records and records[0].seq == 0):  # nothing was read before: a fork begins with more
            self.open()
        else:
            self._apply(records, tell=True)
        self._check_there()
        if self._inconsistency is not None:
            raise self._inconsistency

    def check_writable(self) -> None:
        """Check that the session is active.

        Raises:
            SessionNotWritable: It is not.
        """
        status = self.fold.fields.status
        if status is not Status.ACTIVE:
            way = "resume it first" if status is Status.SUSPENDED else "create a new session, or a child of it"
            raise SessionNotWritable(f"session {self.id} is {status.value}, so it is read-only; {way}")

    def record(self, type: str, data: dict[str, Any]) -> int:
        """Append a record that changes nothing but history, and return its number.

        Raises:
            BadEvent, BadRecord: Callers cannot record this type, or JSON cannot hold *data*, or not so deeply nested.
        """
        if type not in CALLERS_TYPES and not _is_custom(type):
            raise BadEvent(
                f"an event of type {type!r} cannot be recorded; these can: {', '.join(CALLERS_TYPES)}, and custom.… "
                f"with letters, digits, '_' and '-' between dots, up to {_MAX_TYPE_LENGTH} signs"
            )
        if not isinstance(data, dict):
            raise BadEvent(f"the data of an event is a mapping, not {data.__class__.__name__}")
        draft = self.draft(type, data, max_depth=MAX_DEPTH)
        with self.writing():
            self.check_writable()
            seq = self.log.position.seq
            self.append_drafts([draft], [data])
            return seq

    # Lifecycle

    def suspend(self) -> None:
        """Make it read-only for a while."""
        self._move(Status.SUSPENDED)

    def resume(self) -> None:
        """Go on with a suspended session."""
        self._move(Status.ACTIVE)

    def complete(self) -> None:
        """End it well."""
        self._move(Status.COMPLETED)

    def fail(self, reason: str) -> None:
        """End it badly; *reason* says why."""
        self._move(Status.FAILED, reason)

    def archive(self) -> None:
        """Put a finished session away."""
        self._move(Status.ARCHIVED)

    def set_status(self, word: str, reason: str | None = None) -> None:
        """Move it to the status that *word* names."""
        self._move(parse_status(word), reason)

    def _move(self, new: Status, reason: str | None = None) -> None:
        asked = self.asking.ask(proposals.STEPS[new], lambda: proposals.of_step(self, new, reason))
        with self.writing():
            event = transition(self.id, self.fold.fields.status, new)
            self.asking.record(asked)
            if new is Status.ACTIVE:  # coming back needs no snapshot: suspending wrote one
                self.append(event, Moved(reason=reason))
            else:
                self._append_with_snapshot(event, Moved(reason=reason))
            self.asking.tell(asked)

    def save(self, *, checkpoint: str | None = None) -> ObjectId:
        """Write a snapshot, so that the next opening is fast, and return its id.

        Args:
            checkpoint: The name that it is written for, which the record says; giving it is the caller's affair.
        """
        asked = self.asking.ask("session.save", lambda: proposals.of_session(self))
        with self.writing():
            self.check_writable()
            self.asking.record(asked)
            oid = self._append_with_snapshot("session.saved", Moved(checkpoint=checkpoint))
            self.asking.tell(asked)
            return oid

    def save_beginning(self, beginning: ObjectId) -> None:
        """Record the snapshot that this fork began with, which its parent's log will not give any more.

        Also in a session that is not active: it changes nothing but where the session is read from.
        """
        with self.writing():
            self._append_with_snapshot("session.saved", Moved(beginning=beginning))

    def update(self, **changes: Any) -> None:
        """Set ``name``, ``description``, ``tags`` or ``metadata``; what is not given stays.

        Raises:
            BadField: One of them cannot be what was given; nothing was changed.
        """
        self.update_from(lambda _: changes)

    def update_from(self, changes_of: Callable[[SessionInfo], dict[str, Any]]) -> None:
        """Set fields as :meth:`update` does, to what *changes_of* makes of what the session says now.

        It is called with the lock held, so that of two who add a tag neither loses the other's.
        """
        asked = self.asking.ask(
            "session.update", lambda: proposals.of_session(self, lambda info: checked_changes(changes_of(info)))
        )
        with self.writing():
            self.check_writable()
            changes = changes_of(self.info())
            data = checked_changes({**changes, **asked.modified} if asked else changes)
            self.asking.append(asked, [("session.updated", data)])

    def write_snapshot(self) -> ObjectId:
        """Write a snapshot, which no record names yet, and return its id; the caller is inside :meth:`writing`."""
        position = self.log.position
        parents = [] if self._snapshot[2] is None else [self._snapshot[2]]
        oid = snapshots.write(self.objects, self.fold, position, parents)
        self._note_snapshot(position.seq, position.offset, oid)
        return oid

    def _append_with_snapshot(self, type: str, data: Moved) -> ObjectId:
        """Append a record that names a new snapshot, and return that; in between nobody deletes it."""
        with self.objects.holding(()):
            oid = self.write_snapshot()
            self.append(type, msgspec.structs.replace(data, snapshot=oid), names_snapshot=True)
        return oid

    def _note_snapshot(self, seq: int, offset: int, oid: ObjectId | None) -> None:
        self._snapshot = (seq, offset, oid)
        self._next_snapshot_seq = seq + _TAIL_RECORDS
        self._saved_at = self.fold.fields.updated_at

    def _save_long_tail(self) -> None:
        """Write a snapshot if the tail has become long enough to pay for it."""
        position = self.log.position
        self._next_snapshot_seq = position.seq + _TAIL_RECORDS
        written = _ENTRY_BYTES * self.fold.tree.unwritten_count()
        if written <= _SNAPSHOT_FACTOR * (position.offset - self._snapshot[1]):
            self._save_by_itself()

    def _save_if_due(self) -> None:
        """Write a snapshot if the newest one is as old as config.toml says."""
        interval_ns = self._config.auto_save_interval_ns
        fields = self.fold.fields
        begun = self._saved_at or fields.created_at
        if interval_ns is not None and begun and parse_time(fields.updated_at) - parse_time(begun) >= interval_ns:
            self._save_by_itself()

    def _save_by_itself(self) -> None:
        try:
            self._append_with_snapshot("session.saved", Moved())
        except Error:
            # The change itself is in the log; a snapshot only saves time, and is tried again later.
            self._next_snapshot_seq = self.log.position.seq + _TAIL_RECORDS
            self._saved_at = self.fold.fields.updated_at


def _is_custom(type: Any) -> bool:
    return isinstance(type, str) and len(type) <= _MAX_TYPE_LENGTH and _CUSTOM.fullmatch(type) is not None


def checked_changes(changes: dict[str, Any]) -> Updated:
    """Return the data of ``session.updated`` that sets *changes*.

    Raises:
        BadField: One of them cannot be what was given.
    """
    data = Updated()
    for field, value in changes.items():
        if field not in _FIELD_CHECKS:
            raise BadField(f"a session has no field {field!r} to set; these can be: {', '.join(_FIELD_CHECKS)}")
        setattr(data, field, _FIELD_CHECKS[field](value))
    return data


def _check_description(text: str | None) -> str | None:
    return text if text is None else str(text)


_FIELD_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": check_name,
    "description": _check_description,
    "tags": check_tags,
    "metadata": check_metadata,
}


class _Writing:
    """What :meth:`Session.writing` returns. It calls the log's own steps: each call less is felt on every append."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Session:
        session = self._session
        try:
            records = session.log.begin()
        except NoSuchLog as failure:
            raise session._no_such_session() from failure
        except LogCut:
            session.open()
            return self.__enter__()
        session._depth += 1
        if records or session._is_stale or session._inconsistency is not None or session.fold.fields.deleted:
            try:
                session._catch_up(records)
            except BaseException:
                session._depth -= 1
                session.log.end()
                raise
        if session.fold.fields.status is Status.ARCHIVED and session._depth == 1 and not session.log.is_in_place():
            session._depth -= 1
            session.log.end()
            session.log.rest()
            return self.__enter__()
        return session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session = self._session
        appended = False
        done = NOTHING_DONE
        try:
            if session._depth == 1 and session.asking.is_pending:
                done = session.asking.finish()
            if session._depth == 1 and session._appended:
                appended = True
                if error is None and not session.fold.fields.deleted:  # nothing comes after that record
                    if session.log.position.seq >= session._next_snapshot_seq:
                        session._save_long_tail()
                    elif session._saves_by_time:
                        session._save_if_due()
                session._appended = False
        finally:
            session._depth -= 1
            session.log.end()
        if appended:
            session.log.commit()
            for asked, seq in done:
                asked.tell(session, seq)
