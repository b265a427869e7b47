"""Recording what programs do: one call for what has happened, a block for what is about to (see ``blocks``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sessionfs import correlation
from sessionfs.api.blocks import Block
from sessionfs.correlation import Context
from sessionfs.events import callers
from sessionfs.events.event import Event
from sessionfs.store import session as domain

if TYPE_CHECKING:
    from sessionfs.api.session import Session

Failure = BaseException | tuple[str, str]
"""What something failed with: an exception, or its type and message."""

_UNSET: Any = object()


@contextmanager
def correlate(
    correlation_id: str | None = None, *, cause: str | Event | None = None, trace: str | None = None
) -> Iterator[Context]:
    """Give everything recorded inside, in whatever session, something in common.

    Args:
        correlation_id: What all of it shares, up to 128 signs. By default the one outside, that of the *cause*, the
            trace's id, or a new one.
        cause: The event that it follows from, or that one's id.
        trace: A W3C traceparent, which is kept as it is.

    Raises:
        InvalidInput: One of them is not what it should be.
    """
    if isinstance(cause, Event):
        correlation_id = correlation_id or cause.correlation_id
        cause = cause.id
    with correlation.correlate(correlation_id, cause=cause, trace=trace) as context:
        yield context


class Recording:
    """The recording verbs of a session.

    Each returns the number of its record. ``data`` is what else there is to say, under any names; what is too large
    for a record goes to an object, and comes back whole.

    Raises:
        Denied: The session is not active.
        InvalidInput: JSON cannot hold what is said.
    """

    core: domain.Session

    # What has happened

    def record(
        self,
        type: str,
        data: dict[str, Any] | None = None,
        *,
        correlation_id: str | None = None,
        cause: str | Event | None = None,
        trace: str | None = None,
    ) -> int:
        """Append an event that changes nothing but history: of any type of these, or ``custom.…``.

        Args:
            correlation_id, cause, trace: See :func:`correlate`; by default what the block around it has.
        """
        said = {} if data is None else data
        if correlation_id is None and cause is None and trace is None:
            return self.core.record(type, said)
        with correlate(correlation_id, cause=cause, trace=trace):
            return self.core.record(type, said)

    def tool_invoked(
        self,
        name: str,
        parameters: Any = None,
        result: Any = _UNSET,
        *,
        duration_ns: int | None = None,
        error: Failure | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Record a call of a tool."""
        said = callers.begun(callers.TOOL, name, {**(data or {}), callers.PARAMETERS: parameters})
        return self._record(callers.TOOL, said, result, duration_ns, {}, error)

    def agent_executed(
        self,
        agent: str,
        input: Any = None,
        output: Any = _UNSET,
        *,
        duration_ns: int | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        model: str | None = None,
        error: Failure | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Record a turn of an agent."""
        said = callers.begun(callers.AGENT, agent, {**(data or {}), "input": input, callers.MODEL: model})
        tokens = {callers.INPUT_TOKENS: input_tokens, callers.OUTPUT_TOKENS: output_tokens}
        usage = {name: count for name, count in tokens.items() if count is not None}
        return self._record(callers.AGENT, said, output, duration_ns, usage, error)

    def workflow_started(self, name: str, input: Any = None, *, data: Mapping[str, Any] | None = None) -> int:
        """Record that a workflow began."""
        said = callers.begun(callers.WORKFLOW, name, {**(data or {}), "input": input})
        return self.core.record(callers.WORKFLOW_STARTED, said)

    def workflow_completed(
        self,
        name: str,
        output: Any = _UNSET,
        *,
        duration_ns: int | None = None,
        error: Failure | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Record that a workflow ended, well or with an *error*."""
        said = callers.begun(callers.WORKFLOW, name, dict(data or {}))
        return self._record(callers.WORKFLOW, said, output, duration_ns, {}, error)

    def error(self, code: str | int, message: str, *, data: Mapping[str, Any] | None = None) -> int:
        """Record ``error.occurred``."""
        return self.core.record(callers.ERROR, {**(data or {}), **callers.error_occurred(code, message)})

    def warning(self, message: str, *, code: str | int | None = None, data: Mapping[str, Any] | None = None) -> int:
        """Record ``warning.raised``."""
        return self.core.record(callers.WARNING, {**(data or {}), **callers.warning_raised(message, code)})

    # What is about to happen

    def tool(self, name: str, parameters: Any = None, *, data: Mapping[str, Any] | None = None) -> Block:
        """Return a block in which a tool runs; its ``result`` can be set there."""
        return self._block(callers.TOOL, name, {**(data or {}), callers.PARAMETERS: parameters})

    def agent(
        self, agent: str, input: Any = None, *, model: str | None = None, data: Mapping[str, Any] | None = None
    ) -> Block:
        """Return a block in which an agent takes a turn; its ``result`` and its tokens can be set there."""
        return self._block(callers.AGENT, agent, {**(data or {}), "input": input, callers.MODEL: model})

    def workflow(self, name: str, input: Any = None, *, data: Mapping[str, Any] | None = None) -> Block:
        """Return a block in which a workflow runs. That it begins is recorded too."""
        return self._block(callers.WORKFLOW, name, {**(data or {}), "input": input})

    # Inside

    def _block(self, type: str, name: str, said: Mapping[str, Any]) -> Block:
        return Block(cast("Session", self), type, name, said)

    def _record(
        self,
        type: str,
        said: dict[str, Any],
        result: Any,
        duration_ns: int | None,
        usage: dict[str, int],
        error: Failure | None,
    ) -> int:
        results = {} if result is _UNSET else {"result": result}
        ended = callers.ended(type, **results, duration_ns=duration_ns, usage=usage, error=error)
        return self.core.record(type, {**said, **ended})
