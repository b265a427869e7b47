"""What people see: aligned columns, sizes with units, times without fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sessionfs.shown import human_size as human_size
from sessionfs.shown import human_time as human_time
from sessionfs.shown import printable

Colour = Callable[[str, str], str]

STATUS_COLOURS = {"active": "green", "suspended": "yellow", "failed": "red", "archived": "dim"}


class Column:
    """One column: a record's field, how a person sees it, and how it is coloured.

    Args:
        human: Turns the value into text for a terminal; scripts get it plain.
        colours: Colour by value.
    """

    __slots__ = ("colours", "header", "human", "key", "right")

    def __init__(
        self,
        key: str,
        header: str = "",
        *,
        human: Callable[[Any], str] | None = None,
        right: bool = False,
        colours: dict[str, str] | None = None,
    ) -> None:
        self.key = key
        self.header = header or key.upper()
        self.human = human
        self.right = right
        self.colours = colours if colours is not None else {}

    def stable(self, record: dict[str, Any]) -> str:
        """The field for scripts."""
        return plain(record[self.key])

    def shown(self, record: dict[str, Any]) -> str:
        """The field for people."""
        value = record[self.key]
        if value is None:
            return "-"
        return self.human(value) if self.human is not None else plain(value)


def plain(value: Any) -> str:
    r"""Return *value* as one field of a line: no tabs or line feeds, ``\x09`` in their place."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return printable(",".join(value))
    import json

    return json.dumps(value, ensure_ascii=False)


def format_table(columns: Sequence[Column], records: list[dict[str, Any]], colour: Colour) -> str:
    """Return *records* as lines with a header; the last column is not padded."""
    rows = [[column.header for column in columns]]
    rows += [[column.shown(record) for column in columns] for record in records]
    widths = [max(text_width(row[index]) for row in rows) for index in range(len(columns))]
    lines = []
    for number, row in enumerate(rows):
        cells = []
        for index, (column, text) in enumerate(zip(columns, row, strict=True)):
            padding = " " * (widths[index] - text_width(text))
            name = "bold" if number == 0 else column.colours.get(text, "")
            painted = colour(name, text)
            cells.append(padding + painted if column.right else painted + padding)
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def text_width(text: str) -> int:
    """Return how many places *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)
