"""What joins records to each other: the context in which they are appended.

A context holds the id that all records of one piece of work share, the record (or open block) that they follow from,
and the W3C traceparent that the caller had. It is a context variable, so threads and asynchronous tasks do not
disturb each other; the log reads it at each append, whichever face asks. Child processes get it in their environment.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import msgspec

from sessionfs.errors import InvalidInput

# The last one is OpenTelemetry's name for the W3C header in an environment.
VARIABLES = ("SESSIONFS_CORRELATION_ID", "SESSIONFS_CAUSE", "SESSIONFS_BLOCK", "TRACEPARENT")

MAX_ID_LENGTH = 128
# A variable can hold 128 KiB (MAX_ARG_STRLEN), and an id is up to 150 bytes. The newest ones: the block's own record
# names all.
_MAX_PASSED_INPUTS = 500
_MAX_TRACE_LENGTH = 512

_CAUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}:(0|[1-9]\d{0,17}|b[0-9a-f]{16})")
_BLOCK_ID = re.compile(r"b[0-9a-f]{16}")
# https://www.w3.org/TR/trace-context/: a version above 00 may say more after the flags, which end at 55; ff is none.
_TRACE = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?"
)

Named = tuple[int, ...]
"""How many inputs of a block, and of each one around it, have been named."""


class BadCorrelation(InvalidInput):
    """A correlation id, a cause or a traceparent that records cannot have."""


class Block:
    """A block of work that is open: a tool's call, an agent's turn, a workflow. Thread-safe.

    Attributes:
        type: Of the record that it becomes when it ends.
        name: Of the tool, agent or workflow.
        id: What names it before there is such a record, and in it.
        outer: The block around it.
        inputs: Ids of the artifacts that were read through its handle, in order, each once.
    """

    __slots__ = ("_known", "_named", "id", "inputs", "name", "outer", "type")

    def __init__(self, type: str, name: str, *, outer: Block | None = None, id: str | None = None) -> None:
        self.type = type
        self.name = name
        self.id = id if id is not None else f"b{random.getrandbits(64):016x}"
        self.outer = outer
        self.inputs: list[str] = []
        self._known: set[str] = set()
        self._named: dict[str, Named] = {}

    def add_input(self, artifact_id: str) -> None:
        """Note that an artifact was read."""
        if artifact_id not in self._known:
            self._known.add(artifact_id)
            self.inputs.append(artifact_id)

    def unnamed_inputs(self, session_id: str) -> tuple[list[str], Named]:
        """Return the inputs of it and of the blocks around it that no artifact it made in a session has named yet.

        Each is named once, by the first artifact stored after it was read: a block that reads and writes in turn
        would otherwise write a number of names that grows with the square of its length.

        Returns:
            The inputs, and what :meth:`note_named` is told once they are in a record.
        """
        named = self._named.get(session_id, ())
        found: dict[str, None] = {}
        counts: list[int] = []
        for depth, block in enumerate(self.chain()):
            counts.append(len(block.inputs))
            found.update(dict.fromkeys(block.inputs[named[depth] if named else 0 : counts[-1]]))
        return list(found), tuple(counts)

    def note_named(self, session_id: str, named: Named) -> None:
        """Note that an artifact of the session has named them."""
        self._named[session_id] = named

    def chain(self) -> Iterator[Block]:
        """Yield it and the blocks around it, from the inside out."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.outer


class Context(msgspec.Struct, frozen=True):
    """What the records appended now have in common."""

    correlation_id: str | None = None
    cause: str | None = None  # "<session>:<seq>" of a record, or "<session>:<block>" of a block that is open
    trace: str | None = None  # traceparent, as it was given
    block: Block | None = None  # the innermost one


class _Passed(msgspec.Struct):
    """A block as it stands in the environment."""

    type: str
    id: str
    name: str
    inputs: list[str]


NO_CONTEXT = Context()

_current: ContextVar[Context | None] = ContextVar("sessionfs_context", default=None)
_inherited: Context | None = None  # what the process was started with; threads begin without a context of their own


def current() -> Context | None:
    """Return the caller's context, or None. Costs a tenth of a microsecond."""
    return _current.get() or _inherited


@contextlib.contextmanager
def correlate(
    correlation_id: str | None = None,
    *,
    cause: str | None = None,
    trace: str | None = None,
    block: Block | None = None,
) -> Iterator[Context]:
    """Give the records that are appended inside, in whatever session, a context in common.

    Args:
        correlation_id: Up to 128 signs; what is not given stays as it is outside. Where there is none either, it is
            the trace's id, else a new one.
        cause: ``<session>:<seq>`` of the record that they follow from.
        trace: A W3C traceparent.

    Raises:
        BadCorrelation: One of them is not what it should be.
    """
    token = _current.set(_joined(current() or NO_CONTEXT, correlation_id, cause, trace, block))
    try:
        yield _current.get() or NO_CONTEXT
    finally:
        _current.reset(token)


def _joined(
    outer: Context, correlation_id: str | None, cause: str | None, trace: str | None, block: Block | None
) -> Context:
    if correlation_id is not None:
        check_correlation_id(correlation_id)
    if cause is not None:
        check_cause(cause)
    if trace is not None:
        check_trace(trace)
    return Context(
        correlation_id or outer.correlation_id or _id_of_trace(trace or outer.trace) or os.urandom(16).hex(),
        cause if cause is not None else outer.cause,
        trace if trace is not None else outer.trace,
        block if block is not None else outer.block,
    )


def _id_of_trace(trace: str | None) -> str | None:
    return None if trace is None else trace[3:35]


def environment() -> dict[str, str]:
    """Return the variables that pass the caller's context on to a child process; none when there is no context."""
    context = current() or NO_CONTEXT
    block = None if context.block is None else _format_block(context.block)
    values = (context.correlation_id, context.cause, block, context.trace)
    return {name: value for name, value in zip(VARIABLES, values, strict=True) if value is not None}


def parse_environment(environ: Mapping[str, str]) -> Context | None:
    """Return the context that *environ* passes on; None when it passes none.

    Raises:
        BadCorrelation: A variable of ours is not what it should be. A traceparent that is none is left out, as its
            specification asks.
    """
    values = [environ.get(name) or None for name in VARIABLES]
    if not any(values):
        return None
    correlation_id, cause, block, trace = values
    if trace is not None and not is_trace(trace):
        trace = None
        if not any(values[:3]):
            return None
    try:
        return _joined(NO_CONTEXT, correlation_id, cause, trace, None if block is None else _parse_block(block))
    except BadCorrelation as failure:
        raise BadCorrelation(f"{failure} (from the environment: {', '.join(VARIABLES[:3])})") from failure


def inherit(environ: Mapping[str, str]) -> None:
    """Make what *environ* passes on the context of this process, wherever :func:`correlate` gives no other.

    Raises:
        BadCorrelation: As :func:`parse_environment`.
    """
    global _inherited
    _inherited = parse_environment(environ)


@contextlib.contextmanager
def within(context: Context | None) -> Iterator[None]:
    """Append in exactly this context; None for none but the process's."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


class Following:
    """A context manager: what is appended inside says that it follows from one record, and the rest as outside.

    A class, because a generator costs as much as a short hook does.
    """

    __slots__ = ("_cause", "_token")

    def __init__(self, session_id: str, seq: int) -> None:
        self._cause = f"{session_id}:{seq}"

    def __enter__(self) -> None:
        outer = current()
        if outer is None:
            context = Context(None, self._cause)
        else:
            context = Context(outer.correlation_id, self._cause, outer.trace, outer.block)
        self._token = _current.set(context)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def _format_block(block: Block) -> str:
    inputs, _ = block.unnamed_inputs("")
    passed = _Passed(type=block.type, id=block.id, name=block.name, inputs=inputs[-_MAX_PASSED_INPUTS:])
    return msgspec.json.encode(passed).decode()


def _parse_block(text: str) -> Block:
    try:
        passed = msgspec.json.decode(text, type=_Passed)
        if _BLOCK_ID.fullmatch(passed.id) is None or not all(map(_CAUSE.fullmatch, passed.inputs)):
            raise ValueError(text)
    except (msgspec.MsgspecError, ValueError) as failure:
        raise BadCorrelation(f"{text!r} is no open block; pass on what sessionfs.environment() returns") from failure
    block = Block(passed.type, passed.name, id=passed.id)
    for artifact_id in passed.inputs:
        block.add_input(artifact_id)
    return block


def check_correlation_id(text: str) -> str:
    """Return *text* if records can have it as their correlation id.

    Raises:
        BadCorrelation: They cannot.
    """
    if not isinstance(text, str):
        raise BadCorrelation(f"a correlation id is text, not {type(text).__name__}")
    if not 0 < len(text) <= MAX_ID_LENGTH or not text.isprintable():
        raise BadCorrelation(
            f"{text[:MAX_ID_LENGTH]!r} is no correlation id: 1 to {MAX_ID_LENGTH} printable signs are needed"
        )
    return text


def check_cause(text: str) -> str:
    """Return *text* if it names a record or a block.

    Raises:
        BadCorrelation: It does not.
    """
    if not isinstance(text, str) or _CAUSE.fullmatch(text) is None:
        raise BadCorrelation(f"{text!r} names no record: write the session's id, a colon and the record's number")
    return text


def is_trace(text: str) -> bool:
    """Say whether *text* is a W3C traceparent."""
    return isinstance(text, str) and len(text) <= _MAX_TRACE_LENGTH and _TRACE.fullmatch(text) is not None


def check_trace(text: str) -> str:
    """Return *text* if it is a W3C traceparent.

    Raises:
        BadCorrelation: It is not.
    """
    if not is_trace(text):
        raise BadCorrelation(f"{text!r} is no traceparent: 00-<32 hex digits>-<16 hex digits>-<2 hex digits> is needed")
    return text
