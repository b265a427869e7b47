"""HTML and SVG as text that cannot be broken out of: whatever is not :class:`Html` is escaped.

Names come from anywhere. Besides what HTML takes for itself, what cannot be seen, drives a terminal or turns text round
is shown as an escape (see :mod:`sessionfs.shown`), and so is what no XML document may hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from unicodedata import east_asian_width

from sessionfs.shown import unmistakable

_VOID = frozenset({"meta", "rect", "line", "path", "use", "col", "circle"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | Iterable["Content"]
"""What an element holds: HTML, text or a number, or several of these."""


def html(content: Content) -> Html:
    """Return *content* as HTML."""
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(escape(unmistakable(content).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")))
    if isinstance(content, int):
        return Html(content)
    return Html("".join(map(html, content)))


def element(name: str, /, *content: Content, **attributes: str | float | None) -> Html:
    """Return an element. In the names of attributes ``_`` stands for ``-``, and one behind them is left out.

    Args:
        attributes: Those that are None are left out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not content:
        return Html(f"<{name}{said}/>" if name != "meta" else f"<{name}{said}>")
    return Html(f"<{name}{said}>{html(content)}</{name}>")


def _value(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return html(str(value))


def cut(text: str, width: int) -> str:
    """Return *text* cut to about so many letters; some scripts' letters count for two."""
    shown, left = unmistakable(text), width
    for at, sign in enumerate(shown):
        left -= 2 if east_asian_width(sign) in "WF" else 1
        if left < 0:
            return shown[:at] + "…"
    return shown
