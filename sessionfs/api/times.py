"""Moments in time, and how long something takes, as callers of the API give them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sessionfs.clock import MalformedTime, parse_any_time, system_clock
from sessionfs.errors import InvalidInput
from sessionfs.store.config import parse_duration

Time = int | str | datetime
"""Nanoseconds since the epoch; text as queries have it (``2026-11-20``, RFC 3339, ``7d``, ``7 days ago``); a datetime.

What names no offset is UTC.
"""

Duration = float | str | timedelta
"""Seconds; text as in ``"30d"`` and ``"1.5h"``; a timedelta."""


class BadDuration(InvalidInput):
    """It says no length of time."""


def to_duration_ns(duration: Duration) -> int:
    """Return *duration* in nanoseconds.

    Raises:
        BadDuration: It is none.
    """
    try:
        return parse_duration(duration.total_seconds() if isinstance(duration, timedelta) else duration)
    except (ValueError, OverflowError) as failure:
        raise BadDuration(str(failure)) from failure


def to_ns(time: Time | None) -> int | None:
    """Return *time* in nanoseconds since the epoch; None for None.

    Raises:
        MalformedTime: The text is no time.
    """
    if time is None or isinstance(time, int):
        return time
    if not isinstance(time, str):
        return parse_any_time(time.isoformat())
    from sessionfs.query.values import BadValue, parse_time

    try:
        return parse_time(time, system_clock())[0]
    except BadValue as failure:
        raise MalformedTime(str(failure)) from failure
