"""Hooks and what is planned: they are asked about each artifact and key, as about any other change.

What they are asked about is known once it is planned, which takes the session's lock; they are asked without it. So a
plan is made, they are asked, and it is made again: what they have not been asked about by then, they are asked next.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from sessionfs.artifacts import Applied, events, from_text
from sessionfs.errors import Conflict
from sessionfs.state import Changed
from sessionfs.store import proposals
from sessionfs.store.hooked import Action, Asked, HookFailed, StateAction
from sessionfs.store.session import Session
from sessionfs.travel.plan import Plan, Record

_POINT_OF = {
    "artifact.stored": "artifact.store",
    "artifact.renamed": "artifact.rename",
    "artifact.deleted": "artifact.delete",
    "state.changed": "state.change",
}

# Each round takes as long as the hooks; after so many, others change the session faster than they answer.
_MOST_ROUNDS = 10


class KeepsChanging(Conflict):
    """Others changed the session each time that hooks had been asked about what was planned."""


class _Wanted(NamedTuple):
    key: bytes
    point: str
    action: Action


class Consent:
    """What the hooks of a session said about the records of a plan."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked: dict[bytes, Asked] = {}
        self._rounds = itertools.count(1)

    def missing(self, plan: Plan) -> list[_Wanted]:
        """Return what hooks have to be asked about before *plan* is appended; the caller holds the lock."""
        return [wanted for wanted in self._wanted(plan) if wanted.key not in self._asked]

    def ask(self, missing: list[_Wanted]) -> None:
        """Ask them; the caller does not hold the lock.

        Raises:
            HookVeto, HookFailed: It must not be done.
            KeepsChanging: There is no end to it.
        """
        if next(self._rounds) > _MOST_ROUNDS:
            raise KeepsChanging(
                f"session {self._session.id} is changed by others faster than hooks answer; nothing was done: try again"
            )
        for key, point, action in missing:
            asked = self._session.asking.ask(point, _always(action))
            if asked is not None:
                self._asked[key] = asked
                if "name" in asked.modified:
                    raise HookFailed(f"a hook gave {action.about!r} another name; what is brought back keeps its own")

    def answered(self, records: list[Record]) -> list[Record]:
        """Return *records* with the attributes that hooks gave them."""
        if not self._asked:
            return records
        modified = [self._asked[key].modified if (key := _key(*record)) in self._asked else {} for record in records]
        return [
            (type, replace(data, **fields) if fields else data)
            for (type, data), fields in zip(records, modified, strict=True)
        ]

    def tell(self, plan: Plan, first_seq: int) -> None:
        """Tell them, when the lock is released, that the records of *plan* have been appended."""
        if self._asked:
            for seq, record in enumerate(plan.records, first_seq):
                self._session.asking.tell(self._asked.get(_key(*record)), seq)

    def _wanted(self, plan: Plan) -> Iterator[_Wanted]:
        hooks = self._session.asking.hooks
        if hooks is None:
            return
        points = {type: point for type, point in _POINT_OF.items() if hooks.at(point, self._session) is not None}
        for (type, data), applied in zip(plan.records, plan.applied, strict=True) if points else ():
            if type in points:
                yield _Wanted(_key(type, data), points[type], _action(self._session, plan, data, applied))


def _always(action: Action) -> Callable[[], Action]:
    return lambda: action


def _key(type: str, data: Any) -> bytes:
    """Return what tells one record from others; the number of a new inode is another one each time."""
    said = replace(data, ino=None) if isinstance(data, events.Stored) else data
    return type.encode() + b" " + msgspec.json.encode(said)


def _action(session: Session, plan: Plan, data: Any, applied: Applied | None) -> Action:
    if isinstance(data, Changed):
        is_deleted = data.new is UNSET and data.new_oid is UNSET
        json = None if is_deleted else msgspec.Raw(plan.fold.state.get_json(data.key))
        return StateAction(session=session.id, key=data.key, json=json, deleted=is_deleted)
    assert applied is not None
    path = from_text(data.path)
    if isinstance(data, events.Deleted):
        assert applied.removed is not None
        return proposals.of_node(session, path, applied.removed, recursive=applied.removed.is_directory)
    assert applied.node is not None
    if isinstance(data, events.Renamed):
        return proposals.of_node(session, path, applied.node, to=data.to, exchange=data.exchange)
    now = session.tree.find(path)
    stored = proposals.of_node(session, path, applied.node, link=data.link)
    return replace(stored, id=None if now is None else now.id or None)
