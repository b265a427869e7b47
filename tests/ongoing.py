"""Operations that go on while others do, as those of the mount."""

from __future__ import annotations

from sessionfs.log import Log


class Ongoing:
    """An operation to which something is added now and then."""

    first: int | None = None

    def find(self, log: Log) -> int | None:
        return self.first

    def note(self, log: Log, seq: int) -> None:
        self.first = seq if self.first is None else self.first
