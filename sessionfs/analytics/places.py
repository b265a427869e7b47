"""What the files of a store are there for, and what they take."""

from __future__ import annotations

from typing import Any

import msgspec

from sessionfs.analytics.survey import Item

OWN, SHARED, OTHER_CONTENT = "content of one session", "content of several sessions", "other content"
PURPOSES = (
    OWN, SHARED, OTHER_CONTENT, "trees", "snapshots", "packs", "indexes of packs", "logs", "refs", "shelves", "index",
    "trash", "tmp", "directories", "other files",
)  # fmt: skip
"""In the order in which they are shown. ``other content`` is of states and events, is there twice, or waits for gc.
Objects in packs count as what they are; ``packs`` is what is left of these."""


class PlaceSpace(msgspec.Struct, frozen=True, kw_only=True):
    """What some of the files of a store take."""

    purpose: str
    count: int
    size: int  # bytes
    allocated: int  # what the filesystem gave them

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return msgspec.structs.asdict(self)


class Places:
    """What the files of a store take, added up."""

    def __init__(self) -> None:
        self._taken: dict[str, list[int]] = {purpose: [0, 0, 0] for purpose in PURPOSES}
        self.of_session: dict[str, int] = {}  # logs and refs

    def add(self, item: Item) -> None:
        """Count one file."""
        self.count(item.purpose, 1, item.size, item.allocated)
        if item.session is not None:
            self.of_session[item.session] = self.of_session.get(item.session, 0) + item.size

    def count(self, purpose: str, count: int, size: int, allocated: int) -> None:
        """Count several."""
        taken = self._taken[purpose]
        taken[0] += count
        taken[1] += size
        taken[2] += allocated

    def sorted(self) -> tuple[PlaceSpace, ...]:
        """Return them all, in the order in which they are shown."""
        return tuple(
            PlaceSpace(purpose=purpose, count=count, size=size, allocated=allocated)
            for purpose, (count, size, allocated) in self._taken.items()
        )
