"""Going through the events of a session: forwards, back, elsewhere, and at the pace at which they came.

The place where a replay is, is that after an event, whose number it has. Events are *played* when one goes forwards;
then their handlers are called. Who goes back, or elsewhere, only is somewhere else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from sessionfs.clock import NS_PER_SECOND, Clock
from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.events.query import Accepts, Query
from sessionfs.replay.condition import Condition, parse_condition
from sessionfs.replay.pace import Pace
from sessionfs.replay.standing import Standing
from sessionfs.replay.tape import Tape
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.travel import NOW, Moment, moment_of, resolve_moment

Handler = Callable[[Event], object]
Wait = Callable[[int], object]
When = str | int | datetime | Moment


class OutOfRange(InvalidInput):
    """A moment outside of what is replayed."""


class _Handled(NamedTuple):
    accepts: Accepts
    function: Handler


class Replay:
    """What happened in a session from one moment to another, once more.

    Thread-safe: another thread may pause it, or ask where it is. Handlers run in the thread that plays.

    Attributes:
        first: Number of the first event that it can play.
        last: Number of the last one.
        standing: Artifacts and state at the present place.
    """

    def __init__(
        self,
        store: Store,
        session: Session,
        start: When | None = None,
        end: When = NOW,
        *,
        speed: float = 1.0,
        max_gap: float | None = None,
        clock: Clock = time.monotonic_ns,
        wait: Wait | None = None,
    ) -> None:
        """Be at *start*, with nothing played.

        Args:
            start: The moment to begin at; what had happened by then is not played. By default before the first event.
            end: The moment to end at.
            speed: 0.1 to 10 times the original one.
            max_gap: Seconds: what was longer between two events counts as so long.
            clock: In nanoseconds; what :meth:`start` and :meth:`advance` go by.
            wait: Waits so many nanoseconds by that clock, or less.

        Raises:
            NoSuchMoment, BadMoment, CorruptLog: The session has no such moment.
            OutOfRange: *end* is before *start*.
            BadSpeed: It cannot be played so.
        """
        self._pace = Pace(clock, speed=speed, max_gap_seconds=max_gap)
        self._session = session
        until = resolve_moment(session, moment_of(end)).seq
        self.first = 0 if start is None else resolve_moment(session, moment_of(start)).seq
        if self.first > until:
            raise OutOfRange(
                f"a replay of session {session.id} from after event {self.first - 1} to event {until - 1} ends before "
                "it begins; give the earlier moment first"
            )
        self.last = until - 1
        self._tape = Tape(store, session.id, until)
        self._seq = self.first - 1
        self._changed = threading.Condition(threading.RLock())
        self._wait = self._wait_for_change if wait is None else wait
        self._handlers: list[_Handled] = []
        self.standing = Standing(session, self._tape, lambda: self._seq)

    # Where it is

    @property
    def seq(self) -> int:
        """The number of the event after which it is; -1 before the first one."""
        return self._seq

    @property
    def event(self) -> Event | None:
        """The event after which it is; None where it begins."""
        with self._changed:
            return None if self._seq < self.first else self._tape.event(self._seq)

    @property
    def next(self) -> Event | None:
        """The event that is played next; None at the end."""
        with self._changed:
            return self._tape.event(self._seq + 1) if self._seq < self.last else None

    @property
    def is_at_end(self) -> bool:
        """Whether everything has been played."""
        return self._seq >= self.last

    def find(self, condition: Condition | str, *, reverse: bool = False) -> Event | None:
        """Return the nearest event ahead that *condition* asks for, or behind with *reverse*; None if there is none.

        Raises:
            BadCondition: It asks for nothing.
        """
        accepts = _condition(condition).accepts()
        with self._changed:
            ahead = Query(start=self._seq + 1)
            behind = Query(start=self.first, end=max(self.first, self._seq), reverse=True)
            return next(filter(accepts, self._tape.find(behind if reverse else ahead)), None)

    # Going on

    def step(self) -> Event | None:
        """Play the next event, whenever it came, and return it; None at the end."""
        with self._changed:
            event = self.next
            if event is None:
                self._stop()
                return None
            self._pace.begin_anew()
            return self._play(event)

    def back(self) -> Event | None:
        """Go to before the event that was played last, and return the one before it; None where it begins."""
        with self._changed:
            if self._seq >= self.first:
                self._go(self._seq - 1)
            return self.event

    def seek(self, moment: When) -> Event | None:
        """Go to a moment: a number (after that event), a time, a checkpoint's name, or text as for ``Session.at``.

        Returns:
            The event after which it is then; None where it begins.

        Raises:
            OutOfRange: That is not part of what is replayed.
            NoSuchMoment, BadMoment, CorruptLog: The session has no such moment.
        """
        seq = resolve_moment(self._session, moment_of(moment)).seq - 1
        with self._changed:
            if not self.first - 1 <= seq <= self.last:
                raise OutOfRange(
                    f"{self._session.id}@{{{seq}}} is not part of this replay, which goes from event {self.first} "
                    f"to event {self.last}"
                )
            self._go(seq)
            return self.event

    def rewind(self) -> None:
        """Go to where it began."""
        with self._changed:
            self._go(self.first - 1)

    def __iter__(self) -> Iterator[Event]:
        """Play what is left, without waiting."""
        while (event := self.step()) is not None:
            yield event

    # At a pace

    @property
    def speed(self) -> float:
        """How many times as fast as it happened: 0.1 to 10."""
        return self._pace.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._changed:
            self._pace.speed = speed
            self._changed.notify_all()

    @property
    def is_playing(self) -> bool:
        """Whether time passes: events are played when they are due."""
        return self._pace.is_running

    def play(self) -> None:
        """Let time pass from now on; :meth:`advance` plays what is due then. Nothing at the end."""
        with self._changed:
            if self._seq < self.last:
                self._pace.run()

    def pause(self) -> None:
        """Let no time pass until it is played again. From any thread, and from a handler."""
        with self._changed:
            self._stop()

    def start(self, until: Condition | str | None = None) -> Event | None:
        """Play events when they are due, until the end, or until something pauses it.

        Args:
            until: Pause after the first event for which this holds, such as ``type=error.occurred`` or ``failed``.

        Returns:
            The last event that was played; None if there was none.
        """
        is_last = None if until is None else _condition(until).accepts()
        last: Event | None = None
        self.play()
        while (wait_ns := self.wait_ns()) is not None:
            if wait_ns:
                self._wait(wait_ns)
                continue
            event = self.advance()
            if event is not None:
                last = event
                if is_last is not None and is_last(event):
                    self.pause()
        return last

    def wait_ns(self) -> int | None:
        """Return how long it takes until the next event is due, in nanoseconds; None when none will be."""
        with self._changed:
            return self._pace.wait_ns(self._gap_ns()) if self._pace.is_running else None

    def advance(self) -> Event | None:
        """Play the next event if it is due, and return it."""
        with self._changed:
            if not self._pace.is_running or self._pace.wait_ns(self._gap_ns()):
                return None
            event = self._tape.event(self._seq + 1)
            self._pace.arrive(self._gap_ns())
            return self._play(event)

    # Handlers

    def on(self, condition: Condition | str, function: Handler) -> Handler:
        """Call *function* with each event that is played and is of this type, or fits this condition; returns it.

        Handlers are called in the order in which they were given, after the replay has come to the place of the event.
        What one raises comes out of what plays, which is paused then.

        Raises:
            BadCondition, UnknownType: No event is so.
        """
        self._handlers.append(_Handled(_condition(condition).accepts(), function))
        return function

    # Inside

    def _play(self, event: Event) -> Event:
        self._seq = event.seq
        if event.seq >= self.last:
            self._stop()
        try:
            for handled in tuple(self._handlers):
                if handled.accepts(event):
                    handled.function(event)
        except BaseException:
            self._stop()
            raise
        return event

    def _go(self, seq: int) -> None:
        self._seq = seq
        self._pace.begin_anew()
        if seq >= self.last:
            self._stop()
        self._changed.notify_all()

    def _stop(self) -> None:
        self._pace.hold()
        self._changed.notify_all()

    def _gap_ns(self) -> int:
        """Return how long the next event came after the present one; the first one that is played comes at once."""
        if self._seq < self.first:
            return 0
        return max(0, self._tape.event(self._seq + 1).time_ns - self._tape.event(self._seq).time_ns)

    def _wait_for_change(self, wait_ns: int) -> None:
        with self._changed:
            if self._pace.is_running:
                self._changed.wait(wait_ns / NS_PER_SECOND)


def _condition(condition: Condition | str) -> Condition:
    return parse_condition(condition) if isinstance(condition, str) else condition
