"""What fsck finds."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One thing that is not as it should be."""

    kind: str  # "damaged-object", "missing-object", "damaged-log", …
    where: str  # a path in the store, or a session's id and a record's number
    message: str
    session_id: str | None = None
    is_damage: bool = True  # False for what a crash leaves behind and the next writer clears away

    def to_dict(self) -> dict[str, str | bool | None]:
        """Return it JSON-ready."""
        return self._asdict()
