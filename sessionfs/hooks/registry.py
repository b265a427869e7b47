"""Hooks that are functions of this process: who registered what, where, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar, overload

from sessionfs.errors import InvalidInput, NotFound
from sessionfs.hooks.calls import HookCall, Result
from sessionfs.hooks.points import Place, parse_place

HIGH = -100
NORMAL = 0
LOW = 100

Function = Callable[[HookCall], Result]
F = TypeVar("F", bound=Function)


class NoSuchHook(NotFound):
    """No hook is called so, or the function is not registered there."""


class BadHook(InvalidInput):
    """What was given cannot be a hook."""


class FunctionHook(NamedTuple):
    """A function that is called at one place."""

    name: str
    place: Place
    function: Function
    priority: int
    budget_ns: int
    source: str  # the entry point that registered it, or ""


Table = dict[Place, tuple[FunctionHook, ...]]


class Registry:
    """Functions by place, in the order in which they are called. Thread-safe.

    ``table`` is replaced as a whole at each change, so who reads it needs no lock.
    """

    def __init__(self, budget_ns: int) -> None:
        """Begin with nothing.

        Args:
            budget_ns: How long a call may take before it counts as slow, where nobody says otherwise.
        """
        self.table: Table = {}
        self.source = ""  # the entry point that is registering
        self._budget_ns = budget_ns
        self._lock = threading.Lock()

    @overload
    def on(
        self,
        point: str,
        function: F,
        *,
        priority: int = NORMAL,
        name: str | None = None,
        budget_seconds: float | None = None,
    ) -> F: ...

    @overload
    def on(
        self,
        point: str,
        function: None = None,
        *,
        priority: int = NORMAL,
        name: str | None = None,
        budget_seconds: float | None = None,
    ) -> Callable[[F], F]: ...

    def on(
        self,
        point: str,
        function: F | None = None,
        *,
        priority: int = NORMAL,
        name: str | None = None,
        budget_seconds: float | None = None,
    ) -> F | Callable[[F], F]:
        """Call *function* at *point* from now on; without a function, return a decorator.

        Args:
            point: As in ``pre-artifact-store`` or ``post-session.complete``.
            function: Gets a :class:`HookCall`. Before a change it returns None to let it pass, :class:`Cancel` (or
                raises ``HookVeto``) to refuse it, or :class:`Modify`; any other exception is a failure, and what the
                hook was to be asked about is not done. After a change it can do neither. It may be called by several
                threads at once, and what it does to the store itself calls no hooks.
            priority: Lower ones first; ``HIGH`` (-100), ``NORMAL`` (0), ``LOW`` (100) or any number between or beyond.
                Executables come after the functions of priority 0.
            name: What records call it; its module and name by default.
            budget_seconds: How long a call may take before it counts as slow; ``hooks.time_budget`` by default.

        Raises:
            BadPoint: There is no such point.
            BadHook: It is no function, or the numbers are none.
        """
        place = parse_place(point)
        if function is None:
            return lambda decorated: self.on(
                point, decorated, priority=priority, name=name, budget_seconds=budget_seconds
            )
        if not callable(function):
            raise BadHook(f"{function!r} cannot be a hook: it cannot be called")
        if not isinstance(priority, int):
            raise BadHook(f"a priority is a whole number, {LOW}, {NORMAL} or {HIGH} for instance; not {priority!r}")
        hook = FunctionHook(
            name if name is not None else name_of(function),
            place,
            function,
            priority,
            self._budget_ns if budget_seconds is None else int(budget_seconds * 1_000_000_000),
            self.source,
        )
        with self._lock:
            # Sorting is stable: of equal priorities, who came first is called first.
            hooks = sorted((*self.table.get(place, ()), hook), key=lambda hook: hook.priority)
            self.table = {**self.table, place: tuple(hooks)}
        return function

    def off(self, point: str, function: Function | str) -> None:
        """Call *function* (or the hook with that name) at *point* no more.

        Raises:
            BadPoint: There is no such point.
            NoSuchHook: It is not called there.
        """
        place = parse_place(point)
        with self._lock:
            hooks = self.table.get(place, ())
            left = tuple(hook for hook in hooks if function not in (hook.function, hook.name))
            if len(left) == len(hooks):
                known = ", ".join(hook.name for hook in hooks) or "nothing"
                raise NoSuchHook(f"{function!r} is not called at {place.name}; what is: {known}")
            table = {**self.table, place: left}
            self.table = {place: hooks for place, hooks in table.items() if hooks}


def name_of(function: Callable[..., object]) -> str:
    """Return what records call *function*."""
    kind = type(function)
    module = getattr(function, "__module__", None) or kind.__module__
    return f"{module}.{getattr(function, '__qualname__', None) or kind.__qualname__}"[:200]
