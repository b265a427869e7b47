"""The hooks of one point: asking them, telling them, and recording what they did."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sessionfs.correlation import Following
from sessionfs.errors import Corrupt, Denied, Error, NotFound
from sessionfs.hooks import inside
from sessionfs.hooks.calls import HookCall
from sessionfs.hooks.complaints import complain
from sessionfs.hooks.executables import Executable
from sessionfs.hooks.points import POST, PRE
from sessionfs.hooks.running import Hook
from sessionfs.store.hook_history import FAIL, VETO, Ran, Skipped
from sessionfs.store.hooked import Action, Answer, HookFailed, HookVeto, Report
from sessionfs.store.session import Session

if TYPE_CHECKING:
    from sessionfs.hooks.hooks import StoreHooks

# Here the store is only read: where nothing can be recorded, what is there can be read all the same.
_READING = frozenset({"session.load", "artifact.retrieve"})


class AtPoint:
    """The hooks of one point.

    ``pre`` and ``post`` do it all. Their parts are for a face that must not wait: it calls ``ask`` and ``tell`` in
    another thread, and the rest in its own.
    """

    __slots__ = ("_hooks", "_post", "_pre", "point")

    def __init__(self, hooks: StoreHooks, point: str, pre: tuple[Hook, ...], post: tuple[Hook, ...]) -> None:
        self.point = point
        self._hooks = hooks
        self._pre = pre
        self._post = post

    def chain(self, phase: str) -> tuple[Hook, ...]:
        """Return what is called before or after, in order."""
        return self._pre if phase == PRE else self._post

    def pre(self, session: Session | None, action: Action) -> Answer:
        """Ask them; see :class:`sessionfs.store.hooked.PointHooks`."""
        answer, refusal = self.ask(session, action)
        if refusal is not None:
            self.note(session, answer.reports)
            raise refusal
        return answer

    def post(self, session: Session | None, action: Action, seq: int | None, reports: list[Report]) -> None:
        """Tell them; see :class:`sessionfs.store.hooked.PointHooks`."""
        if not self._post:
            self.note(session, reports)
            return
        with self.following(action, seq):
            self.note(session, reports + self.tell(session, action, seq))

    # The parts

    def ask(self, session: Session | None, action: Action) -> tuple[Answer, HookVeto | HookFailed | None]:
        """Call those before it, until one refuses. Nothing is recorded, and the session is only looked at."""
        reports: list[Report] = []
        modified: dict[str, Any] = {}
        if not self._pre:
            return Answer(action, modified, reports), None
        hooks = self._hooks
        call = hooks.new_call(PRE, self.point, action, None)
        outside = inside.enter(hooks.key)
        try:
            for hook in self._pre:
                outcome = hooks.call(hook, call, session)
                if outcome is None:
                    continue
                if isinstance(outcome, Skipped):
                    reports.append(outcome)
                    continue
                reports.append(outcome.report)
                if outcome.is_refusal:
                    return Answer(action, modified, reports), _refusal(hook, call, outcome.report)
                if outcome.action is not None:
                    modified |= outcome.modified
                    call = replace(call, action=outcome.action)
        finally:
            inside.leave(outside)
        return Answer(call.action, modified, reports), None

    def tell(self, session: Session | None, action: Action, seq: int | None) -> list[Report]:
        """Call those after it. Nothing is recorded, and the session is only looked at."""
        hooks = self._hooks
        call = hooks.new_call(POST, self.point, action, seq)
        outside = inside.enter(hooks.key)
        try:
            outcomes = [hooks.call(hook, call, session) for hook in self._post]
        finally:
            inside.leave(outside)
        reports: list[Report] = []
        for outcome in outcomes:
            if outcome is None:
                continue
            if isinstance(outcome, Skipped):
                reports.append(outcome)
                continue
            report = outcome.report
            reports.append(report)
            if report.result == FAIL:
                what = f"{action.about!r} in session {action.session}" if action.about else f"session {action.session}"
                complain("the hook %s failed after %s of %s: %s", report.hook, self.point, what, report.message)
        return reports

    def note(self, session: Session | None, reports: Sequence[Report]) -> None:
        """Record what hooks did by itself; where that is impossible, say so, because nothing depends on it."""
        if session is None or not reports:
            return  # it never came to be, or its log has ended
        try:
            session.asking.note(reports)
        except NotFound:
            return  # it has been deleted meanwhile
        except Error as failure:
            if self.point not in _READING or not isinstance(failure, Denied | Corrupt):
                complain("what hooks did in session %s cannot be recorded: %s", session.id, failure)

    def following(self, action: Action, seq: int | None) -> AbstractContextManager[None]:
        """Return a context in which records say that they follow from record *seq*."""
        return nullcontext() if seq is None else Following(action.session, seq)


def _refusal(hook: Hook, call: HookCall, report: Ran) -> HookVeto | HookFailed:
    about = "" if call.action.about is None else f" of {call.action.about!r}"
    what = f"{call.point}{about} in session {call.session}"
    if report.result == VETO:
        return HookVeto(f"{what} was refused by the hook {hook.name}: {report.message}")
    remedy = f"; repair it, or: sessionfs hooks disable {hook.name}" if isinstance(hook, Executable) else ""
    return HookFailed(
        f"{what} was not done, because the hook {hook.name}, which has to be asked, failed: {report.message}{remedy}"
    )
