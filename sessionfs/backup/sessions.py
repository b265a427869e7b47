"""Sessions from one store into another: each as a whole or not at all, and no object that is there already.

A session that is not there is made. One that is there must be the beginning of what comes, or what comes the beginning
of it: two histories of one id are never mixed. A fork brings the session that it was forked from, because it begins
with that one's log; if that is not possible, its own snapshot of its beginning will do, where it has one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from sessionfs.backup.done import Brought, Copied, Damaged, Outcome
from sessionfs.backup.files import NotedRefs
from sessionfs.backup.lease import leased
from sessionfs.backup.logs import LogMoved, Relation, extend, find_source_end, good_lines, log_of, relate, sync_logs
from sessionfs.backup.objects import ObjectCopying, Progress
from sessionfs.backup.target import Entangled
from sessionfs.errors import Corrupt, NotFound
from sessionfs.log import NoSuchLog
from sessionfs.log.damage import UnreadableLog
from sessionfs.log.pages import Place, start_of
from sessionfs.sessions import Fork, Forked
from sessionfs.store import past
from sessionfs.store.reach import Named, Objects
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store

# So often it is looked at anew, because somebody wrote to the session meanwhile.
_TRIES = 5

_LINES_AT_ONCE = 1000

_OUTCOMES = {
    Relation.ABSENT: Outcome.NEW,
    Relation.BEHIND: Outcome.EXTENDED,
    Relation.SAME: Outcome.UNCHANGED,
    Relation.AHEAD: Outcome.AHEAD,
}

_BEGINNING = re.compile(rb'"type":"session\.saved".*"beginning":"[0-9a-f]{64}"')


def bring(
    source: Store,
    target: Store,
    session_ids: Iterable[str] | None = None,
    *,
    also_damaged: bool = False,
    progress: Progress | None = None,
) -> Copied:
    """Bring sessions from *source* to *target*.

    Args:
        session_ids: Which; all by default.
        also_damaged: Bring a session of which something is damaged, without that: for a backup that is the last copy.
            By default it is refused.
        progress: Is told how many bytes of objects have been copied.

    Raises:
        NoSuchSession: *source* has none of this id; nothing was brought.
        Entangled: They are the same store.
        NoSpace, ReadOnlyStore: What was brought is whole; try again.

    Durability:
        Survives a power cut, objects before the records that name them. A kill leaves a session that was not there
        absent or whole, and one that was there at a place where the source's once was; doing it again goes on.

    Concurrency:
        Both stores may be in use.
    """
    if os.path.realpath(source.path) == os.path.realpath(target.path):
        raise Entangled(f"{target.path} is the store itself; name another one")
    known = source.session_ids()
    chosen = known if session_ids is None else list(dict.fromkeys(session_ids))
    for session_id in chosen:
        if session_id not in known:
            raise NoSuchSession(f"there is no session {session_id!r} in {source.path}")
    with leased(source), leased(target):
        bringing = _Bringing(source, target, also_damaged, progress)
        for session_id in chosen:
            bringing.prepare(session_id, is_asked=session_ids is not None)
        done = bringing.finish()
        sync_logs(target, len(done.sessions))
    return done


class _Refused(Exception):
    """A session cannot be brought; the text says why."""


class _Prepared(NamedTuple):
    """A session whose objects are there; its records may come."""

    session_id: str
    relation: Relation
    start: Place  # from here
    end: Place  # to here
    refs: NotedRefs
    said: str  # what is wrong with it


class _Bringing:
    """One time that it is done."""

    def __init__(self, source: Store, target: Store, also_damaged: bool, progress: Progress | None) -> None:
        self._source = source
        self._target = target
        self._also_damaged = also_damaged
        self._copying = ObjectCopying(source, target, progress)
        self._prepared: dict[str, _Prepared | None] = {}  # parents before their forks
        self._asked: set[str] = set()
        self._results: dict[str, Brought] = {}
        self._damaged: list[Damaged] = []

    def prepare(self, session_id: str, *, is_asked: bool) -> None:
        """Copy what a session needs, and before it what it was forked from."""
        if is_asked:
            self._asked.add(session_id)
        for one in reversed(self._line_of(session_id)):
            if one not in self._prepared:
                self._prepared[one] = None
                with self._refusing(one, is_wanted=one == session_id):
                    self._prepared[one] = self._prepare(one)

    def finish(self) -> Copied:
        """Let the records come, and return what it came to."""
        self._copying.sync()
        for session_id, prepared in self._prepared.items():
            if prepared is not None:
                with self._refusing(session_id, is_wanted=True):
                    self._results[session_id] = self._write(prepared)
        copied = self._copying.done
        results = tuple(self._results[one] for one in self._prepared if one in self._results)
        damaged = tuple(self._damaged)
        return Copied(self._target.path, results, len(results), copied.object_count, copied.size, damaged)

    @contextlib.contextmanager
    def _refusing(self, session_id: str, *, is_wanted: bool) -> Iterator[None]:
        """Note why a session is refused, if it is. A parent need not come: its fork says so if it does."""
        try:
            yield
        except _Refused as failure:
            if is_wanted:
                self._results[session_id] = Brought(session_id, Outcome.REFUSED, message=str(failure))
        except (NoSuchLog, NoSuchSession):
            if session_id in self._asked:
                message = "it was deleted while it was to be brought, or never came to be"
                self._results[session_id] = Brought(session_id, Outcome.REFUSED, message=message)

    def _line_of(self, session_id: str) -> list[str]:
        """Return a session and those that it was forked from, as far as the source has them."""
        line = [session_id]
        with contextlib.suppress(NoSuchLog, UnreadableLog):  # whoever prepares it says so
            while (fork := past.fork_of(self._source.unread(line[-1]))) is not None and fork.session not in line:
                if not log_of(self._source, fork.session).has(_place(fork)):
                    break  # it was deleted: the fork has a snapshot of what it begins with
                line.append(fork.session)
        return line

    def _prepare(self, session_id: str) -> _Prepared:
        source, target = self._source, self._target
        refs = NotedRefs(source, session_id)
        end = find_source_end(source, session_id)
        if end is None:
            raise NoSuchLog(f"there is no session {session_id!r} in {source.path}")
        said = "" if end.damage is None else str(end.damage)
        if said and not self._also_damaged:
            raise _Refused(said)
        relation, start = relate(log_of(source, session_id), end.place, log_of(target, session_id))
        self._check(session_id, relation, end.place, start)
        if relation in (Relation.SAME, Relation.AHEAD):
            start = end.place
        said = said or self._copy_objects(session_id, start, end.place, refs)
        return _Prepared(session_id, relation, start, end.place, refs, said)

    def _write(self, prepared: _Prepared) -> Brought:
        for _ in range(_TRIES):
            try:
                return self._try_to_write(prepared)
            except LogMoved as failure:
                last = failure
            prepared = self._prepare(prepared.session_id)
            self._copying.sync()
        raise _Refused(str(last)) from last

    def _try_to_write(self, prepared: _Prepared) -> Brought:
        session_id, relation, start, end, refs, said = prepared
        count = 0
        if start != end:
            with self._parent_kept(session_id, start):
                extended = extend(self._source, self._target, session_id, start, end)
            count = extended.record_count
            said = said or ("" if extended.damage is None else str(extended.damage))
        self._damaged += [Damaged(where, message) for where, message in refs.copy(self._target)]
        return Brought(session_id, _OUTCOMES[relation], count, said)

    def _check(self, session_id: str, relation: Relation, theirs: Place, ours: Place) -> None:
        if relation is Relation.DIVERGED:
            raise _Refused(
                f"session {session_id} has another history in {self._target.path} ({ours.seq} records) than in "
                f"{self._source.path} ({theirs.seq} records), so they are not mixed; delete it there first (it goes to "
                "the trash), or bring it into another store"
            )
        if relation is Relation.DAMAGED:
            raise _Refused(
                f"the log of session {session_id} in {self._target.path} is damaged at record {ours.seq}; run there: "
                f"sessionfs fsck --repair --from {self._source.path}"
            )

    # Objects

    def _copy_objects(self, session_id: str, start: Place, end: Place, refs: NotedRefs) -> str:
        """Copy what the records between two places need, and the refs; return what is wrong with it, if anything."""
        named = Named()
        lines = good_lines(self._source, session_id, start, end)
        while some := list(islice(lines, _LINES_AT_ONCE)):
            named.add(some)
        for _, content in refs.contents():
            of_refs = Named()
            of_refs.add(content.splitlines())
            named.oids |= of_refs.oids
        objects = Objects(self._source.objects, ())
        needed = objects.needed(named)
        before = len(self._copying.damaged), len(self._copying.missing)
        self._copying.copy(needed)
        self._copying.check(session_id, start, end)
        faults = [*self._copying.damaged[before[0] :], *self._copying.missing[before[1] :]]
        faults += [Damaged(f"object {oid}", "it is missing or damaged") for oid in sorted(objects.unreadable)]
        if not faults:
            return ""
        said = (
            f"{len(faults)} things that it needs are damaged or missing in {self._source.path} ({faults[0].where}: "
            f"{faults[0].message})"
        )
        if not self._also_damaged:
            raise _Refused(f"{said}; repair that first: sessionfs --store {self._source.path} fsck --repair")
        self._damaged += faults
        return said

    # Forks

    @contextlib.contextmanager
    def _parent_kept(self, session_id: str, start: Place) -> Iterator[None]:
        """Make sure that a fork which is about to be made has what it begins with, and that nobody takes it away.

        The parent must know that it has a fork: whoever deletes it gives the fork a snapshot of its beginning then.
        """
        fork = past.fork_of(self._source.unread(session_id)) if start.offset == 0 else None
        if fork is None:
            yield
        elif log_of(self._target, fork.session).has(_place(fork)):
            try:
                parent = self._target.session(fork.session)
                with parent.noting():
                    if not parent.fold.fields.forked:
                        parent.note("session.forked", Forked(session_id, fork.seq))
                    yield
            except (Corrupt, NotFound) as failure:
                raise _Refused(f"it is a fork of {fork.session}, which cannot be read: {failure}") from failure
        elif self._has_beginning(session_id):
            yield
        else:
            raise _Refused(
                f"it is a fork of {fork.session} before its record {fork.seq}, and {self._target.path} has no session "
                "of that id and history; bring that one first"
            )

    def _has_beginning(self, session_id: str) -> bool:
        end = find_source_end(self._source, session_id)
        if end is None:
            return False
        lines = good_lines(self._source, session_id, start_of(session_id), end.place)
        return any(_BEGINNING.search(line) for line in lines)


def _place(fork: Fork) -> Place:
    return Place(fork.seq, fork.offset, fork.chain)
