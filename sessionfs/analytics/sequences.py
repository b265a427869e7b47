"""Which tools are called after each other: the sequences that sessions have in common."""

from __future__ import annotations

import sqlite3

import msgspec

from sessionfs.analytics.asking import CHOSEN

SHORTEST, LONGEST = 2, 5
"""How many calls a sequence has."""

_CANDIDATES = 200  # of each length


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of tools that followed each other in a session, and how often."""

    tools: tuple[str, ...]
    count: int
    session_count: int  # in how many sessions


def find_sequences(connection: sqlite3.Connection, limit: int) -> tuple[Sequence, ...]:
    """Return the sequences of tools that occur most in the chosen sessions, twice at least; the longer ones first.

    A part of a longer sequence that occurs no more often by itself says nothing of its own, and is left out. What
    happens between the calls does not matter.
    """
    found: list[Sequence] = []
    for length in range(LONGEST, SHORTEST - 1, -1):
        for one in _of_length(connection, length):
            if not any(one.count <= longer.count and _is_part(one.tools, longer.tools) for longer in found):
                found.append(one)
    return tuple(sorted(found, key=lambda one: (-one.count, -len(one.tools), one.tools))[:limit])


def _of_length(connection: sqlite3.Connection, length: int) -> list[Sequence]:
    following = ", ".join(f"lead(name, {step}) OVER (PARTITION BY session ORDER BY seq)" for step in range(1, length))
    names = ", ".join(f"n{step}" for step in range(length))
    rows = connection.execute(
        f"""
        WITH called (session, {names}) AS (
          SELECT session, name, {following} FROM (
            SELECT session, seq, ifnull(name, '') AS name FROM events
            WHERE type = 'tool.invoked' AND {CHOSEN}
          )
        )
        SELECT count(*), count(DISTINCT session), {names} FROM called WHERE n{length - 1} IS NOT NULL
        GROUP BY {names} HAVING count(*) > 1 ORDER BY 1 DESC, {names} LIMIT {_CANDIDATES}
        """
    )
    return [Sequence(tools=tuple(tools), count=count, session_count=sessions) for count, sessions, *tools in rows]


def _is_part(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))
