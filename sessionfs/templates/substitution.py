"""Filling in variables: ``${name}`` in a text becomes the variable's value; ``$${`` stands for ``${`` itself.

A text that is nothing but ``${name}`` becomes the value with its type, so that a number in ``[state]`` stays one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sessionfs.templates.template import BadTemplate

_OPENING = re.compile(r"(\$+)\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

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
        BadTemplate: It names a variable that there is not, or one is not closed.
    """
    parts: list[str] = []
    for part in _parts(text, where):
        parts.append(part if isinstance(part, str) else show(_value(part, values, where)))
    return "".join(parts)


def fill(value: Any, values: Mapping[str, Any], where: str) -> Any:
    """Return a JSON *value* with the variables in all of its texts filled in, those of keys too.

    Raises:
        BadTemplate: As for :func:`fill_text`, or two keys become the same.
    """
    if isinstance(value, str):
        parts = list(_parts(value, where))
        if len(parts) == 1 and isinstance(parts[0], _Name):
            return _value(parts[0], values, where)
        return fill_text(value, values, where)
    if isinstance(value, Mapping):
        filled: dict[str, Any] = {}
        for key, item in value.items():
            name = fill_text(key, values, where)
            if name in filled:
                raise BadTemplate(f"{where}: two keys become {name!r}; give the variables other values, or rename one")
            filled[name] = fill(item, values, f"{where}.{key}")
        return filled
    if isinstance(value, list | tuple):
        return [fill(item, values, where) for item in value]
    return value


def names_in(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield the names of the variables in all texts of *value*, each with what names the text.

    Raises:
        BadTemplate: One is not closed.
    """
    if isinstance(value, str):
        for part in _parts(value, where):
            if isinstance(part, _Name):
                yield part.name, where
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


class _Name:
    """A variable in a text."""

    __slots__ = ("line", "name")

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line


def _parts(text: str, where: str) -> Iterator[str | _Name]:
    """Yield what is between variables, and the variables."""
    start = 0
    for found in _OPENING.finditer(text):
        if found.start() < start:
            continue  # inside the braces of the one before
        if start < found.end() - 2:  # the last dollar goes: it opens a variable, or keeps the one before it from that
            yield text[start : found.end() - 2]
        start = found.end()
        if len(found[1]) > 1:
            yield "{"
            continue
        line = text.count("\n", 0, found.start()) + 1
        end = text.find("}", start)
        if end < 0:
            raise BadTemplate(f"{where}, line {line}: '${{' is never closed; for the two signs themselves write '$${{'")
        yield _Name(text[start:end], line)
        start = end + 1
    if start < len(text):
        yield text[start:]


def _value(name: _Name, values: Mapping[str, Any], where: str) -> Any:
    if name.name not in values:
        raise unknown_variable(name.name, values, f"{where}, line {name.line}" if name.line > 1 else where)
    return values[name.name]


def unknown_variable(name: str, known: Mapping[str, Any], where: str) -> BadTemplate:
    """Return the error that says that there is no variable *name*."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1, cutoff=0.0)
    nearest = f"; the nearest is {close[0]!r}" if close else ""
    return BadTemplate(
        f"{where}: there is no variable {name!r}{nearest}; declare it in [variables.{name}], or write '$${{' for '${{'"
    )
