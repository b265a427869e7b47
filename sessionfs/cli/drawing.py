"""Pictures made of characters: which of them can be shown, and how many fit into a line."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sessionfs.cli.arguments import whole_number
from sessionfs.cli.tables import text_width
from sessionfs.shown import unmistakable

if TYPE_CHECKING:
    from sessionfs.cli.call import Call

USUAL_WIDTH = 80
MIN_WIDTH = 20
MAX_WIDTH = 1000

_UTF8 = re.compile(r"utf-?8", re.IGNORECASE)


class Signs:
    """What pictures are drawn with, in Unicode or in ASCII."""

    __slots__ = ("bar", "branch", "cut", "dot", "elbow", "failed", "heights", "pipe", "rest", "short", "warned")

    def __init__(self, *, is_unicode: bool) -> None:
        self.bar = "█" if is_unicode else "="
        self.short = "▌" if is_unicode else "-"  # less than half of a place
        self.failed = "✗" if is_unicode else "x"
        self.warned = "!"
        self.dot = "•" if is_unicode else "o"
        self.cut = "┊" if is_unicode else ":"
        self.heights = "▁▂▃▄▅▆▇█" if is_unicode else "123456789"
        self.branch = "├── " if is_unicode else "|-- "
        self.elbow = "└── " if is_unicode else "`-- "
        self.pipe = "│   " if is_unicode else "|   "
        self.rest = "…" if is_unicode else "~"


def signs_of(call: Call) -> Signs:
    """Return what the user's locale can show: ASCII where it names no UTF-8, as in the C locale."""
    env = call.env
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    return Signs(is_unicode=bool(_UTF8.search(locale)) and call.out.encoding.startswith("utf"))


def width_of(call: Call) -> int:
    """Return how many places a line has: what ``COLUMNS`` says, or the terminal; 80 where nobody knows."""
    columns = whole_number(call.env.get("COLUMNS", ""))
    if columns:
        return min(columns, MAX_WIDTH)
    if call.out.is_terminal:
        try:
            return min(os.get_terminal_size(1).columns, MAX_WIDTH) or USUAL_WIDTH
        except OSError:
            return USUAL_WIDTH
    return USUAL_WIDTH


def fit(text: str, width: int, rest: str) -> str:
    """Return *text* in *width* places at most, as nothing that drives a terminal; cut off, it ends with *rest*."""
    shown = unmistakable(text)
    if rest == "~":
        shown = shown.encode("ascii", "backslashreplace").decode()
    if text_width(shown) <= width:
        return shown
    parts, left = [], width - 1
    for sign in shown:
        left -= text_width(sign)
        if left < 0:
            break
        parts.append(sign)
    return "".join(parts) + rest if width > 0 else ""


def pad(text: str, width: int) -> str:
    """Return *text* with spaces behind it, *width* places in all."""
    return text + " " * max(width - text_width(text), 0)
