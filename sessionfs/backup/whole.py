"""Copying a whole store into another one that is a copy of it already, or empty: in the order in which it was written.

1. Note where each log of the source ends, and each ref.
2. Copy the objects that the target lacks. All that the records up to those ends name is among them: whoever wrote a
   record had put its objects first, and nobody takes any away meanwhile (:mod:`sessionfs.backup.lease`).
3. One sync of the filesystem: the objects are on stable storage.
4. Let the logs catch up to where they ended at 1, then the refs.

So the target is a whole store at every moment, whatever happens: a kill, a power cut or a full disk leaves it somewhere
between what it was and what it was to be, and doing it again goes on from there. Nothing is taken away from it: a
session that has another history than the source's goes to its trash, and one that was deleted in the source stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from sessionfs.backup import files
from sessionfs.backup.aside import set_aside
from sessionfs.backup.done import Brought, Copied, Damaged, Outcome
from sessionfs.backup.lease import leased
from sessionfs.backup.logs import (
    LogMoved,
    Related,
    Relation,
    extend,
    find_source_end,
    is_same,
    log_of,
    relate,
    sync_logs,
)
from sessionfs.backup.objects import ObjectCopying, Progress
from sessionfs.errors import Conflict
from sessionfs.log import NoSuchLog
from sessionfs.log.damage import UnreadableLog
from sessionfs.log.pages import End, Place, start_of
from sessionfs.sessions import check_id
from sessionfs.store import past
from sessionfs.store.store import Store

# So often it begins anew, because a session was deleted while it was copied.
_TRIES = 10


class Noted(NamedTuple):
    """What there is to copy of one session, besides objects."""

    session_id: str
    end: End | None  # None: its log is the same already
    refs: files.NotedRefs


def copy_store(source: Store, target: Store, *, hooks: bool, progress: Progress | None = None) -> Copied:
    """Let *target* become what *source* is.

    Args:
        hooks: Copy its programs, too.
        progress: Is told how many bytes of objects have been copied.

    Raises:
        NoSpace, ReadOnlyStore: The target is a whole store all the same; try again when there is space.
        LockHeld: gc or repack is at work in one of the two.

    Durability:
        Survives a power cut.

    Concurrency:
        The source may be in use, and so may the target. What is written to the source meanwhile may be missing.
    """
    with leased(source), leased(target):
        files.copy_config(source, target)
        tries = 0
        while True:
            try:
                done = _copy(source, target, progress)
                break
            except NoSuchLog as failure:
                tries += 1
                if tries == _TRIES:
                    raise Conflict(
                        f"sessions of {source.path} are deleted faster than they can be copied: {failure}; try again"
                    ) from failure
        files.copy_head(source, target)
        if hooks:
            files.copy_hooks(source, target)
        sync_logs(target, len(done.sessions))
        return done


def _copy(source: Store, target: Store, progress: Progress | None) -> Copied:
    noted = note_sessions(source, lambda session_id: is_same(source, target, session_id))
    copying = ObjectCopying(source, target, progress)
    copying.copy_all()
    related = {
        one.session_id: relate(log_of(source, one.session_id), one.end.place, log_of(target, one.session_id))
        for one in noted
        if one.end
    }
    for one in noted:
        if one.end is not None:
            start = _start(related[one.session_id], one.session_id)
            if start is not None:
                copying.check(one.session_id, start, one.end.place)
    copying.sync()
    sessions = [_bring(source, target, one, related.get(one.session_id)) for one in noted]
    damaged = [*copying.damaged, *copying.missing]
    for one in noted:
        damaged += [Damaged(where, message) for where, message in one.refs.copy(target)]
    said = tuple(one for one in sessions if one.outcome is not Outcome.UNCHANGED or one.message)
    return Copied(target.path, said, len(noted), copying.done.object_count, copying.done.size, tuple(damaged))


def _start(related: Related, session_id: str) -> Place | None:
    """Return from where on the source's log is copied; None for nowhere."""
    if related.relation in (Relation.SAME, Relation.AHEAD):
        return None
    is_beginning = related.relation in (Relation.ABSENT, Relation.BEHIND)
    return related.end if is_beginning else start_of(session_id)


def _bring(source: Store, target: Store, noted: Noted, related: Related | None) -> Brought:
    """Let the target's log of one session catch up."""
    session_id, end = noted.session_id, noted.end
    if end is None or related is None:
        return Brought(session_id, Outcome.UNCHANGED)
    said = "" if end.damage is None else str(end.damage)
    start = _start(related, session_id)
    if start is None:
        is_same = related.relation is Relation.SAME
        return Brought(session_id, Outcome.UNCHANGED if is_same else Outcome.AHEAD, message=said)
    if related.relation is Relation.DAMAGED and end.place.seq < related.end.seq:
        said = (
            said or f"{target.layout.log(session_id)} is damaged, and what is whole of it is more than the source has"
        )
        return Brought(session_id, Outcome.REFUSED, message=said)
    replaces = related.relation in (Relation.DIVERGED, Relation.DAMAGED)
    try:
        if replaces:
            set_aside(target, session_id)
        extended = extend(source, target, session_id, start, end.place)
    except (LogMoved, UnreadableLog) as failure:
        return Brought(session_id, Outcome.REFUSED, message=str(failure))
    said = said or ("" if extended.damage is None else str(extended.damage))
    is_new = related.relation is Relation.ABSENT
    outcome = Outcome.REPLACED if replaces else Outcome.NEW if is_new else Outcome.EXTENDED
    return Brought(session_id, outcome, extended.record_count, said)


def note_sessions(source: Store, has_all: Callable[[str], bool]) -> list[Noted]:
    """Note what there is to copy, parents before what was forked from them.

    Args:
        has_all: Says of a session that the target has all of its log.

    Raises:
        NoSuchLog: A session was deleted meanwhile: begin again.
    """
    noted: dict[str, Noted] = {}
    for session_id in source.session_ids():
        check_id(session_id)
        if has_all(session_id):
            noted[session_id] = Noted(session_id, None, files.NotedRefs(source, session_id))
        else:
            _note_one(source, session_id, noted)
    ordered: dict[str, None] = {}
    for session_id in list(noted):
        ordered |= dict.fromkeys(reversed(_line_of(source, session_id, noted, ordered)))
    return [noted[session_id] for session_id in ordered]


def _note_one(source: Store, session_id: str, noted: dict[str, Noted]) -> None:
    refs = files.NotedRefs(source, session_id)
    end = find_source_end(source, session_id)
    if end is not None:
        noted[session_id] = Noted(session_id, end, refs)


def _line_of(source: Store, session_id: str, noted: dict[str, Noted], ordered: Collection[str]) -> list[str]:
    """Return a session and those it was forked from, as far as their place in the order is not known yet.

    One may have been forked between the look at its parent and the look at itself: then the parent is noted again,
    because the copy of it must reach as far as the fork needs.
    """
    line: list[str] = []
    one: str | None = session_id
    while one is not None and one not in ordered and one not in line and one in noted:
        line.append(one)
        end = noted[one].end
        fork = None if end is None or end.place.seq == 0 else past.fork_of(source.unread(one))
        one = None if fork is None else fork.session
        if fork is not None:
            parent = noted.get(fork.session)
            if parent is None or parent.end is None or parent.end.place.offset < fork.offset:
                _note_one(source, fork.session, noted)
    return line
