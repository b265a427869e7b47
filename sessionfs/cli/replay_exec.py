"""``replay --exec``: recorded calls are made again, and their results compared."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import UNSET

from sessionfs.cli import exits
from sessionfs.cli.arguments import UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.event_command import ended_with, event_environment
from sessionfs.events.event import Event
from sessionfs.replay.rerun import PARAMETERS_OF, CallAgain, CallFailed, Differing, Rerun, rerun

if TYPE_CHECKING:
    from sessionfs.api import Replay


class Stop(Protocol):
    """Knows whether an event has come that is to be the last one."""

    event: Event | None


def call_again(call: Call, replay: Replay, stop: Stop, texts: list[str]) -> int:
    """Make the calls again and print what came of them; returns the exit code.

    Args:
        texts: ``TYPE=CMD``, each.
    """
    outcomes: list[Rerun] = []
    for type, command in map(_split, texts):
        replay.on(type, _noting(call, _running(call, replay, command), outcomes))
    for _ in replay:
        if stop.event is not None:
            break
    differing = sum(bool(outcome.differences) for outcome in outcomes)
    if call.out.as_json:
        call.out.document([outcome.to_dict() for outcome in outcomes])
    else:
        again = "1 call was made" if len(outcomes) == 1 else f"{len(outcomes)} calls were made"
        call.say(f"sessionfs: {again} again; {differing or 'none'} came out differently")
    return exits.NO if differing else exits.YES


def _noting(call: Call, again: Callable[[CallAgain], Any], outcomes: list[Rerun]) -> Callable[[Event], None]:
    def note(event: Event) -> None:
        outcomes.append(rerun(event, again))
        _write(call, outcomes[-1])

    return note


def _write(call: Call, outcome: Rerun) -> None:
    if call.out.as_json:
        return
    if not outcome.differences:
        call.out.line(outcome.event, outcome.name, "same" if outcome.compared else "unrecorded")
    for differing in outcome.differences:
        call.out.line(outcome.event, outcome.name, "differs", *_shown(differing))
    call.out.flush()


def _shown(differing: Differing) -> tuple[str, str, str]:
    sides = (differing.recorded, differing.now)
    recorded, now = ("-" if side is UNSET else json.dumps(side, ensure_ascii=False) for side in sides)
    return differing.where or "/", recorded, now


def _running(call: Call, replay: Replay, command: str) -> Callable[[CallAgain], Any]:
    def run(recorded: CallAgain) -> Any:
        env = event_environment(call, replay.session.store, recorded.event) | {"SESSIONFS_NAME": recorded.name}
        parameters = json.dumps(recorded.parameters).encode() + b"\n"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=parameters,
            stdout=subprocess.PIPE,
            env=env,
            cwd=call.path("."),
            check=False,
        )
        if done.returncode:
            raise CallFailed(ended_with(done.returncode))
        return _result(done.stdout.decode("utf-8", "backslashreplace"), recorded.result)

    return run


def _result(printed: str, recorded: Any) -> Any:
    """Return what a command printed as a result: as text if that is what was recorded, else as JSON if it is JSON."""
    text = printed.removesuffix("\n")
    if text == recorded:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _split(text: str) -> tuple[str, str]:
    type, _, command = text.partition("=")
    if type not in PARAMETERS_OF or not command.strip():
        raise UsageError(
            f"--exec takes a type and a command, as in --exec 'tool.invoked=CMD'; types: {', '.join(PARAMETERS_OF)}"
        )
    return type, command
