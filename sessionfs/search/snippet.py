"""Where the words stand in a text: the part around the first ones, and which of its characters they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec
import regex

from sessionfs.search.tokens import fold, is_spaceless
from sessionfs.search.words import Find

_BEFORE = 60
_LENGTH = 160

_WORD = regex.compile(r"[^\W_]+")


class Snippet(msgspec.Struct, frozen=True):
    """A part of a text, in one line."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()  # what was looked for: from a character up to but without another


def make_snippet(text: str, finds: Sequence[Find]) -> Snippet | None:
    """Return the part of *text* around the first of *finds* that is in it; None when none is."""
    pattern = _pattern(finds)
    # As it stands is nearly always enough; without accents takes a tenth of a second for a million characters.
    searched = text
    found = pattern.search(searched)
    if found is None:
        searched = text.translate(_PLAIN)
        found = pattern.search(searched)
    if found is None:
        return None
    begin = max(0, found.start() - _BEFORE)
    if begin:
        begin = max(searched.rfind(" ", begin, found.start()), searched.rfind("\n", begin, found.start()), begin)
    end = min(len(text), max(found.end(), begin + _LENGTH))
    shown = text[begin:end].rstrip()
    spans = tuple(span.span() for span in pattern.finditer(searched[begin : begin + len(shown)]))
    # One character for each, so that the places stay what they are.
    return Snippet("".join(" " if sign.isspace() else sign for sign in shown), spans)


def _pattern(finds: Sequence[Find]) -> regex.Pattern[str]:
    return regex.compile("|".join(_one(find) for find in finds), regex.IGNORECASE)


def _one(find: Find) -> str:
    parts: list[str] = []
    last = ""
    for word in _WORD.findall(fold(find.text)):
        plain = word.translate(_PLAIN)
        either = regex.escape(word) if plain == word else f"(?:{regex.escape(word)}|{regex.escape(plain)})"
        if not last:
            parts.append("" if is_spaceless(word[0]) else r"(?<![^\W_])")
        else:
            parts.append(r"[\W_]*" if is_spaceless(last) or is_spaceless(word[0]) else r"[\W_]+")
        parts.append(either)
        last = word[-1]
    if not find.is_beginning and not is_spaceless(last):
        parts.append(r"(?![^\W_])")
    return "".join(parts)


class _Plain(dict[int, int]):
    """Each character without accents, width and case, when that is one character; it remembers what it was asked."""

    def __missing__(self, code: int) -> int:
        sign = chr(code)
        bare = [one for one in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(one)]
        plain = "".join(bare).casefold()
        self[code] = ord(plain) if len(plain) == 1 and not is_spaceless(sign) else code
        return self[code]


_PLAIN = _Plain()
