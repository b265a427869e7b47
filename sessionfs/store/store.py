"""The store: the directory with everything in it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessionfs import refs
from sessionfs.clock import Clock, system_clock
from sessionfs.durable import Disk, Mode, OsDisk, Unsynced, disk_at, why_refused
from sessionfs.durable.publish import make_directory, publish
from sessionfs.errors import Conflict, InvalidInput, NotFound, Unsupported, from_os_error
from sessionfs.locks import renew_in_children
from sessionfs.log import Log, Position
from sessionfs.sessions import (
    FINISHED,
    Created,
    Deleted,
    Filter,
    MakeId,
    SessionInfo,
    Status,
    Templated,
    arrange,
    check_actor,
    check_id,
    check_metadata,
    check_name,
    check_tags,
    uuid7,
)
from sessionfs.store import forks, proposals
from sessionfs.store.artifacts import LimitReached
from sessionfs.store.config import PROFILES
from sessionfs.store.content import open_objects, read_config
from sessionfs.store.covering import Covering
from sessionfs.store.deleted import move_to_trash
from sessionfs.store.hooked import Action, Asked, Hooks
from sessionfs.store.identity import new_identity, write_identity
from sessionfs.store.layout import FORMAT_LINE, Layout, check_format, is_store
from sessionfs.store.pinned import check_unpinned
from sessionfs.store.pruned import GivenUp
from sessionfs.store.session import MakeIno, NoSuchSession, Session, SessionExists, random_ino
from sessionfs.store.shelf_disk import ShelfDisk
from sessionfs.store.synced import Synced

if TYPE_CHECKING:
    from sessionfs.store.suspicion import Settled

Write = Callable[[Session], object]
"""Appends the first records of a session, in one call; its lock is held."""

Prepare = Callable[[Session, Created], Write]
"""Told what the first record of a session will say, which is not made yet, gives what appends that and what follows."""

# How many sessions stay open, with up to two descriptors each: far below a limit of 1,024.
_OPEN_SESSIONS = 256


class StoreExists(Conflict):
    """There is a store already, or something that is none."""


class UnsuitableFilesystem(Unsupported):
    """A filesystem whose locks do not keep two writers apart."""


class UnknownProfile(InvalidInput):
    """No profile for new stores has this name."""


class AmbiguousName(InvalidInput):
    """Several sessions could be meant."""


class NoCurrentSession(NotFound):
    """No session is the current one."""


class Store:
    """An open store. Thread-safe, and safe beside other processes."""

    def __init__(
        self,
        path: str,
        *,
        actor: str | None = None,
        disk: Disk | None = None,
        clock: Clock = system_clock,
        make_id: MakeId | None = None,
        make_ino: MakeIno = random_ino,
    ) -> None:
        """Open the store at *path*.

        Args:
            actor: Who does what is done through this object; ``uid:<number>`` by default.
            disk, clock, make_id, make_ino: The outside world; tests pass their own.

        Raises:
            NotAStore, NewerFormat, DamagedFormat, BadConfig: It cannot be opened.
        """
        self.path = os.path.abspath(path)
        self.layout = Layout(self.path)
        check_format(self.path)
        self.config = read_config(self.layout.config)
        below = disk if disk is not None else disk_at(self.path)
        self.disk = ShelfDisk(below, self.layout)
        self.clock = clock
        self.actor = check_actor(actor) if actor is not None else f"uid:{os.geteuid()}"
        self.unsynced = Unsynced(below)
        self.objects = open_objects(self.layout, self.config, below, self.unsynced)
        self.objects.why_gone = GivenUp(self.disk, self.layout).reason
        self.synced = Synced(self.disk, self.layout.synced, self.layout.staging)
        self._covering = Covering(self.disk, self.layout, self.objects, self.synced)
        self._make_id = make_id if make_id is not None else lambda: uuid7(clock)
        self._make_ino = make_ino
        self.hooks: Hooks | None = None
        self._lock = threading.RLock()
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._finished: set[str] = set()  # nobody comes back from there, so they need not be looked at again
        self.settled: Settled | None = None
        """What a power cut had left, when this is the first opening after it."""
        renew_in_children(self)
        if not self.synced.is_current():
            from sessionfs.store.suspicion import settle  # late: after a reboot only

            self.settled = settle(self)

    @staticmethod
    def create(path: str, *, profile: str = "default", disk: Disk | None = None, identity: str | None = None) -> None:
        """Make a new store at *path*, a directory that is missing or empty.

        The file ``format`` comes last: what was interrupted is no store yet, and can be made again.

        Args:
            identity: The id that it gets, for a copy of another store; one of its own by default.

        Raises:
            StoreExists: There is a store, or a directory with other things in it.
            UnsuitableFilesystem: Locks do not hold there.
            UnknownProfile: *profile* is neither ``default`` nor ``guarded``.

        Durability:
            Survives a power cut.
        """
        if profile not in PROFILES:
            raise UnknownProfile(f"there is no profile {profile!r}; these exist: {', '.join(PROFILES)}")
        layout = Layout(os.path.abspath(path))
        disk = disk if disk is not None else OsDisk()
        if is_store(layout.root):
            raise StoreExists(f"there is already a store at {layout.root}")
        try:
            _make_root(disk, layout.root)
            foreign = set(disk.listdir(layout.root)) - {os.path.basename(name) for name in _own_names(layout)}
            if foreign:
                raise StoreExists(
                    f"{layout.root} is not empty (it has {sorted(foreign)[0]!r}); name an empty or new directory"
                )
            unsynced = Unsynced(disk)
            reason = why_refused(layout.root)
            if reason is not None:
                raise UnsuitableFilesystem(
                    f"no store can be made at {layout.root}: {reason}; choose a local filesystem"
                )
            for directory in layout.directories():
                make_directory(disk, unsynced, Mode.RELAXED, directory)
            unsynced.sync()
            Synced(disk, layout.synced, layout.staging).begin()
            write_identity(disk, layout, new_identity() if identity is None else identity, replace=True)
            for target, text in ((layout.config, PROFILES[profile]), (layout.format, FORMAT_LINE)):
                publish(disk, unsynced, Mode.FULL, text.encode(), target, staging=layout.staging)
            for target in (layout.config, layout.identity):
                os.chmod(target, 0o644)
        except FileExistsError as failure:
            raise StoreExists(f"{layout.root} is a file, so it cannot become a store") from failure
        except OSError as failure:
            raise from_os_error(failure, f"make a store at {layout.root}") from failure

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.RLock()

    def close(self) -> None:
        """Sync what is owed, and let go of every descriptor; the object can go on being used."""
        self.sync()
        with self._lock:
            for session in self._open.values():
                session.log.rest()
        self.objects.rest()

    def sync(self) -> None:
        """Put everything this process wrote on stable storage, and what stands before it in the same logs."""
        was_written = self.unsynced.is_awake
        try:
            self.unsynced.sync()
        except OSError as failure:
            raise from_os_error(failure, f"sync the store {self.path}") from failure
        if was_written:
            self.synced.renew_if_old()

    def sync_everything(self) -> None:
        """Put everything that anybody has written to the store on stable storage."""
        self.sync()
        try:
            self.disk.sync_filesystem(self.path)
        except OSError as failure:
            raise from_os_error(failure, f"sync the filesystem of {self.path}") from failure
        self.synced.renew()

    def install_hooks(self, hooks: Hooks) -> None:
        """Let *hooks* be asked and told of what is done through this object from now on."""
        with self._lock:
            self.hooks = hooks
            for session in self._open.values():
                session.asking.hooks = hooks

    # Sessions

    def session_ids(self) -> list[str]:
        """Return the ids of all sessions, sorted; those of UUIDs by time."""
        try:
            names = self.disk.listdir(self.layout.sessions)
        except OSError as failure:
            raise from_os_error(failure, f"list the sessions of {self.path}") from failure
        return sorted(names)

    def session(self, session_id: str) -> Session:
        """Return the session with exactly this id, up to date.

        Raises:
            BadSessionId: No session can have it.
            NoSuchSession: None has.
        """
        session = self._find_open(session_id)
        if session is not None:
            return session
        session = self.unread(session_id)
        session.open()
        return self._keep(session)

    def load(self, session: Session) -> Session:
        """Return *session* for somebody outside: the first time in this process, that is a point for hooks.

        Raises:
            HookVeto, HookFailed: It must not be used.
        """
        if not session.is_loaded:
            asked = session.asking.ask("session.load", lambda: proposals.of_session(session))
            session.is_loaded = True
            if asked is not None:
                asked.tell(session, None)
        return session

    def _with_log(self, session_id: str) -> Session:
        """Return the session with exactly this id, its log up to date; otherwise as :meth:`session`."""
        session = self._find_open(session_id)
        if session is None:
            session = self.unread(session_id)
            session.open_log()
        return session

    def _find_open(self, session_id: str) -> Session | None:
        """Return the session with exactly this id, up to date, if it is open here."""
        check_id(session_id)
        with self._lock:
            session = self._open.get(session_id)
            if session is not None:
                self._open.move_to_end(session_id)
        if session is not None:
            try:
                session.refresh()
            except NoSuchSession:
                self._forget(session)  # deleted; perhaps another one was created under the same id since
                return None
        return session

    def new_id(self) -> str:
        """Return an id that no session has."""
        return self._make_id()

    def create_session(
        self,
        *,
        session_id: str | None = None,
        name: str | None = None,
        description: str | None = None,
        tags: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
        parent: str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        template: Templated | None = None,
        hooks: dict[str, tuple[str, ...]] | None = None,
        prepare: Prepare | None = None,
    ) -> Session:
        """Make a new session.

        Args:
            session_id: A slug; a UUIDv7 by default.
            parent: The id of an existing session.
            uid, gid: Whose its root directory is; this process's by default.
            template, hooks: What it was made from, and which programs there are called for it.
            prepare: Gives what it begins with.

        Raises:
            SessionExists: The id is taken.
            NoSuchSession: There is no such parent.
            LimitReached: As many sessions are active as config.toml allows.
            BadSessionId, BadField: Nothing was made.

        Durability:
            As the durability mode says.
        """
        session_id = check_id(session_id) if session_id is not None else self.new_id()
        data = Created(
            id=session_id,
            name=check_name(name),
            description=description,
            tags=check_tags(tags),
            metadata=check_metadata(metadata) if metadata else {},
            parent=self.session(parent).id if parent is not None else None,
            uid=os.geteuid() if uid is None else uid,
            gid=os.getegid() if gid is None else gid,
            template=template,
            hooks=hooks or {},
        )
        self._check_session_limit()
        session = self.unread(session_id)
        asked = self._ask_first("session.create", lambda: proposals.of_new_session(data))
        if asked is not None:
            data = replace(data, **asked.modified)
        # What cannot be written is refused before anything is made.
        write = prepare(session, data) if prepare is not None else _write_first(session, data)
        return self._made(self.create_from(session, write), asked)

    def _ask_first(self, point: str, describe: Callable[[], Action]) -> Asked | None:
        """Ask the hooks of *point* about a session that is about to be made."""
        at = None if self.hooks is None else self.hooks.at(point)
        return None if at is None else Asked(at, None, describe())

    def _made(self, session: Session, asked: Asked | None) -> Session:
        """Return a session that has just been made, after telling the hooks that were asked about it."""
        session.is_loaded = True
        if asked is not None:
            asked.tell(session, 0)
        return session

    def create_from(self, session: Session, write: Write) -> Session:
        """Make a new session.

        Args:
            session: One of which nothing has been read.
            write: Appends its first records; called with its lock held.

        Raises:
            SessionExists: The id is taken.
        """
        session.log.create()
        try:
            with session.writing():
                # What a crash left without a first record is taken over: there is no session yet.
                if session.log.position.seq > 0:
                    raise _taken(session.id)
                write(session)
        except NoSuchSession:
            # Deleted, but a crash kept it from reaching the trash: finish that, then begin again.
            self._move_to_trash(session)
            return self.create_from(self.unread(session.id), write)
        return self._keep(session)

    def fork_session(
        self, parent_id: str, *, at: Position | None = None, session_id: str | None = None, **fields: Any
    ) -> Session:
        """Make a session that begins with the artifacts, the state and most fields of another one.

        It costs the same whatever the other holds: nothing is copied.

        Args:
            at: Where in the other's log it begins; now by default.
            session_id: A slug; a UUIDv7 by default.
            fields: Its ``name``; ``description``, ``tags`` and ``metadata`` where they are to differ.

        Raises:
            SessionExists: The id is taken.
            NoSuchSession: There is no such parent.
            LimitReached: As many sessions are active as config.toml allows.
            BadSessionId, BadField: Nothing was made.

        Durability:
            As the durability mode says.
        """
        session_id = check_id(session_id) if session_id is not None else self.new_id()
        self.check_id_free(session_id)
        self._check_session_limit()
        parent = self._with_log(parent_id)
        asked = self._ask_first("session.fork", lambda: proposals.of_fork(parent, session_id, at, fields))
        if asked is not None:
            fields = {**fields, **asked.modified}
        return self._made(forks.make(self, parent, self.unread(session_id), at, fields), asked)

    def check_id_free(self, session_id: str) -> None:
        """Check that no session has this id, before the lock of another one is taken, or much is done for it.

        Whoever makes one checks it again with its own lock, and must not wait for that while it holds the other: two
        who fork a session each, and choose the other's id, would wait for each other.

        Raises:
            SessionExists: One has.
        """
        if self.disk.size_at(self.layout.log(session_id)):
            with contextlib.suppress(NoSuchSession):
                self._with_log(session_id)
                raise _taken(session_id)

    def delete_session(self, session_id: str, reason: str | None = None) -> str:
        """Move a session to the trash and return where it is there.

        Its log says so first: a writer in another process that still has it open finds that out with its next write.

        Args:
            reason: Why, for people.

        Raises:
            SessionPinned: It, or an artifact in it, is to be kept; nothing was changed.
            ForkCannotBeKept: A fork of it would be lost; nothing was changed.
        """
        session = self.session(session_id)
        check_unpinned(session)
        asked = session.asking.ask("session.delete", lambda: proposals.of_session(session))
        with session.writing():
            check_unpinned(session)
            forks.keep_beginnings(self, session)
            session.asking.record(asked)
            session.append("session.deleted", Deleted(reason=reason))
            seq = session.log.position.seq - 1
        if self.head() == session.id:
            self.set_head(None)
        place = self._move_to_trash(session)
        if asked is not None:
            asked.tell(None, seq)
        return place

    def _move_to_trash(self, session: Session) -> str:
        place = move_to_trash(self, session.id)
        self._forget(session)
        return place

    def sessions(
        self,
        wanted: Filter | None = None,
        *,
        sort: str = "created",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[SessionInfo]:
        """Return what *wanted* asks for; see :func:`sessionfs.sessions.arrange`."""
        infos = (self._info(session_id) for session_id in self.session_ids())
        chosen = [info for info in infos if info is not None and (wanted is None or wanted.matches(info))]
        return arrange(chosen, sort=sort, reverse=reverse, offset=offset, limit=limit)

    def resolve(self, text: str, *, current: str | None = None) -> Session:
        """Return the session that *text* names: an id, a unique prefix of one, a unique name, or ``@``.

        Args:
            current: What ``@`` stands for; HEAD by default.

        Raises:
            NoSuchSession: None is named so.
            AmbiguousName: Several are; the message lists them.
            NoCurrentSession: ``@``, and there is none.
        """
        if text == "@":
            current = current or self.head()
            if current is None:
                raise NoCurrentSession("there is no current session; choose one with: sessionfs use SESSION")
            return self.session(current) if current == "@" else self.resolve(current)
        ids = self.session_ids()
        if text in ids:
            with contextlib.suppress(NoSuchSession):
                return self.session(text)
        matching = [session_id for session_id in ids if text and session_id.startswith(text)]
        if not matching:
            matching = [info.id for info in self.sessions() if info.name == text]
        if not matching:
            raise NoSuchSession(
                f"no session has the id, the start of an id, or the name {text!r}; see: sessionfs session list"
            )
        if len(matching) > 1:
            shown = ", ".join(matching[:5]) + (", …" if len(matching) > 5 else "")
            raise AmbiguousName(f"{text!r} could be {len(matching)} sessions ({shown}); write more of the id")
        return self.session(matching[0])

    # The current session

    def head(self) -> str | None:
        """Return the id of the current session, if one is set."""
        return refs.read(self.disk, self.layout.head)

    def set_head(self, session_id: str | None) -> None:
        """Make a session the current one; None for none.

        Raises:
            NoSuchSession: There is no such session.
        """
        value = refs.NONE if session_id is None else self.session(session_id).id
        refs.update(self.disk, self.clock, self.unsynced, self.config.mode, self.layout.head, value, actor=self.actor)

    # Inside

    def unread(self, session_id: str) -> Session:
        """Return the session *session_id*, whether it is there or not, with nothing read yet and known to nobody."""
        log = Log(
            self.disk,
            self.layout.log(session_id),
            session_id,
            mark_path=self.layout.mark(session_id),
            staging=self.layout.staging,
            unsynced=self.unsynced,
            mode=self.config.mode,
            cover=self._covering.needed,
        )
        return Session(
            log,
            self.objects,
            self.config,
            session_id,
            actor=self.actor,
            clock=self.clock,
            make_ino=self._make_ino,
            other=self.unread,
            hooks=self.hooks,
        )

    def _keep(self, session: Session) -> Session:
        """Remember an open session; the one that another thread opened meanwhile wins."""
        with self._lock:
            kept = self._open.setdefault(session.id, session)
            self._open.move_to_end(session.id)
            while len(self._open) > _OPEN_SESSIONS:
                _, old = self._open.popitem(last=False)
                old.log.rest()
            return kept

    def forget(self, session_id: str) -> None:
        """Let go of what was read of a session: its log was changed otherwise than by appending to it."""
        with self._lock:
            session = self._open.get(session_id)
        if session is not None:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        with self._lock:
            if self._open.get(session.id) is session:
                del self._open[session.id]
        session.log.rest()

    def _info(self, session_id: str) -> SessionInfo | None:
        """Return what a session is now; None if it is gone, or never came to be."""
        try:
            return self.session(session_id).info()
        except (NoSuchSession, InvalidInput):
            return None

    def _check_session_limit(self) -> None:
        limit = self.config.max_sessions
        if limit is None:
            return
        active = 0
        for session_id in self.session_ids():
            if session_id in self._finished:
                continue
            info = self._info(session_id)
            if info is not None and info.status in FINISHED:
                self._finished.add(session_id)
            active += info is not None and info.status is Status.ACTIVE
        if active >= limit:
            raise LimitReached(
                f"limits.max_sessions is {limit}, and {active} sessions are active; "
                f"complete one, or change it in {self.layout.config}"
            )


def _write_first(session: Session, data: Created) -> Write:
    draft = session.draft("session.created", data)
    return lambda session: session.append_drafts([draft], [data])


def _taken(session_id: str) -> SessionExists:
    return SessionExists(f"there is already a session {session_id!r}; choose another id")


def _own_names(layout: Layout) -> list[str]:
    return [layout.config, layout.format, layout.identity, layout.synced, *layout.directories()]


def _make_root(disk: Disk, root: str) -> None:
    """Make the directory at *root* and those above it, and sync each new name."""
    if os.path.isdir(root):
        return
    above = os.path.dirname(root)
    if not os.path.lexists(above):
        _make_root(disk, above)
    try:
        disk.mkdir(root)
    except FileExistsError:
        if not os.path.isdir(root):
            raise
    disk.sync_directory(above)
