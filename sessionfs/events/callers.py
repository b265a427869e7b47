"""What the records say that callers make: one function for each type, from its usual arguments to its data.

Where OpenTelemetry's conventions for generative AI have a name, that is the name (version 1.41; they are still in
development): https://opentelemetry.io/docs/specs/semconv/gen-ai/. What is None is left out, but for the result of a
tool: that it returned nothing is something to say. What else the caller has to say stands beside it, under any name.
"""

from __future__ import annotations

from typing import Any, Final

from sessionfs.correlation import Block
from sessionfs.errors import InvalidInput

TOOL: Final = "tool.invoked"
AGENT: Final = "agent.executed"
WORKFLOW_STARTED: Final = "workflow.started"
WORKFLOW: Final = "workflow.completed"
ERROR: Final = "error.occurred"
WARNING: Final = "warning.raised"

NAME_OF = {TOOL: "gen_ai.tool.name", AGENT: "gen_ai.agent.id", WORKFLOW: "gen_ai.workflow.name"}
"""Where the data of a block's record have the name of what ran."""

RESULT_OF = {TOOL: "gen_ai.tool.call.result", AGENT: "output", WORKFLOW: "output"}

PARAMETERS = "gen_ai.tool.call.arguments"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
MODEL = "gen_ai.request.model"
ERROR_TYPE = "error.type"
ERROR_MESSAGE = "error.message"
DURATION = "duration_ns"
BLOCK = "block"
INPUTS = "inputs"

_MAX_NAME_LENGTH = 500

_UNSAID: Any = object()


class BadCall(InvalidInput):
    """Something that a record of a tool, an agent or a workflow cannot say."""


def begun(type: str, name: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return what can be said when a block of *type* begins.

    Raises:
        BadCall: It has no name, or one that cannot be.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_LENGTH or not name.isprintable():
        raise BadCall(f"{name!r:.100} is no name for {type}: 1 to {_MAX_NAME_LENGTH} printable signs are needed")
    return {NAME_OF[type]: name, **{key: value for key, value in said.items() if value is not None}}


def ended(
    type: str,
    *,
    result: Any = _UNSAID,
    duration_ns: int | None = None,
    usage: dict[str, int] | None = None,
    error: BaseException | tuple[str, str] | None = None,
    block: Block | None = None,
) -> dict[str, Any]:
    """Return what can be said when it has ended.

    Args:
        result: What came of it.
        duration_ns: How long it took.
        usage: Numbers of tokens by name.
        error: What it failed with, or that one's type and message.
        block: What it is, if it was one.

    Raises:
        BadCall: A duration or a number of tokens is no whole number of 0 or more.
    """
    said: dict[str, Any] = {}
    if result is not _UNSAID:
        said[RESULT_OF[type]] = result
    if error is not None:
        kind, message = error if isinstance(error, tuple) else described(error)
        said |= {ERROR_TYPE: kind, ERROR_MESSAGE: message}
    if duration_ns is not None:
        said[DURATION] = check_count("a duration in nanoseconds", duration_ns)
    for name, count in (usage or {}).items():
        said[name] = check_count("a number of tokens", count)
    if block is not None:
        said[BLOCK] = block.id
        if block.inputs:
            said[INPUTS] = list(block.inputs)
    return said


def described(error: BaseException) -> tuple[str, str]:
    """Return the type and the message of what was raised."""
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return module + kind.__qualname__, _text(str(error))


def error_occurred(code: str | int, message: str) -> dict[str, Any]:
    """Return what ``error.occurred`` says."""
    return {"code": code, "message": _text(message)}


def warning_raised(message: str, code: str | int | None) -> dict[str, Any]:
    """Return what ``warning.raised`` says."""
    return {"message": _text(message)} | ({} if code is None else {"code": code})


def _text(text: str) -> str:
    """Return *text* as JSON can hold it: a message may quote names that are not Unicode."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def check_count(what: str, number: int) -> int:
    """Return *number* if it is a whole number of 0 or more.

    Raises:
        BadCall: It is not *what* it should be.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise BadCall(f"{number!r} is not {what}: a whole number of 0 or more is needed")
    return number
