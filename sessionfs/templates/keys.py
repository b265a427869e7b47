"""Reading one table of a template key by key: what nobody asks for is refused, with the nearest key named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sessionfs.store.config import nearest
from sessionfs.templates.template import BadTemplate

# A table with this key alone stands for what its text says: JSON has null, and TOML does not.
JSON = "json"

_DEEPEST = 30  # tomllib reads what is nested by recursion

_TOML_NAMES = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table",
}  # fmt: skip


class Keys:
    """One table. Each method takes one key; None, or what is empty, stands for one that is not there."""

    def __init__(self, table: Any, file: str, prefix: str = "") -> None:
        """Begin.

        Args:
            file: Where it stands, for messages.
            prefix: What its keys begin with there: the tables around it.

        Raises:
            BadTemplate: It is no table.
        """
        self._file = file
        self._prefix = prefix
        if not isinstance(table, dict):
            raise BadTemplate(f"{file}: {prefix} is a table, not {_kind(table)}")
        self._table = dict(table)
        self._known: list[str] = []

    def where(self, key: str = "") -> str:
        """Return what names *key*, or the table, in messages."""
        return f"{self._file}: {self._prefix}{'.' if self._prefix and key else ''}{key}"

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def text(self, key: str) -> str | None:
        """Take a text."""
        found = self._take(key, str)
        assert found is None or isinstance(found, str)
        return found

    def flag(self, key: str) -> bool:
        """Take true or false."""
        return bool(self._take(key, bool))

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts."""
        found = self._take(key, list) or []
        if not all(isinstance(item, str) for item in found):
            raise BadTemplate(f"{self.where(key)} is a list of texts; {found!r} was given")
        return tuple(found)

    def text_or_texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts, or one by itself."""
        return (self._take(key, str),) if isinstance(self._table.get(key), str) else self.texts(key)

    def any(self, key: str) -> Any:
        """Take whatever JSON can hold."""
        found = self._take(key, None)
        return None if found is None else to_json(found, self.where(key))

    def json_table(self, key: str) -> dict[str, Any]:
        """Take a table of whatever JSON can hold."""
        found = self._take(key, dict) or {}
        return {name: to_json(item, f"{self.where(key)}.{name}") for name, item in found.items()}

    def table(self, key: str) -> Keys:
        """Take a table; an empty one when it is not there."""
        return Keys(self._take(key, dict) or {}, self._file, self._below(key))

    def tables(self, key: str) -> Iterable[tuple[str, Keys]]:
        """Take a table of tables: yield the name of each with its keys."""
        for name, item in (self._take(key, dict) or {}).items():
            yield name, Keys(item, self._file, f"{self._below(key)}.{name}")

    def _below(self, key: str) -> str:
        return f"{self._prefix}.{key}" if self._prefix else key

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            BadTemplate: There is a key that nobody asked for.
        """
        for key in self._table:
            name = self.where(key).removeprefix(f"{self._file}: ")
            raise BadTemplate(f"{self._file} has the unknown key {name!r}; {nearest(key, self._known)}")

    def _take(self, key: str, kind: type | None) -> Any:
        self._known.append(key)
        found = self._table.pop(key, None)
        if found is None or kind is None or type(found) is kind:
            return found
        raise BadTemplate(f"{self.where(key)} is {_TOML_NAMES[kind]}, not {_kind(found)}")


def to_json(value: Any, where: str) -> Any:
    """Return a TOML value as JSON has it.

    Raises:
        BadTemplate: JSON cannot hold it: a date, infinity; or it is a ``json`` text that is none.
    """
    if isinstance(value, dict):
        if value.keys() == {JSON} and isinstance(value[JSON], str):
            try:
                return msgspec.json.decode(value[JSON])
            except (msgspec.MsgspecError, RecursionError) as failure:
                raise BadTemplate(f"{where}.{JSON} is not JSON: {failure}") from failure
        return {key: to_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise BadTemplate(f"{where} is {value}, which JSON cannot hold")
    if not isinstance(value, str | int | float):
        raise BadTemplate(f"{where} is {_kind(value)}, which JSON cannot hold; quote it")
    return value


def from_json(value: Any, depth: int = 0) -> Any:
    """Return what :func:`to_json` turns into *value* again; as a ``json`` text what TOML has no way to say."""
    if depth >= _DEEPEST:
        return {JSON: msgspec.json.encode(value).decode()}
    if isinstance(value, Mapping):
        if value.keys() != {JSON}:
            return {key: from_json(item, depth + 1) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        return [from_json(item, depth + 1) for item in value]
    elif value is not None:
        return value
    return {JSON: msgspec.json.encode(value).decode()}


def _kind(value: Any) -> str:
    return _TOML_NAMES.get(type(value), "a date or time")
