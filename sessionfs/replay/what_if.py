"""What if: a fork in which the same events happen again, but for some that do not happen, or say something else.

The fork begins before the first event that is dropped or changed; what came before is shared, and takes no time. The
events from there on are appended to it, all of them or none. What cannot happen without what was dropped is left out,
and named. Times are those of the appending, but files keep the times at which they were stored.

The fork stays active, whatever became of the session: one can go on with it, compare the two, and merge it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from sessionfs import sessions
from sessionfs.correlation import Context
from sessionfs.errors import Conflict, Denied, Error, InvalidInput, NotFound
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import read
from sessionfs.log import Joined
from sessionfs.replay.condition import Condition
from sessionfs.replay.edits import STORED, Edits
from sessionfs.replay.happening import Happening, can_happen_again
from sessionfs.store import past
from sessionfs.store.artifacts import check_growth
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.travel import NOW, AfterRecord, Moment, resolve_moment
from sessionfs.travel.consent import Consent
from sessionfs.travel.plan import Plan

_DONE = "session.replayed"


class Impossible(msgspec.Struct, frozen=True):
    """An event that could not happen again."""

    event: str  # "<session>:<seq>" of the one that did happen
    type: str
    why: str

    @property
    def seq(self) -> int:
        """Its number."""
        return int(self.event.rpartition(":")[2])


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a session in which some events are others."""

    session: str  # the fork
    of: str
    begins: str  # the moment that both have in common, as in ``q4@{17}``
    count: int  # how many events happened again
    dropped: tuple[int, ...]  # numbers of events of the original
    changed: tuple[int, ...]
    impossible: tuple[Impossible, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**asdict(self), "impossible": [asdict(one) for one in self.impossible]}


class _Kept(NamedTuple):
    """An event that is to happen again."""

    event: Event
    said: bytes | None  # None when it does not happen, and what it said counts all the same


def what_if(
    store: Store,
    session: Session,
    *,
    drop: Iterable[Condition | str | int] = (),
    change: Mapping[int, Mapping[str, Any]] | None = None,
    content: Mapping[int, bytes] | None = None,
    end: Moment = NOW,
    session_id: str | None = None,
    fields: Mapping[str, Any] | None = None,
) -> WhatIf:
    """Make a fork of *session* in which its events happen again, but for those that are dropped or changed.

    Args:
        drop, change, content: As for :class:`Edits`.
        end: Up to this moment.
        session_id: Of the fork; a UUIDv7 by default.
        fields: Its ``name``; ``description``, ``tags`` and ``metadata`` where they are to differ.

    Raises:
        BadEdit, BadCondition, NoSuchEvents, NoSuchMoment: No fork was made; as with all that follows.
        SessionExists, BadSessionId, BadField: It cannot be called so.
        LimitReached, HookVeto, HookFailed: What would happen is not allowed.

    Durability:
        As the durability mode says. A kill leaves no fork, one to which nothing has been appended, or all of it.
    """
    until = resolve_moment(session, end).seq
    edits = Edits(session.objects, drop=drop, change=change, content=content)
    chosen = _Chosen(store, session, edits, until)
    child = store.fork_session(
        session.id,
        at=resolve_moment(session, AfterRecord(chosen.first - 1)),
        session_id=session_id,
        **(fields or {}),
    )
    try:
        return _Doing(session, child, chosen).carry_out()
    except BaseException as failure:
        _take_back(store, child, failure)
        raise


def _take_back(store: Store, child: Session, failure: BaseException) -> None:
    """Move the fork to the trash: what it was made for has failed."""
    try:
        store.delete_session(child.id)
    except Error as reason:
        failure.add_note(
            f"sessionfs: the fork {child.id}, in which nothing has happened, could not be deleted: {reason}"
        )


class _Chosen:
    """Which events happen again, from the first one on with which anything is different."""

    def __init__(self, store: Store, session: Session, edits: Edits, until: int) -> None:
        changed = edits.changed
        first: int | None = None
        self.kept: list[_Kept] = []
        self.dropped: list[int] = []
        self.changed: list[int] = []
        for event in read(store, session.id, Query(end=until)):
            is_dropped = edits.drops(event)
            if first is None and (is_dropped or event.seq in changed):
                first = event.seq
            if is_dropped:
                self.dropped.append(event.seq)
                self.kept.append(_Kept(event, None))
            elif event.seq in changed:
                self.changed.append(event.seq)
                self.kept.append(_Kept(event, edits.said(event)))
            elif first is None:
                if event.type == STORED and b'"made_by"' in event.data_json:
                    self.kept.append(_Kept(event, None))
            elif can_happen_again(event.type):
                self.kept.append(_Kept(event, event.data_json))
        edits.check_all_met(until)
        assert first is not None  # each edit is about an event
        self.first = first
        self.last = until - 1


class _Doing:
    """One making of it: may be planned several times, because hooks are asked in between."""

    def __init__(self, session: Session, child: Session, chosen: _Chosen) -> None:
        self._session = session
        self._child = child
        self._chosen = chosen
        self._blocks = {block for kept in chosen.kept if (block := _block_of(kept)) is not None}

    def carry_out(self) -> WhatIf:
        child = self._child
        consent = Consent(child)
        while True:
            with child.writing():
                plan = self._make_plan()
                missing = consent.missing(plan)
                if not missing:
                    return self._append(plan, consent)
            consent.ask(missing)

    def _make_plan(self) -> Plan:
        child = self._child
        plan = Plan(past.fold_at(child, child.log.position).fold, child.make_ino)
        happening = Happening(child, plan, self._new_id)
        self._first_seq = child.log.position.seq
        self._seqs: dict[int, int] = {}  # by the number that an event has in the original: the one that it has here
        self._planned: list[Event] = []
        self._impossible: list[Impossible] = []
        for event, said in self._chosen.kept:
            seq = self._first_seq + len(plan.records)
            if said is None:
                happening.leave_out(event)
                continue
            try:
                happening.happen(event, said)
            except (InvalidInput, NotFound, Conflict, Denied) as failure:
                self._impossible.append(Impossible(event.id, event.type, str(failure)))
                happening.leave_out(event)
                continue
            if len(plan.records) > len(self._planned):  # a rename to the same name does nothing
                self._seqs[event.seq] = seq
                self._planned.append(event)
        return plan

    def _append(self, plan: Plan, consent: Consent) -> WhatIf:
        child, chosen = self._child, self._chosen
        check_growth(child.config, child.tree, plan.fold.tree)
        records = consent.answered(plan.records)
        drafts = [
            replace(child.draft(type, data), joined=joined)
            for (type, data), joined in zip(records, self._joined(), strict=True)
        ]
        done = sessions.Replayed(
            session=self._session.id,
            seq=chosen.first,
            to=chosen.last,
            count=len(drafts),
            dropped=tuple(chosen.dropped),
            changed=tuple(chosen.changed),
            impossible=tuple(one.seq for one in self._impossible),
        )
        last = child.log.position.seq + len(drafts)
        drafts.append(replace(child.draft(_DONE, done), joined=Joined(Context(), last)))
        child.append_drafts(drafts, [*(data for _, data in records), done])
        consent.tell(plan, self._first_seq)
        return self._result(len(records))

    def _result(self, count: int) -> WhatIf:
        chosen, of = self._chosen, self._session.id
        return WhatIf(
            session=self._child.id,
            of=of,
            begins=f"{of}@{{{chosen.first - 1}}}",
            count=count,
            dropped=tuple(chosen.dropped),
            changed=tuple(chosen.changed),
            impossible=tuple(self._impossible),
        )

    def _joined(self) -> list[Joined]:
        """Return what joins the events here, as it joined them in the original."""
        operations: dict[int, int] = {}
        found = []
        for event in self._planned:
            record = event.record
            cause = None if record.cause is None else self._new_id(record.cause)
            operation = operations.setdefault(event.operation, self._seqs[event.seq])
            found.append(Joined(Context(record.correlation_id, cause, record.trace), operation))
        return found

    def _new_id(self, id: str) -> str:
        """Return what *id*, of an event, a version or a block, is called here; what is not here keeps its name."""
        session, _, name = id.rpartition(":")
        if session != self._session.id:
            return id
        if name.isdecimal():
            seq = self._seqs.get(int(name))
            return id if seq is None else f"{self._child.id}:{seq}"
        return f"{self._child.id}:{name}" if name in self._blocks else id


def _block_of(kept: _Kept) -> str | None:
    """Return the name of the block that an event was, before it was over."""
    if kept.said is None or kept.event.type not in callers.NAME_OF or b'"block"' not in kept.said:
        return None
    data = msgspec.json.decode(kept.said)
    block = data.get(callers.BLOCK) if isinstance(data, dict) else None
    return block if isinstance(block, str) else None
