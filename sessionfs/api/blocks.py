"""Blocks of work that are timed and recorded: what ``session.tool``, ``.agent`` and ``.workflow`` give."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from sessionfs import correlation
from sessionfs.api.artifact import Artifact
from sessionfs.clock import Clock
from sessionfs.correlation import NO_CONTEXT, Context
from sessionfs.errors import Error, InvalidInput
from sessionfs.events import callers
from sessionfs.log import encode_data

if TYPE_CHECKING:
    from sessionfs.api.reading import Path
    from sessionfs.api.session import Session


class BadBlock(InvalidInput):
    """A block that cannot be used so: twice, or before it has begun."""


class Block:
    """A tool's call, an agent's turn or a workflow: a context manager that records it when it ends, failed or not.

    Everything recorded inside, in whatever session, names it as its cause and shares its correlation id; artifacts
    stored inside name it, and what was read through it, as what they were made by. Of several blocks inside each
    other that is the innermost.
    """

    def __init__(
        self,
        session: Session,
        type: str,
        name: str,
        said: Mapping[str, Any],
        *,
        monotonic: Clock = time.monotonic_ns,
    ) -> None:
        """Prepare it; ``session.tool`` and its like are the usual way.

        Args:
            said: What is known of it at its beginning, as its record will have it.
            monotonic: What its duration is measured by.
        """
        self.name = name
        self.type = type
        self._session = session
        # As it is now: what runs may change what it was given.
        self._said = {key: _as_json(key, value) for key, value in callers.begun(type, name, dict(said)).items()}
        self._result: Any = None
        self._written_result: dict[str, msgspec.Raw] = {}
        self._usage: dict[str, int] = {}
        self._monotonic = monotonic
        self._begun_ns = 0
        self._block: correlation.Block | None = None
        self._outside = NO_CONTEXT  # in which its own record is appended
        self._inside = ExitStack()

    # What happens in it

    @property
    def id(self) -> str:
        """What names it in its record, and in those of artifacts made by it."""
        return self._begun.id

    @property
    def result(self) -> Any:
        """What came of it: the result of a tool, the output of an agent or a workflow; None before it is set.

        Its record has it as it is when it is set.
        """
        return self._result

    @result.setter
    def result(self, value: Any) -> None:
        self._written_result["result"] = _as_json("its result", value)
        self._result = value

    def say(self, key: str, value: Any) -> None:
        """Let its record say *value* under *key* too."""
        self._said[key] = _as_json(key, value)

    def use_tokens(self, *, input: int = 0, output: int = 0) -> None:
        """Add to the tokens it has used."""
        for name, count in ((callers.INPUT_TOKENS, input), (callers.OUTPUT_TOKENS, output)):
            self._usage[name] = self._usage.get(name, 0) + callers.check_count("a number of tokens", count)

    def input(self, artifact: Path | Artifact) -> Artifact:
        """Note that it reads an artifact: one of its session by path, or any.

        Raises:
            NotFound: There is none at that path.
        """
        block = self._begun
        found = artifact if isinstance(artifact, Artifact) else self._session.artifacts[artifact]
        block.add_input(found.id)
        return found

    def read(self, artifact: Path | Artifact) -> bytes:
        """Return the content of an artifact, and note that it reads it; see :meth:`input`."""
        return self.input(artifact).read_bytes()

    # Beginning and ending

    @property
    def _begun(self) -> correlation.Block:
        if self._block is None:
            raise BadBlock(f"the block of {self.name!r} has not begun; use it in a with statement")
        return self._block

    def __enter__(self) -> Block:
        if self._block is not None:
            raise BadBlock(f"the block of {self.name!r} was used before; make another one for each time it runs")
        self._session.core.refresh()
        self._session.core.check_writable()  # before anything is done that could not be recorded
        outer = correlation.current() or NO_CONTEXT
        block = correlation.Block(self.type, self.name, outer=outer.block)
        with correlation.correlate() as context:
            cause = f"{self._session.id}:{self._record_beginning(block)}"
        self._block = block
        own_cause = cause if self.type == callers.WORKFLOW else context.cause
        self._outside = Context(context.correlation_id, own_cause, context.trace, context.block)
        inside = correlation.correlate(context.correlation_id, cause=cause, block=block)
        self._inside.enter_context(inside)
        self._begun_ns = self._monotonic()
        return self

    def _record_beginning(self, block: correlation.Block) -> str:
        """Return what names it from now on. Only of a workflow is it recorded that it begins."""
        if self.type != callers.WORKFLOW:
            return block.id
        seq = self._session.core.record(callers.WORKFLOW_STARTED, {**self._said, callers.BLOCK: block.id})
        self._said = dict(callers.begun(self.type, self.name, {}))  # the rest has been said
        return str(seq)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        duration_ns = self._monotonic() - self._begun_ns
        self._inside.close()
        ended = callers.ended(
            self.type,
            **self._written_result,
            duration_ns=max(0, duration_ns),
            usage=self._usage,
            error=error,
            block=self._begun,
        )
        try:
            with correlation.within(self._outside):
                self._session.core.record(self.type, {**self._said, **ended})
        except Error as failure:
            if error is None:
                raise
            # What went wrong in the block is what its caller has to hear of.
            error.add_note(f"sessionfs: that {self.type} of {self.name!r} failed was not recorded: {failure}")

    def __repr__(self) -> str:
        return f"<sessionfs.Block {self.type} {self.name!r}>"


def _as_json(what: str, value: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(encode_data(value))
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as failure:
        raise callers.BadCall(f"{what} cannot be written down: {failure}; give what JSON can hold") from failure
