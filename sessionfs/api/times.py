"""Moments in time, as callers of the API give them."""

from __future__ import annotations

from datetime import datetime

from sessionfs.clock import parse_any_time

Time = int | str | datetime
"""Nanoseconds since the epoch; text as in ``2026-11-20`` or RFC 3339; a datetime. What names no offset is UTC."""


def to_ns(time: Time | None) -> int | None:
    """Return *time* in nanoseconds since the epoch; None for None.

    Raises:
        MalformedTime: The text is no time.
    """
    if time is None or isinstance(time, int):
        return time
    return parse_any_time(time if isinstance(time, str) else time.isoformat())
