"""Replaying a session, as Python users do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sessionfs.api.reading import ArtifactsView, StateView
from sessionfs.events.event import Event
from sessionfs.replay import replay as core
from sessionfs.replay.rerun import CallAgain, Rerun, rerun

if TYPE_CHECKING:
    from sessionfs.api.session import Session
    from sessionfs.replay.condition import Condition


class Replay(core.Replay):
    """What happened in a session, once more: a place in its history, and what goes on from there.

    ``start`` plays events at their own pace, ``step`` one, a ``for`` loop all that are left at once; ``back``, ``seek``
    and ``rewind`` go elsewhere. ``on`` says what is called with each event that is played. ``artifacts`` and ``state``
    are always those of the present place.
    """

    def __init__(self, session: Session, *args: Any, **options: Any) -> None:
        """Begin; :meth:`Session.replay` is the usual way."""
        super().__init__(session.store.core, session.core, *args, **options)
        self.session = session
        self.artifacts = ArtifactsView(self.standing, session.core)
        self.state = StateView(self.standing)

    def rerun(self, condition: Condition | str, function: Callable[[CallAgain], Any]) -> list[Rerun]:
        """Call *function* with each recorded call that is played, and compare what it returns with what was recorded.

        Args:
            condition: Which events: ``tool.invoked``, ``agent.executed``, or a condition such as
                ``'type=tool.invoked text=plot'``.
            function: Gets the call: its ``name``, its ``parameters``, and the ``result`` that it had.

        Returns:
            A list that gets longer while events are played.
        """
        outcomes: list[Rerun] = []

        def call_again(event: Event) -> None:
            outcomes.append(rerun(event, function))

        self.on(condition, call_again)
        return outcomes

    def __repr__(self) -> str:
        return f"<sessionfs.Replay of {self.session.id!r} after event {self.seq} of {self.first} to {self.last}>"
