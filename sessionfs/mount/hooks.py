"""Hooks in the mount: they are asked and told in threads, so that the loop goes on answering, hooks' requests too.

Before a change, the handler waits for the answer of the hooks, and the process that asked for the change waits for the
handler. After it nobody waits: who changes a directory holds a lock in the kernel until we have answered, and a hook
that looks into that directory would wait for it. What has been done is told in order, by one task; writers of files
wait when that falls far behind. What hooks did is recorded on the loop's thread, as everything is.

A store's verb asks in the middle of its work, and does not wait. So a handler asks first, and calls the verb inside the
context that it gets; there the verb gets the answer that is ready.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import NamedTuple

import trio

from sessionfs.correlation import Context, current, within
from sessionfs.hooks import AtPoint, StoreHooks
from sessionfs.hooks.points import PRE
from sessionfs.mount.loop import let_others_read
from sessionfs.store.hooked import Action, Answer, HookFailed, PointHooks, Report
from sessionfs.store.session import Session
from sessionfs.store.store import Store

# How many hooks may be asked at once, in threads of their own: content is hashed in others.
_THREADS = 64

# How many changes hooks may have to be told of before those who write files wait.
_MOST_WAITING = 100

Describe = Callable[[], Action]


class _Telling(NamedTuple):
    """Something that hooks are to be told."""

    at: AtPoint
    session: Session | None
    action: Action
    seq: int | None
    reports: list[Report]
    context: Context | None


class MountHooks:
    """What the store of a mount asks and tells."""

    def __init__(self, store: Store) -> None:
        self._hooks = StoreHooks(store)
        self._ready: Asked | None = None  # what the verb that is being called will ask
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._send, self._receive = trio.open_memory_channel[_Telling](math.inf)
        self._waiting = 0
        self._has_room = trio.Event()
        store.install_hooks(self)

    # The store's side

    def at(self, point: str, session: Session | None = None) -> PointHooks | None:
        """Return the answer that is ready; without one, hooks are asked where we are, and the loop waits."""
        if self._ready is not None:
            return self._ready
        at = self._hooks.at(point, session)
        return None if at is None else _Unready(self, at)

    # The handlers' side

    @property
    def key(self) -> str:
        """What names the store (see :mod:`sessionfs.hooks.inside`)."""
        return self._hooks.key

    @property
    def watch_reads(self) -> bool:
        """Whether somebody has to be asked or told when content is read: hooks of templates can be at any point."""
        return "artifact.retrieve" in self._hooks.points() or os.path.exists(self._hooks.store.layout.templates)

    def are_at(self, point: str, session: Session) -> bool:
        """Say whether there are hooks at *point*, for *session*."""
        return self._hooks.at(point, session) is not None

    async def ask(
        self, session: Session | None, point: str, describe: Describe, *, keeps_name: bool = False
    ) -> AbstractContextManager[Asked | None]:
        """Ask the hooks of *point*, and return a context in which the verb that does it is called, without waiting.

        Whatever the caller knew before may be so no more.

        Args:
            keeps_name: The kernel is about to know it by the name that it asked for, so a hook cannot change that.

        Returns:
            A context; entering it gives what the hooks said, None without hooks.

        Raises:
            HookVeto, HookFailed: It must not be done.
            Error: What *describe* raises.
        """
        at = self._hooks.at(point, session)
        if at is None:
            return NO_HOOKS
        action = describe()
        if not at.chain(PRE):
            return Asked(self, at, session, Answer(action, {}, []))
        let_others_read()
        answer, refusal = await trio.to_thread.run_sync(
            at.ask, session, action, limiter=self._limiter, abandon_on_cancel=True
        )
        if refusal is None and keeps_name and "name" in answer.modified:
            refusal = HookFailed(f"a hook gave {action.about!r} another name, which a mount cannot do at {point}")
        if refusal is not None:
            at.note(session, answer.reports)
            raise refusal
        return Asked(self, at, session, answer)

    async def room(self, session: Session) -> None:
        """Wait while hooks have to be told of very much. Nothing is locked in the kernel meanwhile."""
        while self._waiting > _MOST_WAITING and self.are_at("artifact.store", session):
            self._has_room = trio.Event()
            let_others_read()
            await self._has_room.wait()

    # Telling

    def later(
        self, at: AtPoint, session: Session | None, action: Action, seq: int | None, reports: list[Report]
    ) -> None:
        """Tell hooks of something, after all that was to be told before."""
        self._waiting += 1
        self._send.send_nowait(_Telling(at, session, action, seq, reports, current()))

    async def run(self) -> None:
        """Tell hooks what is to be told, for ever."""
        async for telling in self._receive:
            with trio.CancelScope(shield=True):  # what has been taken out is told, and finish() tells the rest
                await self._tell(telling)

    async def finish(self) -> None:
        """Tell them the rest."""
        self._send.close()
        await self.run()

    async def _tell(self, telling: _Telling) -> None:
        at, session, action, seq, reports, context = telling

        def tell() -> list[Report]:
            with at.following(action, seq):
                return at.tell(session, action, seq)

        try:
            with within(context):
                reports = reports + await trio.to_thread.run_sync(tell, limiter=self._limiter)
                with at.following(action, seq):
                    at.note(session, reports)
        finally:
            self._waiting -= 1
            if self._waiting <= _MOST_WAITING:
                self._has_room.set()


class Asked:
    """An answer of hooks, for the verb that is called in this context."""

    def __init__(self, hooks: MountHooks, at: AtPoint, session: Session | None, answer: Answer) -> None:
        self._hooks = hooks
        self._at = at
        self._session = session
        self._answer = answer
        self._is_used = False

    def __enter__(self) -> Asked:
        self._hooks._ready = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks._ready = None
        if not self._is_used:
            self._at.note(self._session, self._answer.reports)

    @property
    def name(self) -> str | None:
        """Another name that a hook gave to what is stored, if one did."""
        return self._answer.modified.get("name")

    def done(self, seq: int) -> None:
        """Tell hooks that it has been done by record *seq*, which another verb has appended."""
        self._is_used = True
        self._hooks.later(self._at, self._session, self._answer.action, seq, self._answer.reports)

    def pre(self, session: Session | None, action: Action) -> Answer:
        self._is_used = True
        return self._answer

    def post(self, session: Session | None, action: Action, seq: int | None, reports: list[Report]) -> None:
        self._hooks.later(self._at, session, action, seq, reports)


class _Unready:
    """Hooks of which no handler has asked beforehand."""

    def __init__(self, hooks: MountHooks, at: AtPoint) -> None:
        self._hooks = hooks
        self._at = at

    def pre(self, session: Session | None, action: Action) -> Answer:
        return self._at.pre(session, action)

    def post(self, session: Session | None, action: Action, seq: int | None, reports: list[Report]) -> None:
        self._hooks.later(self._at, session, action, seq, reports)


NO_HOOKS: AbstractContextManager[None] = nullcontext()
