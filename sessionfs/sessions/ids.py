"""Ids of sessions: UUIDv7 by default (they sort by time), or any slug the caller picks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from sessionfs.clock import Clock
from sessionfs.errors import InvalidInput

MakeId = Callable[[], str]
"""Returns a new session id; passed in, so that tests own it."""

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class BadSessionId(InvalidInput):
    """No session can have this id."""


def check_id(session_id: str) -> str:
    """Return *session_id* if a session can have it.

    Raises:
        BadSessionId: It is no slug.
    """
    if not isinstance(session_id, str) or _SLUG.fullmatch(session_id) is None:
        raise BadSessionId(
            f"{session_id!r} is no session id: it starts with a letter or digit, goes on with letters, digits, "
            "'.', '_' and '-', and has at most 128 characters"
        )
    return session_id


class BadActor(InvalidInput):
    """Nobody can be called this in a record."""


def check_actor(actor: str) -> str:
    """Return *actor* if records and refs can name it.

    Raises:
        BadActor: It is empty, longer than 128 characters, or holds spaces or what cannot be printed.
    """
    if not isinstance(actor, str) or not 0 < len(actor) <= 128 or not actor.isprintable() or " " in actor:
        raise BadActor(
            f"{actor!r} is no name for an actor: 1 to 128 printable characters without spaces, as in 'uid:0'"
        )
    return actor


def uuid7(clock: Clock) -> str:
    """Return a UUIDv7 (RFC 9562): 48 bits of milliseconds, then 74 random bits."""
    number = (clock() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
