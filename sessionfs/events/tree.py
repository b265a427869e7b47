"""Events that caused each other, as trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sessionfs.events.callers import BLOCK, NAME_OF, WORKFLOW_STARTED
from sessionfs.events.event import Event


class Branch(msgspec.Struct, frozen=True):
    """An event, and those that name it as their cause, in the order of their times."""

    event: Event
    effects: list[Branch]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        # A chain of causes may be longer than Python's stack is deep.
        top: dict[str, Any] = {}
        waiting = [(self, top)]
        while waiting:
            branch, target = waiting.pop()
            effects: list[dict[str, Any]] = [{} for _ in branch.effects]
            target |= {**branch.event.to_dict(), "effects": effects}
            waiting += zip(branch.effects, effects, strict=True)
        return top

    def walk(self) -> Iterator[tuple[int, Event]]:
        """Yield its events, each before its effects, with how deep they are below it."""
        waiting = [(0, self)]
        while waiting:
            depth, branch = waiting.pop()
            yield depth, branch.event
            waiting += [(depth + 1, effect) for effect in reversed(branch.effects)]


def trees(events: Iterable[Event]) -> list[Branch]:
    """Return *events* as trees; an event whose cause is not among them is the root of one, and the first of a ring.

    Args:
        events: In the order of their times.
    """
    branches = [Branch(event, []) for event in events]
    by_name = {branch.event.id: branch for branch in branches}
    by_name |= {name: branch for branch in branches if (name := _block_of(branch.event)) is not None}
    place_of = {id(branch): place for place, branch in enumerate(branches)}
    causes = [None if (cause := branch.event.cause) is None else by_name.get(cause) for branch in branches]
    above = [None if cause is None else place_of[id(cause)] for cause in causes]
    _cut_rings(above)
    roots: list[Branch] = []
    for branch, place in zip(branches, above, strict=True):
        (roots if place is None else branches[place].effects).append(branch)
    return roots


def _cut_rings(above: list[int | None]) -> None:
    """Take from the first of each ring what is above it: callers name causes, and may name any.

    Args:
        above: By each place, the place of its cause.
    """
    seen: set[int] = set()
    for start in range(len(above)):
        path: dict[int, None] = {}
        place: int | None = start
        while place is not None and place not in seen and place not in path:
            path[place] = None
            place = above[place]
        if place is not None and place in path:
            names = list(path)
            above[min(names[names.index(place) :])] = None
        seen |= path.keys()


def _block_of(event: Event) -> str | None:
    """Return what names the block that *event* records, where its effects name it."""
    if event.type not in NAME_OF or event.type == WORKFLOW_STARTED:
        return None
    data = event.data
    block = data.get(BLOCK) if isinstance(data, dict) else None
    return f"{event.session}:{block}" if isinstance(block, str) else None
