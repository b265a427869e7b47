"""The hooks of an open store: what is called at each point, and the circuit breakers."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from sessionfs.clock import format_time
from sessionfs.hooks import inside
from sessionfs.hooks.at_point import AtPoint
from sessionfs.hooks.calls import HookCall
from sessionfs.hooks.entry_points import register_all
from sessionfs.hooks.executables import Executable, Executables, Listing, is_enabled
from sessionfs.hooks.of_session import programs_at
from sessionfs.hooks.points import PLACES, POST, PRE, Place
from sessionfs.hooks.registry import NORMAL, Registry, Table
from sessionfs.hooks.running import Executing, Hook, Outcome, call_hook
from sessionfs.store.hook_history import CLOSED, FAIL, Breaker, Ran, Skipped, after_call
from sessionfs.store.hooked import POINTS, Action
from sessionfs.store.session import Session
from sessionfs.store.store import Store

Points = dict[str, AtPoint]


class StoreHooks(Registry):
    """The hooks of one store, as this process knows them: functions, those of installed packages, executables.

    Thread-safe. What is done through the store's API calls them; :meth:`on` and :meth:`off` are for functions.

    A hook is skipped while its circuit breaker is open: for a function by what its calls in this process came to; for
    an executable also by what the session's log says that its calls in other processes came to.
    """

    def __init__(self, store: Store, environment: Mapping[str, str] = os.environ) -> None:
        """Prepare them; nothing is loaded before somebody asks for the hooks of a point.

        Args:
            environment: What executables inherit.
        """
        super().__init__(store.config.hook_budget_ns)
        self.store = store
        self.key = inside.key_of(store.path)
        self._executables = Executables(store.layout.hooks)
        self._executing = Executing(environment, store.config.hook_limit_ns, self.key)
        self._is_inside = self.key in inside.parse(environment)  # this process is itself what a hook does
        self._breakers: dict[tuple[str, Place], Breaker] = {}
        self._breakers_lock = threading.Lock()
        self._entry_points: dict[str, str | None] | None = None
        self._loading = threading.Lock()
        self._arranged: tuple[Listing, Table, Points] = ({}, {}, {})

    def entry_points(self) -> dict[str, str | None]:
        """Return the names of the entry points of installed packages, with what is wrong with each, or None."""
        with self._loading:
            if self._entry_points is None:
                self._entry_points = register_all(self, self.store.layout.hooks)
            return self._entry_points

    def at(self, point: str, session: Session | None = None) -> AtPoint | None:
        """Return the hooks of *point*; None when it has none, or when a hook itself is at work.

        Args:
            session: Those of its own as well.
        """
        at = self.points().get(point)
        if session is not None and session.own_hooks:
            at = self._with_own(at, point, session)
        return None if at is None or self._is_inside or inside.is_inside(self.key) else at

    def _with_own(self, at: AtPoint | None, point: str, session: Session) -> AtPoint | None:
        """Return the hooks of *point*, those of *session* after all others."""
        own = programs_at(self.store.layout.templates, point, session.own_hooks)
        if not own:
            return at
        pre, post = ((() if at is None else at.chain(phase)) + own.get(phase, ()) for phase in (PRE, POST))
        return AtPoint(self, point, pre, post)

    def points_of(self, session: Session) -> Points:
        """Return the points that have hooks for *session*, those of its own among them."""
        points = self.points()
        own = {PLACES[place].point for place in session.own_hooks if place in PLACES}
        return points | {point: at for point in own if (at := self._with_own(points.get(point), point, session))}

    def points(self) -> Points:
        """Return the points that have hooks, executables that are disabled included."""
        if self._entry_points is None:
            self.entry_points()
        listing, table, points = self._arranged
        if listing is not (found := self._executables.read()) or table is not self.table:
            table = self.table
            points = self._arrange(found, table)
            self._arranged = (found, table, points)
        return points

    def _arrange(self, listing: Listing, table: Table) -> Points:
        points = {}
        for point in POINTS:
            pre, post = (_in_order(Place(phase, point), listing, table) for phase in (PRE, POST))
            if pre or post:
                points[point] = AtPoint(self, point, pre, post)
        return points

    def call(self, hook: Hook, call: HookCall, session: Session | None) -> Outcome | Skipped | None:
        """Call *hook*, unless its circuit breaker is open; None when it is an executable that is disabled."""
        breaker = self.breaker_of(hook) if self._breakers else CLOSED
        recorded = CLOSED
        if isinstance(hook, Executable):
            if not is_enabled(hook.path):
                return None
            history = session.fold.hooks.get(hook.name) if session is not None else None
            recorded = CLOSED if history is None else history.breaker
        if breaker is not CLOSED or recorded is not CLOSED:
            now_ns = self.store.clock()
            if breaker.is_open(now_ns) or recorded.is_open(now_ns):
                until = format_time(max(breaker.until_ns, recorded.until_ns))
                about = call.action.about
                return Skipped(hook=hook.name, point=call.point, phase=call.phase, until=until, about=about)
        outcome = call_hook(hook, call, self._executing)
        self._note_call(hook, outcome.report)
        return outcome

    def call_anyway(self, hook: Hook, call: HookCall) -> Outcome:
        """Call *hook*, whatever its circuit breaker says."""
        return call_hook(hook, call, self._executing)

    def new_call(self, phase: str, point: str, action: Action, seq: int | None) -> HookCall:
        """Return what hooks of a point are told."""
        store = self.store
        return HookCall(
            phase=phase,
            point=point,
            store=store.path,
            session=action.session,
            actor=store.actor,
            action=action,
            seq=seq,
        )

    def breaker_of(self, hook: Hook) -> Breaker:
        """Return the circuit breaker of *hook* as far as this process's own calls go."""
        return self._breakers.get((hook.name, hook.place), CLOSED)

    def _note_call(self, hook: Hook, report: Ran) -> None:
        failed = report.result == FAIL
        if not (failed or report.slow or self._breakers):
            return
        key = (hook.name, hook.place)
        with self._breakers_lock:
            known = self._breakers.pop(key, CLOSED)
            breaker = after_call(known, failed=failed, slow=report.slow, now_ns=self.store.clock())
            if breaker != CLOSED:
                self._breakers[key] = breaker


def _in_order(place: Place, listing: Listing, table: Table) -> tuple[Hook, ...]:
    functions = table.get(place, ())
    first = tuple(hook for hook in functions if hook.priority <= NORMAL)
    return (*first, *listing.get(place, ()), *functions[len(first) :])
