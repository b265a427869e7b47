r"""Patterns for texts, as shells have them.

    *       anything; in a path: in one of its parts     **             as a part of a path: any number of parts
    ?       one character                                [a-z] [!a-z]   one character of a set, or none of it

Nothing else is special; a special character stands for itself in brackets: ``[*]``. Matching takes time in proportion
to the lengths of pattern and text, whatever the pattern is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache

import msgspec


class Style(Enum):
    """What a pattern is for."""

    TEXT = "text"
    PATH = "path"


class Glob(msgspec.Struct, frozen=True):
    """A pattern. With ``folded`` the case does not matter."""

    pattern: str
    style: Style = Style.TEXT
    folded: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether it matches one text only, as far as the case goes."""
        return not _SPECIAL.search(self.pattern)

    @property
    def prefix(self) -> str:
        """What every text that matches begins with; "" when nothing can be said."""
        if self.folded:
            return ""
        special = _SPECIAL.search(self.pattern)
        return self.pattern if special is None else self.pattern[: special.start()]

    @property
    def is_simple(self) -> bool:
        """Whether ``*`` and ``?`` are all that is special in it, and mean the same as in SQLite's GLOB."""
        return "[" not in self.pattern and self.style is Style.TEXT and not self.folded

    @property
    def ending(self) -> str | None:
        """What follows the last dot of every name that matches, when the pattern is ``*.ending``."""
        found = _ENDING.fullmatch(self.pattern)
        return None if found is None or self.style is Style.PATH else found[1]

    def compiled(self) -> Callable[[str], bool]:
        """Return what says whether a text matches."""
        return _compile(self)


_SPECIAL = re.compile(r"[*?\[]")
_ENDING = re.compile(r"\*\.([^*?\[.]+)")


@lru_cache(maxsize=256)
def _compile(glob: Glob) -> Callable[[str], bool]:
    pattern = glob.pattern.casefold() if glob.folded else glob.pattern
    if glob.style is Style.TEXT:
        matches = _matcher(pattern)
    else:
        parts = tuple(None if part == "**" else _matcher(part) for part in _path_parts(pattern))

        def matches(text: str) -> bool:
            return _match_parts(parts, text.split("/"))

    return (lambda text: matches(text.casefold())) if glob.folded else matches


def _path_parts(pattern: str) -> list[str]:
    parts = pattern.split("/")
    # What is below a directory is not the directory itself.
    return [*parts, "*"] if parts[-1] == "**" else parts


def _matcher(pattern: str) -> Callable[[str], bool]:
    if not _SPECIAL.search(pattern):
        return pattern.__eq__
    match = re.compile(to_regex(pattern), re.DOTALL).fullmatch
    return lambda text: match(text) is not None


def _match_parts(parts: tuple[Callable[[str], bool] | None, ...], names: list[str]) -> bool:
    """Say whether *names* match *parts*, of which None stands for any number of names."""
    part = name = 0
    anchor: tuple[int, int] | None = None  # the last None, and how many names it has taken
    while name < len(names):
        wanted = parts[part] if part < len(parts) else _nothing
        if wanted is None:
            anchor = part, name
            part += 1
        elif wanted(names[name]):
            part, name = part + 1, name + 1
        elif anchor is not None:
            anchor = anchor[0], anchor[1] + 1  # it takes one more, and the rest is tried again
            part, name = anchor[0] + 1, anchor[1]
        else:
            return False
    return all(left is None for left in parts[part:])


def _nothing(name: str) -> bool:
    return False


def to_regex(pattern: str) -> str:
    """Return the regular expression for a pattern without ``**``.

    What stands between two stars is looked for once, where it comes first: whatever follows, a later place would not be
    better. So a pattern with many stars takes no longer than it has to.
    """
    pieces = [""]
    for token in _tokens(pattern):
        if token != "*":
            pieces[-1] += _escape(token)
        elif pieces[-1] or len(pieces) == 1:
            pieces.append("")
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last


def _tokens(pattern: str) -> list[str]:
    """Return ``*``, ``?``, ``[…]`` and single characters; a ``[`` that stands for itself as ``[[]``."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        end = at + 1
        if sign == "[":
            # A "]" right at the beginning is one of the set.
            first = at + 2 if pattern.startswith("[!", at) else at + 1
            closing = pattern.find("]", first + 1)
            end = at + 1 if closing < 0 else closing + 1
            sign = "[[]" if closing < 0 else pattern[at:end]
        tokens.append(sign)
        at = end
    return tokens


def _escape(token: str) -> str:
    if token == "?":
        return "."
    if len(token) == 1:
        return re.escape(token)
    negated = token.startswith("[!")
    ranges = _ranges(token[2:-1] if negated else token[1:-1])
    inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges)
    if not inside:
        return "." if negated else r"(?!)"
    return f"[{'^' if negated else ''}{inside}]"


def _ranges(inside: str) -> list[tuple[str, str]]:
    """Return the characters of a set as ranges; a range that is upside down holds nothing."""
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(inside):
        if at + 2 < len(inside) and inside[at + 1] == "-":
            if inside[at] <= inside[at + 2]:
                ranges.append((inside[at], inside[at + 2]))
            at += 3
        else:
            ranges.append((inside[at], inside[at]))
            at += 1
    return ranges
