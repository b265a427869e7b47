"""Calling one hook: what it was told, what it said, how long it took."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any, NamedTuple

from sessionfs import correlation
from sessionfs.artifacts import from_text
from sessionfs.clock import NS_PER_SECOND
from sessionfs.hooks.calls import BadAnswer, Cancel, HookCall, Modify, Result, modified, parse_answer
from sessionfs.hooks.executables import Executable, distrust
from sessionfs.hooks.inside import VARIABLE, variable
from sessionfs.hooks.points import POST
from sessionfs.hooks.registry import FunctionHook
from sessionfs.store.hook_history import FAIL, VETO, Ran
from sessionfs.store.hooked import Action, ArtifactAction, HookVeto, SessionAction, StateAction, encode

Hook = FunctionHook | Executable

MAX_MESSAGE_LENGTH = 500

_NOTHING: dict[str, Any] = {}

# What a shell ends with when a program cannot be run, or is not found.
_NOT_RUN = (126, 127)


class Outcome(NamedTuple):
    """What a call came to."""

    report: Ran
    action: Action | None = None  # as the hook changed it, if it did
    modified: dict[str, Any] = _NOTHING  # the fields that it changed, as records hold them

    @property
    def is_refusal(self) -> bool:
        """Whether nothing may be done."""
        return self.report.result in (VETO, FAIL)


class Failed(Exception):
    """A hook failed; the text says how."""


class TookTooLong(Failed):
    """…because its time was over."""


class Executing(NamedTuple):
    """What executables of a store are run with."""

    environment: Mapping[str, str]
    limit_ns: int
    key: str  # see ``inside``


def call_hook(hook: Hook, call: HookCall, executing: Executing) -> Outcome:
    """Call *hook*. It may do what it likes: this does not raise, except for what ends the process."""
    said: Result = None
    failure: Failed | BadAnswer | None = None
    action, changed = None, _NOTHING
    started_ns = perf_counter_ns()
    try:
        said = _run_executable(hook, call, executing) if isinstance(hook, Executable) else _call_function(hook, call)
        if said is not None:
            action, changed = _checked(said, call)
    except (Failed, BadAnswer) as raised:
        failure = raised
    duration_ns = perf_counter_ns() - started_ns
    result, message = _told(said, failure, changed)
    report = Ran(
        hook=hook.name,
        point=call.point,
        phase=call.phase,
        result=result,
        duration_ns=duration_ns,
        slow=isinstance(failure, TookTooLong) or (isinstance(hook, FunctionHook) and duration_ns > hook.budget_ns),
        message=message,
        about=call.action.about,
    )
    return Outcome(report, action, changed)


def _checked(said: object, call: HookCall) -> tuple[Action | None, dict[str, Any]]:
    """Return the action as *said* makes it, and the fields that it sets; None when it sets none."""
    if call.phase == POST:
        if isinstance(said, Cancel | Modify):
            raise Failed("after the fact a hook can neither cancel nor modify")
        return None, _NOTHING  # what somebody's function returns that was not written to be a hook
    if isinstance(said, Modify):
        action, changed = modified(call, said)
        return (action, changed) if changed else (None, _NOTHING)
    if not isinstance(said, Cancel):
        raise Failed(f"it returned {said!r}; None, Cancel or Modify is expected")
    return None, _NOTHING


def _told(said: Result, failure: Exception | None, changed: dict[str, Any]) -> tuple[str, str | None]:
    """Return the result and the message of a call."""
    if failure is not None:
        return FAIL, _shortened(str(failure))
    if isinstance(said, Cancel):
        return VETO, _shortened(str(said.reason)) or "it gave no reason"
    return "modify" if changed else "continue", None


def _call_function(hook: FunctionHook, call: HookCall) -> Result:
    try:
        return hook.function(call)
    except HookVeto as veto:
        return Cancel(str(veto.args[0]) if veto.args else "")
    except (Exception, SystemExit) as failure:
        raise Failed(f"{type(failure).__name__}: {failure}") from failure


def _run_executable(hook: Executable, call: HookCall, executing: Executing) -> Result:
    from sessionfs.hooks import process  # subprocess takes 10 ms to import

    try:
        reason = distrust(hook)
        if reason is not None:
            raise Failed(f"it is not run: {reason}")
        ended = process.run(
            [hook.path],
            given=encode(call) + b"\n",
            environment=_environment(hook, call, executing),
            directory=call.store,
            limit_seconds=executing.limit_ns / NS_PER_SECOND,
        )
    except OSError as failure:
        hint = "; its first line must name its interpreter, as in #!/bin/sh" if failure.errno == 8 else ""
        raise Failed(f"it cannot be run: {failure.strerror}{hint}") from failure
    words = ended.errors.decode("utf-8", "replace")
    if ended.code is None:
        limit = f"{executing.limit_ns / NS_PER_SECOND:g} s"
        raise TookTooLong(f"it took longer than hooks.time_limit ({limit}) and was killed")
    if ended.code < 0:
        raise Failed(f"it was ended by {_signal_name(-ended.code)}{_quoted(words)}")
    if ended.code in _NOT_RUN or (ended.code and call.phase == POST):
        raise Failed(f"it ended with status {ended.code}{_quoted(words)}")
    if ended.code:
        return Cancel(words.strip() or f"it ended with status {ended.code}")
    if call.phase == POST:
        return None
    if ended.is_cut:
        raise Failed(f"it printed more than {process.MAX_OUTPUT_BYTES} bytes; messages belong on standard error")
    return parse_answer(ended.output)


def _environment(hook: Executable, call: HookCall, executing: Executing) -> dict[str, str | bytes]:
    """Return the environment of *hook*; names of files are as the system knows them."""
    action = call.action
    told: dict[str, str | bytes | None] = {
        "SESSIONFS_STORE": call.store,
        "SESSIONFS_SESSION": call.session,
        "SESSIONFS_HOOK": hook.place.name,
        "SESSIONFS_POINT": call.point,
        "SESSIONFS_PHASE": call.phase,
        "SESSIONFS_ACTOR": call.actor,
        "SESSIONFS_SEQ": None if call.seq is None else str(call.seq),
        VARIABLE: variable(executing.key, executing.environment),
    }
    if isinstance(action, ArtifactAction):
        told["SESSIONFS_PATH"] = os.fsencode(from_text(action.path))
        told["SESSIONFS_TO"] = None if action.to is None else os.fsencode(from_text(action.to))
        told["SESSIONFS_OID"] = action.oid
    elif isinstance(action, StateAction):
        told["SESSIONFS_KEY"] = action.key
    elif isinstance(action, SessionAction):
        told["SESSIONFS_STATUS"] = action.status
    given = {name: value for name, value in told.items() if value is not None}
    inherited = {name: value for name, value in executing.environment.items() if name not in told}
    return {**inherited, **correlation.environment(), **given}


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _quoted(words: str) -> str:
    return f": {words.strip()}" if words.strip() else ""


def _shortened(message: str) -> str:
    """Return *message* as one line of some length."""
    line = " ".join(message.split())
    return line if len(line) <= MAX_MESSAGE_LENGTH else line[: MAX_MESSAGE_LENGTH - 1] + "…"
