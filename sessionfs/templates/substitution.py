"""Filling in variables: ``${name}`` in a text becomes the variable's value; ``$${`` stands for ``${`` itself.

A text that is nothing but ``${name}`` becomes the value with its type, so that a number in ``[state]`` stays one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sessionfs.templates.template import BadTemplate

# From the first of a run of dollars only: else a long one without a brace is gone through from each of them.
_OPENING = re.compile(r"(?<!\$)(\$+)\{")
_PLACE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What filling in makes of one value or file: it is in memory, several times over, before it can be stored.
MAX_FILLED_CHARACTERS = 64 << 20

BUILT_IN = {
    "id": "the session's id",
    "date": "the day on which it is made, in UTC: 2026-11-20",
    "time": "when it is made, in UTC: 2026-11-20T22:44:01Z",
}
"""Variables that every template has."""


def is_variable_name(name: str) -> bool:
    """Say whether a variable can be called *name*."""
    return _NAME.fullmatch(name) is not None


def fill_text(text: str, values: Mapping[str, Any], where: str) -> str:
    """Return *text* with its variables filled in.

    Args:
        where: What names the text in messages.

    Raises:
        BadTemplate: It names a variable that there is not, one is not closed, or there would be more than
            MAX_FILLED_CHARACTERS.
    """
    return _fill_text(text, values, where, _Room())


def fill(value: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return a JSON *value* with the variables in all of its texts filled in, those of keys too.

    Raises:
        BadTemplate: As for :func:`fill_text`, all texts together, or two keys become the same.
    """
    return _fill(value, values, where, _Room())


def _fill(value: Any, values: Mapping[str, Any], where: str, room: _Room) -> Any:
    if isinstance(value, str):
        found = _PLACE.fullmatch(value)
        if found is None:
            return _fill_text(value, values, where, room)
        whole = _value(_Part(found[1], 0, True), values, value, where)
        room.take(len(show(whole)), where)
        return whole
    if isinstance(value, Mapping):
        filled: dict[str, Any] = {}
        for key, item in value.items():
            name = _fill_text(key, values, where, room)
            if name in filled:
                raise BadTemplate(f"{where}: two keys become {name!r}; give the variables other values, or rename one")
            filled[name] = _fill(item, values, f"{where}.{key}", room)
        return filled
    if isinstance(value, list | tuple):
        return [_fill(item, values, where, room) for item in value]
    return value


def _fill_text(text: str, values: Mapping[str, Any], where: str, room: _Room) -> str:
    filled: list[str] = []
    for part in _parts(text, where):
        filled.append(show(_value(part, values, text, where)) if part.is_name else part.text)
        room.take(len(filled[-1]), where, text, part.offset)
    return "".join(filled)


def names_in(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield the names of the variables in all texts of *value*, each with what names the text.

    Raises:
        BadTemplate: One is not closed.
    """
    if isinstance(value, str):
        for part in _parts(value, where):
            if part.is_name:
                yield part.text, where
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from names_in(key, where)
            yield from names_in(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names_in(item, where)


def escape(value: Any) -> Any:
    """Return what :func:`fill` turns into *value* again, whatever the variables."""
    if isinstance(value, str):
        return _OPENING.sub(r"$\g<0>", value)
    if isinstance(value, Mapping):
        return {escape(key): escape(item) for key, item in value.items()}
    return [escape(item) for item in value] if isinstance(value, list | tuple) else value


def show(value: Any) -> str:
    """Return how a variable's value looks inside a text."""
    return value if isinstance(value, str) else json.dumps(value)


class _Part(NamedTuple):
    """What is between variables, or the name of one."""

    text: str
    offset: int  # in the text that it is of
    is_name: bool


class _Room:
    """How much filling in may still make."""

    def __init__(self) -> None:
        self._left = MAX_FILLED_CHARACTERS

    def take(self, count: int, where: str, text: str = "", offset: int = 0) -> None:
        """Note that *count* characters more were made, of what is at *offset* in *text*.

        Raises:
            BadTemplate: There are too many now.
        """
        self._left -= count
        if self._left < 0:
            raise BadTemplate(
                f"{_at(text, offset, where)}: with its variables filled in it would have more than "
                f"{MAX_FILLED_CHARACTERS} characters; give them shorter values, or name them less often"
            )


def _at(text: str, offset: int, where: str) -> str:
    """Return what names a place in a text; the line only if it is not the first."""
    line = _line(text, offset)
    return f"{where}, line {line}" if line > 1 else where


def _line(text: str, offset: int) -> int:
    """Return in which line something is, from 1. For messages only: it goes through all that is before."""
    return text.count("\n", 0, offset) + 1


def _parts(text: str, where: str) -> Iterator[_Part]:
    """Yield what is between variables, and the variables."""
    start = 0
    for found in _OPENING.finditer(text):
        if found.start() < start:
            continue  # inside the braces of the one before
        if start < found.end() - 2:  # the last dollar goes: it opens a variable, or keeps the one before it from that
            yield _Part(text[start : found.end() - 2], start, False)
        start = found.end()
        if len(found[1]) > 1:
            yield _Part("{", found.start(), False)
            continue
        end = text.find("}", start)
        if end < 0:
            line = _line(text, found.start())
            raise BadTemplate(f"{where}, line {line}: '${{' is never closed; for the two signs themselves write '$${{'")
        yield _Part(text[start:end], found.start(), True)
        start = end + 1
    if start < len(text):
        yield _Part(text[start:], start, False)


def _value(name: _Part, values: Mapping[str, Any], text: str, where: str) -> Any:
    if name.text not in values:
        raise unknown_variable(name.text, values, _at(text, name.offset, where))
    return values[name.text]


def unknown_variable(name: str, known: Mapping[str, Any], where: str) -> BadTemplate:
    """Return the error that says that there is no variable *name*."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1, cutoff=0.0)
    nearest = f"; the nearest is {close[0]!r}" if close else ""
    return BadTemplate(
        f"{where}: there is no variable {name!r}{nearest}; declare it in [variables.{name}], or write '$${{' for '${{'"
    )
