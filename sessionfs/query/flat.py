"""Metadata as pairs of a key with dots and a plain value: what queries compare, and what the index keeps.

    {"author": "ada", "run": {"number": 7}, "notes": ["a", "b"]}
    author "ada"    run.number 7    notes "a"    notes "b"

An element of a list stands for itself; ``true``, ``false`` and ``null`` are texts, as are ``{}`` and ``[]`` when they
are empty. A text that reads as a number is also that number.
"""

from __future__ import annotations

from typing import Any

from sessionfs.query.values import exact_number, read_number

Plain = str | int | float

_WORDS = {True: "true", False: "false", None: "null"}
_FIRST_OF_NUMBERS = frozenset("+-.0123456789")


def flatten(metadata: dict[str, Any]) -> set[tuple[str, Plain]]:
    """Return the pairs of *metadata*."""
    pairs: set[tuple[str, Plain]] = set()
    # What is nested may be deeper than Python's stack.
    waiting: list[tuple[str, Any]] = list(metadata.items())
    while waiting:
        key, value = waiting.pop()
        kind = type(value)
        if kind is str:
            pairs.add((key, value))
            if value[:1] in _FIRST_OF_NUMBERS and (number := read_number(value)) is not None:
                pairs.add((key, number))
        elif kind is float:
            pairs.add((key, value))
        elif kind is dict and value:
            waiting += [(f"{key}.{inner}", below) for inner, below in value.items()]
        elif kind is list and value:
            waiting += [(key, element) for element in value]
        else:
            plain = plain_value(value)
            pairs.add((key, plain if plain is not None else "{}" if kind is dict else "[]"))
    return pairs


def plain_value(value: Any) -> Plain | None:
    """Return what a value is compared as; None for what is compared with nothing: lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return _WORDS[value]
    return exact_number(value) if isinstance(value, int | float) and value == value else None
