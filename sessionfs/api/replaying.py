"""What makes a session's events happen again. What that takes is imported late: few programs do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from sessionfs.clock import Clock

if TYPE_CHECKING:
    from sessionfs.api.replay import Replay
    from sessionfs.api.session import Session
    from sessionfs.api.travelling import When
    from sessionfs.replay.condition import Condition
    from sessionfs.replay.what_if import WhatIf


class Replaying:
    """The part of :class:`sessionfs.Session` that lets its events happen again."""

    def replay(
        self,
        start: When | None = None,
        end: When = "now",
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        clock: Clock = time.monotonic_ns,
        wait: Callable[[int], object] | None = None,
    ) -> Replay:
        """Return a replay of what happened from one moment to another; nothing has been played yet.

        Args:
            start: As for :meth:`Session.at`: what had happened by then is not played. By default everything is.
            end: The moment at which it ends.
            speed: 0.1 to 10 times the original one.
            max_gap: Seconds: what was longer between two events counts as so long.
            clock: What it goes by, in nanoseconds.
            wait: Waits so many nanoseconds by that clock, or less.

        Raises:
            NotFound: There is no such moment.
            InvalidInput: *end* is before *start*, or it cannot be played so.
        """
        from sessionfs.api.replay import Replay

        return Replay(cast("Session", self), start, end, speed=speed, max_gap=max_gap, clock=clock, wait=wait)

    def what_if(
        self,
        *,
        drop: Iterable[Condition | str | int] = (),
        change: Mapping[int, Mapping[str, Any]] | None = None,
        content: Mapping[int, bytes] | None = None,
        end: When = "now",
        id: str | None = None,
        **fields: Any,
    ) -> WhatIf:
        """Make a fork in which the same events happen again, but for some that are dropped or changed.

        It begins before the first of these, and is active. What cannot happen without what was dropped - the renaming
        of an artifact that was never stored - is left out, and listed.

        Args:
            drop: Numbers of events, or conditions: ``tool.*``, ``path=reports/*``, ``failed``.
            change: By number: the fields of the event's data that are to be others.
            content: By number of an ``artifact.stored``: what is stored instead.
            end: Up to this moment.
            id: Of the fork; a UUIDv7 by default.
            fields: Its ``name``; ``description``, ``tags`` and ``metadata`` where they are to differ.

        Raises:
            InvalidInput: An event cannot be changed so; no fork was made, as with all that follows.
            NotFound: There is no such event or moment.
            Conflict: The id is taken, or a limit of config.toml would be exceeded.
            Denied: A hook refused what would happen.
        """
        from sessionfs.replay.what_if import what_if
        from sessionfs.travel import moment_of

        session = cast("Session", self)
        chosen = [drop] if isinstance(drop, str | int) else drop
        return what_if(
            session.store.core,
            session.core,
            drop=chosen,
            change=change,
            content=content,
            end=moment_of(end),
            session_id=id,
            fields=fields,
        )
