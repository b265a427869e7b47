"""What hooks there are and how they fare: states and timings, as sessions' records tell them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sessionfs.clock import NS_PER_SECOND
from sessionfs.errors import InvalidInput, NotFound
from sessionfs.hooks.entry_points import is_disabled
from sessionfs.hooks.executables import Executable, distrust, is_enabled, list_unknown
from sessionfs.hooks.hooks import StoreHooks
from sessionfs.hooks.of_session import every_program
from sessionfs.hooks.points import POST, PRE
from sessionfs.hooks.running import Hook
from sessionfs.store.hook_history import HookHistory
from sessionfs.store.session import Session

_NS_PER_MS = NS_PER_SECOND // 1000

ENABLED, DISABLED, OPEN, TRYING = "enabled", "disabled", "open", "trying"
DISTRUSTED = "distrusted"  # an executable that belongs to another user
BROKEN = "broken"  # an entry point that cannot be loaded
UNKNOWN = "unknown"  # an executable at a point that does not exist
GONE = "gone"  # it left records, and is not here: removed, or a function of a program


class HookInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One hook, at one place."""

    name: str
    kind: str  # "executable", "function" or "entry point"
    at: str  # as in pre-artifact-store
    priority: int | None = None
    state: str = ENABLED
    open_in: tuple[str, ...] = ()  # sessions where its circuit breaker is open
    message: str | None = None  # what is wrong with it
    calls: int = 0
    failures: int = 0
    vetoes: int = 0
    skipped: int = 0
    mean_ms: float | None = None
    longest_ms: float | None = None
    last_result: str | None = None
    last_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**msgspec.structs.asdict(self), "open_in": list(self.open_in)}


def list_hooks(hooks: StoreHooks, sessions: Iterable[str] | None = None) -> list[HookInfo]:
    """Return every hook that this process knows or that left records, in the order in which they are called.

    Args:
        sessions: Count what they did in these sessions only, and look at their circuit breakers there only.
    """
    histories, own = _read_sessions(hooks, sessions)
    infos: list[HookInfo] = []
    known: set[str] = set()
    chains = [at.chain(phase) for at in hooks.points().values() for phase in (PRE, POST)]
    for hook in [hook for chain in (*chains, own) for hook in chain]:
        known.add(hook.name)
        infos.append(_describe(hooks, hook, histories.get(hook.name, {})))
    infos += _entry_points(hooks)
    infos += [
        HookInfo(name=name, kind="executable", at=name, state=UNKNOWN, message="there is no such point for hooks")
        for name in list_unknown(hooks.store.layout.hooks)
    ]
    infos += [_gone(name, found, hooks) for name, found in sorted(histories.items()) if name not in known]
    return infos


def _read_sessions(
    hooks: StoreHooks, sessions: Iterable[str] | None
) -> tuple[dict[str, dict[str, HookHistory]], tuple[Executable, ...]]:
    """Return what each hook did, by its name and the session's id; and the hooks of sessions' own, each once."""
    histories: dict[str, dict[str, HookHistory]] = {}
    own: dict[Executable, None] = {}
    for session in _sessions(hooks, sessions):
        with session.log.lock:
            for name, history in session.fold.hooks.items():
                histories.setdefault(name, {})[session.id] = history
            own |= dict.fromkeys(every_program(hooks.store.layout.templates, session.own_hooks))
    return histories, tuple(own)


def _sessions(hooks: StoreHooks, chosen: Iterable[str] | None) -> Iterator[Session]:
    if chosen is not None:
        yield from map(hooks.store.session, chosen)
        return
    for session_id in hooks.store.session_ids():
        try:
            yield hooks.store.session(session_id)
        except (NotFound, InvalidInput):
            continue  # deleted meanwhile, or never came to be


def _describe(hooks: StoreHooks, hook: Hook, histories: dict[str, HookHistory]) -> HookInfo:
    if isinstance(hook, Executable):
        counted = _counted(histories, hooks)
        if not is_enabled(hook.path):
            counted["state"] = DISABLED
        elif (reason := distrust(hook)) is not None:
            counted |= {"state": DISTRUSTED, "message": reason}
        return HookInfo(name=hook.name, kind="executable", at=hook.place.name, **counted)
    # The breaker of a function is this process's affair.
    state = hooks.breaker_of(hook).state(hooks.store.clock())
    counted = {**_counted(histories, hooks), "open_in": (), "state": ENABLED if state == "closed" else state}
    kind = "entry point" if hook.source else "function"
    return HookInfo(name=hook.name, kind=kind, at=hook.place.name, priority=hook.priority, **counted)


def _counted(histories: dict[str, HookHistory], hooks: StoreHooks) -> dict[str, Any]:
    now_ns = hooks.store.clock()
    every = list(histories.values())
    calls = sum(history.calls for history in every)
    states = {session_id: history.breaker.state(now_ns) for session_id, history in histories.items()}
    open_in = tuple(sorted(session_id for session_id, state in states.items() if state == "open"))
    newest = max(every, key=lambda history: history.last_at, default=None)
    return {
        "state": OPEN if open_in else TRYING if "trying" in states.values() else ENABLED,
        "open_in": open_in,
        "calls": calls,
        "failures": sum(history.failures for history in every),
        "vetoes": sum(history.vetoes for history in every),
        "skipped": sum(history.skipped for history in every),
        "mean_ms": _ms(sum(history.total_ns for history in every) / calls) if calls else None,
        "longest_ms": _ms(max(history.longest_ns for history in every)) if calls else None,
        "last_result": newest.last_result or None if newest is not None else None,
        "last_at": newest.last_at or None if newest is not None else None,
    }


def _entry_points(hooks: StoreHooks) -> Iterator[HookInfo]:
    """Yield the entry points that registered nothing."""
    for name, message in hooks.entry_points().items():
        if message is not None:
            yield HookInfo(name=name, kind="entry point", at="-", state=BROKEN, message=message)
        elif is_disabled(hooks.store.layout.hooks, name):
            yield HookInfo(name=name, kind="entry point", at="-", state=DISABLED)


def _gone(name: str, histories: dict[str, HookHistory], hooks: StoreHooks) -> HookInfo:
    return HookInfo(name=name, kind="-", at="-", **{**_counted(histories, hooks), "state": GONE, "open_in": ()})


def _ms(ns: float) -> float:
    return round(ns / _NS_PER_MS, 3)
