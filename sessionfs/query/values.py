"""Times, sizes, numbers and ids, as they are written in queries. A value that covers a span is a half-open interval."""

from __future__ import annotations

import math
import re

from sessionfs.clock import NS_PER_SECOND, MalformedTime, parse_any_time
from sessionfs.oid import OID_LENGTH
from sessionfs.store.config import parse_size

Interval = tuple[int, int]
"""From the first number on, up to but without the second."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TO_THE_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(Z|[+-]\d\d:\d\d)?", re.IGNORECASE)
_EPOCH = re.compile(r"\d{1,12}(\.\d{1,9})?")
_HEX = re.compile(r"[0-9a-f]{4,64}")

_MAX_NUMBER_LENGTH = 400
_DAY_NS = 86_400 * NS_PER_SECOND
_MAX_INTEGER = (1 << 63) - 1


class BadValue(ValueError):
    """A text that is no value of its field; the message says what one looks like."""


def parse_time(text: str, now_ns: int) -> Interval:
    """Return the nanoseconds that a time covers: a date a day, a minute or a second as much, an age one nanosecond.

    Raises:
        BadValue: It is no time.
    """
    stripped = text.strip()
    if _EPOCH.fullmatch(stripped) or _DATE.match(stripped):
        try:
            low = parse_any_time(stripped.upper())
        except MalformedTime as failure:
            raise BadValue(str(failure)) from failure
        return low, low + _span_of(stripped)
    # Late: it brings all of time travel along, which few queries need.
    from sessionfs.travel.moment import Ago, BadMoment, Now, parse_moment

    ago = stripped if re.search(r"\bago$|^(now|yesterday)$", stripped, re.IGNORECASE) else f"{stripped} ago"
    try:
        moment = parse_moment(ago)
    except BadMoment:
        moment = None
    if isinstance(moment, Now):
        return now_ns, now_ns + 1
    if isinstance(moment, Ago):
        then_ns = max(now_ns - moment.duration_ns, -_MAX_INTEGER)
        return then_ns, then_ns + 1
    raise BadValue(
        f"{text!r} is no time; write 2026-11-20, 2026-11-20T22:44, seconds since the epoch, or how long ago: 7d"
    )


def is_age(text: str) -> bool:
    """Say whether a time is written as how long ago it is."""
    stripped = text.strip()
    return not (_EPOCH.fullmatch(stripped) or _DATE.match(stripped))


def _span_of(text: str) -> int:
    if _DATE.fullmatch(text):
        return _DAY_NS
    if _TO_THE_MINUTE.fullmatch(text):
        return 60 * NS_PER_SECOND
    return 1 if "." in text else NS_PER_SECOND


def parse_bytes(text: str) -> Interval:
    """Return the size that *text* says: ``4096``, ``1M``, ``1.5GB``.

    Raises:
        BadValue: It is none.
    """
    try:
        size = parse_size(text)
    except (ValueError, OverflowError) as failure:
        raise BadValue(f"{text!r} is no size; write 4096, 10K or 1.5GB") from failure
    return _bounded(size, text)


def parse_number(text: str) -> Interval:
    """Return the whole number that *text* says.

    Raises:
        BadValue: It is none.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > _MAX_NUMBER_LENGTH:
        raise BadValue(f"{text[:40]!r} is no whole number of 0 or more")
    return _bounded(int(text), text)


def _bounded(number: int, text: str) -> Interval:
    if number >= _MAX_INTEGER:
        raise BadValue(f"{text[:40]!r} is more than anything here can be")
    return number, number + 1


def check_digits(text: str) -> str:
    """Return the beginning of an oid.

    Raises:
        BadValue: It is none.
    """
    digits = text.lower()
    if _HEX.fullmatch(digits) is None:
        raise BadValue(f"{text[:80]!r} is no oid nor the start of one: 4 to {OID_LENGTH} hex digits are needed")
    return digits


def read_number(text: str) -> int | float | None:
    """Return the number that *text* reads as; None for other texts. How metadata are compared rests on it."""
    if len(text) > _MAX_NUMBER_LENGTH or not text.isascii() or _NUMBER.fullmatch(text) is None:
        return None
    try:
        return exact_number(int(text))
    except ValueError:
        return exact_number(float(text))


def exact_number(number: int | float) -> int | float:
    """Return *number* as SQLite holds it: a 64-bit integer, or the floating-point number that is nearest."""
    if isinstance(number, int) and not -_MAX_INTEGER <= number <= _MAX_INTEGER:
        try:
            return float(number)
        except OverflowError:
            return math.copysign(math.inf, number)
    return number
