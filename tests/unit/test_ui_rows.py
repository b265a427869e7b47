"""What the browser's tables show: counting without going through everything again, and giving it up."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from sessionfs.ui.rows import EventRows


class Long:
    """A session of many events, of which every 15,000th fits; it knows which were gone through."""

    def __init__(self) -> None:
        self.event_count = 45_000
        self.gone_through: list[range] = []
        self.on_read = lambda: None

    def events(self, *types: str, actor: str | None, text: str | None, start: int, end: int) -> Iterator[Any]:
        self.gone_through.append(range(start, end))
        self.on_read()
        return (SimpleNamespace(seq=seq) for seq in range(start, end) if seq % 15_000 == 0)


def test_what_was_gone_through_for_a_filter_is_not_gone_through_again():
    session = Long()
    rows = EventRows(lambda: session, "type:a.*")
    assert rows.count() == 3
    session.event_count += 5
    assert rows.count() == 4
    assert [seq for piece in session.gone_through for seq in piece] == list(range(45_005))


def test_a_filter_that_nothing_fits_can_be_stopped():
    session = Long()
    rows = EventRows(lambda: session, "actor:nobody")
    session.on_read = rows.stop
    rows.count()
    assert [len(piece) for piece in session.gone_through] == [10_000]
