"""What fsck finds."""

from __future__ import annotations

from typing import Any, NamedTuple

from sessionfs.oid import ObjectId


class Use(NamedTuple):
    """What needs an object."""

    session_id: str
    seq: int  # of the record that names it
    what: str  # "report.txt, version 2", "its snapshot", …

    def __str__(self) -> str:
        return f"{self.session_id}:{self.seq} {self.what}"


class Fault(NamedTuple):
    """One thing that is not as it should be."""

    kind: str  # "damaged-object", "missing-object", "damaged-log", …
    where: str  # a path in the store, or a session's id and a record's number
    message: str
    session_id: str | None = None
    is_damage: bool = True  # False for what a crash leaves behind and the next writer clears away
    oid: ObjectId | None = None  # of the object that is damaged or missing
    object_kind: str | None = None  # "blob", "tree" or "snapshot"
    touched: tuple[Use, ...] = ()  # what needs that object
    copies: tuple[str, ...] = ()  # where the same object is whole

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**self._asdict(), "touched": [use._asdict() for use in self.touched], "copies": list(self.copies)}
