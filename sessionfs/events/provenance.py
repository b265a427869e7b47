"""What an artifact was made from, back to what nobody made: the inputs of users.

Each version says which block of work was open when it was stored, and which versions had been read for it; a copy says
what it is a copy of. Both are in the record that stored it, so the chain survives renames, deletions and forks.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sessionfs.artifacts import from_text
from sessionfs.artifacts.events import MadeBy
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import find, read
from sessionfs.store.session import NoSuchSession
from sessionfs.store.store import Store


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A tool's call, an agent's turn or a workflow."""

    type: str
    name: str
    event: Event | None  # its record; None when it has not ended, or never will


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an artifact, and what it was made from."""

    id: str  # "<session>:<seq>"
    path: str | None = None  # where it was stored; None when its session has gone
    event: Event | None = None  # that stored it; likewise
    work: tuple[Work, ...] = ()  # what made it, from the inside out
    inputs: tuple[str, ...] = ()  # ids of the versions that were read for it
    origin: str | None = None  # id of the version that it is again, is a copy of, or was said to be made from

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of all it was made from."""
        return tuple(dict.fromkeys((*self.inputs, *(() if self.origin is None else (self.origin,)))))

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        event = self.event
        return {
            "id": self.id,
            "path": self.path,
            "time": None if event is None else event.time,
            "actor": None if event is None else event.actor,
            "made_by": [
                {"type": work.type, "name": work.name, "event": None if work.event is None else work.event.id}
                for work in self.work
            ],
            "inputs": list(self.inputs),
            "origin": self.origin,
        }


class _Said(msgspec.Struct):
    """What the record that stored a version says of where it comes from."""

    path: str
    link: str | None = None
    origin: str | None = None
    made_by: MadeBy | None = None
    brought_back: str | None = None


_decode_said = msgspec.json.Decoder(_Said).decode

_BLOCKS = Query(types=("artifact.stored", *callers.NAME_OF))


def trace(store: Store, version_id: str) -> list[Step]:
    """Return the version and everything it was made from, each once, what was asked for first.

    Args:
        version_id: ``<session>:<seq>``, as ``Artifact.id``.
    """
    tracing = _Tracing(store)
    steps: dict[str, Step] = {}
    waiting = [version_id]
    while waiting:
        id = waiting.pop()
        if id not in steps:
            steps[id] = tracing.step(id)
            waiting += reversed(steps[id].sources)
    return list(steps.values())


class _Blocks:
    """The blocks that one session's log knows of."""

    def __init__(self, store: Store, session_id: str) -> None:
        self.ended: dict[str, Event] = {}
        self.inputs: dict[str, list[tuple[int, list[str]]]] = {}  # by block: the artifact that names them, and them
        try:
            for event in read(store, session_id, _BLOCKS):
                self._note(event)
        except NoSuchSession:
            return  # what it knew has gone with it

    def _note(self, event: Event) -> None:
        if event.type == "artifact.stored":
            made_by = _decode_said(event.data_json).made_by if b'"made_by":' in event.data_json else None
            if made_by is not None and made_by.inputs:
                self.inputs.setdefault(made_by.block, []).append((event.seq, made_by.inputs))
        elif isinstance(event.data, dict) and isinstance(event.data.get(callers.BLOCK), str):
            self.ended[event.data[callers.BLOCK]] = event


class _Tracing:
    """One question; each session's log is read once, when it is needed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Blocks] = {}

    def step(self, id: str) -> Step:
        event = find(self._store, id)
        if event is None or event.type != "artifact.stored":
            return Step(id=id)
        said = _decode_said(event.data_json)
        made_by = said.made_by
        return Step(
            id=id,
            path=from_text(said.path),
            event=event,
            work=() if made_by is None else self._work(event, made_by),
            inputs=() if made_by is None else self._inputs(event, made_by),
            origin=said.brought_back or said.origin,
        )

    def _inputs(self, event: Event, made_by: MadeBy) -> tuple[str, ...]:
        """Return all that had been read for the block by then: each is named by the first artifact that came after."""
        named = self._blocks(event.session).inputs.get(made_by.block, [])
        found = dict.fromkeys(id for seq, inputs in named if seq <= event.seq for id in inputs)
        found.pop(event.id, None)
        return tuple(found)

    def _work(self, event: Event, made_by: MadeBy) -> tuple[Work, ...]:
        session, _, name = (event.cause or "").rpartition(":")
        ended = self._ended(session if name == made_by.block else event.session, made_by.block)
        work = [Work(type=made_by.type, name=made_by.name, event=ended)]
        seen = {made_by.block}
        while ended is not None and ended.cause is not None and ended.cause not in seen:
            seen.add(ended.cause)
            session, _, name = ended.cause.rpartition(":")
            ended = find(self._store, ended.cause) if name.isdecimal() else self._ended(session, name)
            around = None if ended is None else _as_work(ended)
            if around is not None:
                work.append(around)
        return tuple(work)

    def _ended(self, session_id: str, block: str) -> Event | None:
        return self._blocks(session_id).ended.get(block)

    def _blocks(self, session_id: str) -> _Blocks:
        if session_id not in self._known:
            self._known[session_id] = _Blocks(self._store, session_id)
        return self._known[session_id]


def _as_work(event: Event) -> Work | None:
    type = callers.WORKFLOW if event.type == callers.WORKFLOW_STARTED else event.type
    key = callers.NAME_OF.get(type)
    name = event.data.get(key) if key is not None and isinstance(event.data, dict) else None
    return Work(type=type, name=name, event=event) if isinstance(name, str) else None
