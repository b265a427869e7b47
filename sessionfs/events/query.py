"""Which events are wanted. Pure: how they are found in a log is in ``reading``."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable

import msgspec

from sessionfs.correlation import check_correlation_id
from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.events.types import check_pattern

Accepts = Callable[[Event], bool]


class BadQuery(InvalidInput):
    """Something that events cannot be asked for."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What an event must be; what is not given may be anything."""

    types: tuple[str, ...] = ()  # any of these; globs
    start: int = 0  # the lowest number
    end: int | None = None  # below this number
    since_ns: int | None = None  # at this time or later
    until_ns: int | None = None  # before this time
    actor: str | None = None  # a glob
    correlation: str | None = None
    text: str | None = None  # in its data, whatever the case
    reverse: bool = False  # the newest first
    limit: int | None = None  # so many at most

    def __post_init__(self) -> None:
        for pattern in self.types:
            check_pattern(pattern)
        if self.correlation is not None:
            check_correlation_id(self.correlation)
        for name in ("start", "end", "limit"):
            number = getattr(self, name)
            if number is not None and (not isinstance(number, int) or number < 0):
                raise BadQuery(f"{name} is {number!r}; a whole number of 0 or more is needed")
        if self.text is not None and not isinstance(self.text, str):
            raise BadQuery(f"text is {self.text!r}; a text is needed")

    def accepts(self) -> Accepts | None:
        """Return what says of an event whether it is wanted, wherever it stands; None when any is."""
        checks: list[Accepts] = []
        if self.types:
            is_type = _matching(self.types)
            checks.append(lambda event: is_type(event.record.type))
        if self.correlation is not None:
            wanted = self.correlation
            checks.append(lambda event: event.record.correlation_id == wanted)
        if self.actor is not None:
            is_actor = _matching((self.actor,))
            checks.append(lambda event: is_actor(event.record.actor))
        if self.text is not None:
            sought = _as_json(self.text)
            checks.append(lambda event: sought in event.data_json.decode().casefold())
        if len(checks) <= 1:
            return checks[0] if checks else None
        return lambda event: all(check(event) for check in checks)


def _matching(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what says whether a text matches one of *patterns*. Texts are few: each is matched once."""
    expression = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    known: dict[str, bool] = {}

    def matches(text: str) -> bool:
        found = known.get(text)
        if found is None:
            found = known[text] = expression.fullmatch(text) is not None
        return found

    return matches


def _as_json(text: str) -> str:
    """Return *text* as it stands in a record's data: quotes and line feeds escaped, folded."""
    try:
        return msgspec.json.encode(text)[1:-1].decode().casefold()
    except UnicodeEncodeError as failure:
        raise BadQuery(f"{text!r} is no valid Unicode, so no event holds it") from failure
