"""What hooks did to a session, as its ``hook.ran`` and ``hook.skipped`` records add up.

The circuit breaker of an executable is a reading of these records, so all processes that use a session agree on it:

    closed --3 failures, or 2 calls over the time budget--> open --15 s--> trying --2 good calls--> closed
                                                             ^---a failure, or a slow call--'

A good call, neither failed nor slow, ends a row of both. A veto is no failure: it is what a hook is for.
"""

from __future__ import annotations

import msgspec

from sessionfs.clock import NS_PER_SECOND, parse_time

FAILURES_TO_OPEN = 3
SLOW_TO_OPEN = 2
OPEN_NS = 15 * NS_PER_SECOND
GOOD_TO_CLOSE = 2

FAIL = "fail"
VETO = "veto"


class Ran(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """``hook.ran``: a hook was called."""

    hook: str  # its name
    point: str
    phase: str  # pre, post
    result: str  # continue, modify, veto, fail
    duration_ns: int
    slow: bool = False  # it took longer than its time budget
    message: str | None = None  # why it vetoed or failed
    about: str | None = None  # the path or key, in text form


class Skipped(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """``hook.skipped``: a hook was not called, because its circuit breaker is open until then."""

    hook: str
    point: str
    phase: str
    until: str
    about: str | None = None


TYPE_OF: dict[type[Ran] | type[Skipped], str] = {Ran: "hook.ran", Skipped: "hook.skipped"}


class Breaker(msgspec.Struct, omit_defaults=True, frozen=True):
    """The circuit breaker of one hook."""

    failures: int = 0  # since the last good call
    slow: int = 0  # likewise
    good: int = 0  # since it was open
    opened_ns: int | None = None  # None when it is closed

    def is_open(self, now_ns: int) -> bool:
        """Whether the hook is to be left out."""
        return self.opened_ns is not None and now_ns < self.opened_ns + OPEN_NS

    def state(self, now_ns: int) -> str:
        """Return ``closed``, ``open`` or ``trying``."""
        if self.opened_ns is None:
            return "closed"
        return "open" if self.is_open(now_ns) else "trying"

    @property
    def until_ns(self) -> int:
        """When it lets a call through again."""
        return 0 if self.opened_ns is None else self.opened_ns + OPEN_NS


CLOSED = Breaker()


def after_call(breaker: Breaker, *, failed: bool, slow: bool, now_ns: int) -> Breaker:
    """Return *breaker* after a call that ended at *now_ns*."""
    if not failed and not slow:
        if breaker.opened_ns is None or breaker.good + 1 >= GOOD_TO_CLOSE:
            return CLOSED
        return Breaker(good=breaker.good + 1, opened_ns=breaker.opened_ns)
    failures = breaker.failures + failed
    slow_calls = breaker.slow + slow
    if breaker.opened_ns is not None or failures >= FAILURES_TO_OPEN or slow_calls >= SLOW_TO_OPEN:
        return Breaker(opened_ns=now_ns)
    return Breaker(failures, slow_calls)


class HookHistory(msgspec.Struct, omit_defaults=True):
    """What one hook did to a session so far."""

    calls: int = 0
    failures: int = 0
    vetoes: int = 0
    skipped: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    last_result: str = ""
    last_at: str = ""
    breaker: Breaker = CLOSED


def note_ran(histories: dict[str, HookHistory], data: Ran, time: str) -> None:
    """Apply ``hook.ran``."""
    history = histories.get(data.hook)
    if history is None:
        history = histories[data.hook] = HookHistory()
    failed = data.result == FAIL
    history.calls += 1
    history.failures += failed
    history.vetoes += data.result == VETO
    history.total_ns += data.duration_ns
    history.longest_ns = max(history.longest_ns, data.duration_ns)
    history.last_result, history.last_at = data.result, time
    if failed or data.slow or history.breaker != CLOSED:
        history.breaker = after_call(history.breaker, failed=failed, slow=data.slow, now_ns=parse_time(time))


def note_skipped(histories: dict[str, HookHistory], data: Skipped) -> None:
    """Apply ``hook.skipped``."""
    histories.setdefault(data.hook, HookHistory()).skipped += 1
