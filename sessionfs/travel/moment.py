"""Moments of a session, as people write them. Pure: what a moment comes to in a log is in ``resolve``.

Grammar, with or without ``@{`` and ``}`` around it, whatever the case of its words::

    5                         after record number 5
    now                       after the last record
    2026-11-20T22:44          at that time: date and time as in RFC 3339; without an offset UTC
    10 minutes ago            seconds, minutes, hours, days or weeks; also several: 1 hour 30 minutes ago
    yesterday                 24 hours ago
    before-merge              where the checkpoint of this name is

``SESSION@{…}`` is a moment of a session; without a session (``@{5}``) of the current one.
"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from sessionfs import refs
from sessionfs.clock import NS_PER_SECOND, MalformedTime, parse_any_time
from sessionfs.errors import InvalidInput


class BadMoment(InvalidInput):
    """The text names no moment."""


class AfterRecord(msgspec.Struct, frozen=True):
    """After the record with this number."""

    seq: int


class AtTime(msgspec.Struct, frozen=True):
    """At this time: after the last record that is not later."""

    time_ns: int


class Ago(msgspec.Struct, frozen=True):
    """So long ago."""

    duration_ns: int


class AtCheckpoint(msgspec.Struct, frozen=True):
    """Where the checkpoint of this name is."""

    name: str


class Now(msgspec.Struct, frozen=True):
    """After the last record."""


Moment = AfterRecord | AtTime | Ago | AtCheckpoint | Now

NOW = Now()

_FORMS = (
    "write the number of a record (5), a time (2026-11-20T22:44), how long ago (10 minutes ago), yesterday, now, "
    "or a checkpoint's name"
)

_SECONDS_OF = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_UNIT_OF_LETTER = {unit[0]: unit for unit in _SECONDS_OF}
_SHORT_UNITS = {"sec": "second", "min": "minute", "hr": "hour"}

_MAX_SEQ_DIGITS = 18
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?", re.IGNORECASE | re.DOTALL)
_PART = re.compile(r"(\d{1,9}|an?)\s*([a-z]+?)s?\b[\s,]*(?:and\b\s*)?")
_OF_SESSION = re.compile(r"(?P<session>.*?)@\{(?P<moment>.*)\}", re.DOTALL)


def parse_moment(text: str) -> Moment:
    """Return the moment that *text* names; see the grammar above.

    Raises:
        BadMoment: None.
    """
    inner = text[2:-1] if text.startswith("@{") and text.endswith("}") else text
    words = inner.strip()
    folded = words.lower()
    if folded == "now":
        return NOW
    if folded == "yesterday":
        return Ago(_SECONDS_OF["day"] * NS_PER_SECOND)
    if words.isascii() and words.isdecimal():
        if len(words) > _MAX_SEQ_DIGITS:
            raise BadMoment(f"{_shown(text)} is no moment: no log has a record of that number")
        return AfterRecord(int(words))
    if _DATE.fullmatch(words):
        return AtTime(_parse_time(words, text))
    if folded.endswith("ago") and len(folded) > 3 and not folded[-4].isalnum() and folded[-4] not in "._-":
        return Ago(_parse_duration(folded[:-3].strip(), text))
    try:
        return AtCheckpoint(refs.check_name(words))
    except refs.MalformedRefName as failure:
        raise BadMoment(f"{_shown(text)} is no moment; {_FORMS}") from failure


def moment_of(value: str | int | datetime | Moment) -> Moment:
    """Return the moment that *value* is: a text, a record's number, a time (without a zone: UTC), or a moment.

    Raises:
        BadMoment: None.
    """
    if isinstance(value, str):
        return parse_moment(value)
    if isinstance(value, datetime):
        return AtTime(parse_any_time(value.isoformat()))
    if isinstance(value, Moment):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadMoment(f"a moment is a number, a time or a text; {type(value).__name__} was given")
    if value < 0:
        raise BadMoment(f"{value} is no moment: records are numbered 0, 1, 2…")
    return AfterRecord(value)


def split_moment(text: str) -> tuple[str, str | None]:
    """Return the session that *text* names (``@`` for the current one), and the text of its moment; None for now."""
    found = _OF_SESSION.fullmatch(text)
    return (text, None) if found is None else (found["session"] or "@", found["moment"])


def _parse_time(words: str, text: str) -> int:
    try:
        return parse_any_time(words.upper())
    except MalformedTime as failure:
        raise BadMoment(f"{_shown(text)} is no moment: {failure}") from failure


def _parse_duration(words: str, text: str) -> int:
    seconds = at = 0
    while at < len(words):
        part = _PART.match(words, at)
        unit = None if part is None else _SHORT_UNITS.get(part[2], _UNIT_OF_LETTER.get(part[2], part[2]))
        if part is None or unit not in _SECONDS_OF:
            raise BadMoment(
                f"{_shown(text)} is no moment: write how long ago as in '10 minutes ago', in {_words(_SECONDS_OF)}"
            )
        seconds += _SECONDS_OF[unit] * (1 if part[1].startswith("a") else int(part[1]))
        at = part.end()
    if not words:
        raise BadMoment(f"{_shown(text)} is no moment: write how long ago, as in '10 minutes ago'")
    return seconds * NS_PER_SECOND


def _words(units: dict[str, int]) -> str:
    return ", ".join(f"{unit}s" for unit in units)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
