"""``replay``: what happened, once more: watched, called again, or with some of it different."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.event_lines import write_event
from sessionfs.cli.spec import JSON_LINES, READ_SESSION, Option, Verb
from sessionfs.events.event import Event

if TYPE_CHECKING:
    from sessionfs.api import Replay, Session

_PACED = ("speed", "max-gap", "step")
_WHAT_IF = ("drop", "change", "content")


def _replay(call: Call, arguments: Arguments) -> int:
    _check_together(arguments)
    with call.open_store() as store:
        session, moment = call.moment(store, arguments.text("SESSION"))
        named = arguments.maybe("to")
        if moment is not None and named is not None:
            raise UsageError(f"two moments to end at were given: {moment!r} and {named!r}")
        end = moment or named or "now"
        if arguments.flag("into"):
            from sessionfs.cli.replay_into import replay_into

            return replay_into(call, session, end, arguments)
        replay = _make(session, end, arguments)
        stop = _stopping(replay, arguments)
        if arguments.flag("exec"):
            from sessionfs.cli.replay_exec import call_again

            return call_again(call, replay, stop, arguments.texts("exec"))
        if _can_play(call):
            from sessionfs.cli.player import play

            return play(call, replay, paused=arguments.flag("step"))
        _write(call, replay, stop, stepping=arguments.flag("step"))
    return exits.NO if stop.conditions and stop.event is None else exits.YES


class _Stop:
    """Pauses a replay after an event that somebody waits for."""

    def __init__(self, replay: Replay, conditions: list[str]) -> None:
        self.conditions = conditions
        self.event: Event | None = None
        self._replay = replay

    def __call__(self, event: Event) -> None:
        self.event = event
        self._replay.pause()


def _make(session: Session, end: str, arguments: Arguments) -> Replay:
    speed = _number(arguments, "speed")
    max_gap = _number(arguments, "max-gap")
    return session.replay(arguments.maybe("from"), end, speed=1.0 if speed is None else speed, max_gap=max_gap)


def _number(arguments: Arguments, name: str) -> float | None:
    text = arguments.maybe(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as failure:
        raise UsageError(f"--{name} takes a number; {text!r} was given") from failure


def _stopping(replay: Replay, arguments: Arguments) -> _Stop:
    stop = _Stop(replay, arguments.texts("until"))
    for condition in stop.conditions:
        replay.on(condition, stop)
    return stop


def _write(call: Call, replay: Replay, stop: _Stop, *, stepping: bool) -> None:
    """Write a line for each event, when it is due; or one for each line of standard input."""

    def write(event: Event) -> None:
        write_event(call, event)
        call.out.flush()

    replay.on("*", write)
    if not stepping:
        replay.start()
        return
    for _ in call.stdin:
        if replay.step() is None or stop.event is not None or replay.is_at_end:
            return


def _can_play(call: Call) -> bool:
    """Say whether somebody sits there who can press keys, at a terminal that can move its cursor."""
    is_capable = call.env.get("TERM", "dumb") != "dumb"
    return call.out.is_terminal and call.stdin.isatty() and is_capable and not call.out.as_json


def _check_together(arguments: Arguments) -> None:
    if arguments.flag("into"):
        others = [name for name in (*_PACED, "from", "until", "exec") if arguments.flag(name)]
        if others:
            raise UsageError(f"--into appends at once what happens, so --{others[0]} cannot be given with it")
        return
    edits = [name for name in _WHAT_IF if arguments.flag(name)]
    if edits:
        raise UsageError(f"--{edits[0]} makes another session of this one; give it an id: --into ID")
    paced = [name for name in _PACED if arguments.flag(name)]
    if arguments.flag("exec") and paced:
        raise UsageError(f"--exec makes one call after the other, so --{paced[0]} cannot be given with it")


_EXEC_ABOUT = (
    "With --exec, each recorded call of a tool is made again: a command of the shell gets its parameters as JSON on "
    "standard input, and in its environment SESSIONFS_NAME (of the tool), SESSIONFS_STORE, SESSIONFS_SESSION, "
    "SESSIONFS_EVENT_SEQ and SESSIONFS_EVENT_TYPE; what it prints, JSON or text, is compared with the recorded result. "
    "A line each: the event, the tool, and same, differs or unrecorded; if it differs a line for each place, with a "
    "JSON pointer, what was recorded, and what it is now."
)
_INTO_ABOUT = (
    "With --into, the events happen again in a fork, but for those that are dropped or changed; it begins before the "
    "first of these, and stays active. Its id is printed. What cannot happen without what was dropped is left out, and "
    "named. diff SESSION ID shows what became of it."
)
_PLAYER_ABOUT = (
    "At a terminal it can be paused (space), stepped (right, left), made faster and slower (up, down), and sought in "
    "(g for a moment, / for an event, e for the next failure); it pauses at failures, and ? lists all keys. Otherwise "
    "it prints lines as 'events' does, each when it is due; with --step, one for each line of standard input."
)

VERBS = {
    "replay": Verb(
        _replay,
        json=f"{JSON_LINES}; with --exec and --into one document",
        about="What happened in a session, in order, and with the pauses there were. "
        f"{_PLAYER_ABOUT} {_EXEC_ABOUT} {_INTO_ABOUT}",
        positionals=(READ_SESSION,),
        options=(
            Option("--from", "Begin after this moment: 5, '10 minutes ago', a checkpoint", metavar="MOMENT"),
            Option("--to", "End with this moment; now by default", metavar="MOMENT"),
            Option("--speed", "0.1 to 10 times as fast as it was", metavar="TIMES"),
            Option("--max-gap", "No pause is longer than it would be for so many seconds", metavar="SECONDS"),
            Option("--step", "Do not go on by itself"),
            Option(
                "--until",
                "Pause, or end, after the first event that is so: type=GLOB seq=N actor=GLOB correlation=ID text=TEXT "
                "path=GLOB failed, or a type alone; may be repeated",
                metavar="CONDITION",
                repeat=True,
            ),
            Option(
                "--exec",
                "Make the calls that events of this type recorded again: tool.invoked or agent.executed",
                metavar="TYPE=CMD",
                repeat=True,
            ),
            Option("--into", "Let the events happen again in a fork with this id", metavar="ID"),
            Option(
                "--drop", "But for these: a number, or a condition as for --until", metavar="CONDITION", repeat=True
            ),
            Option(
                "--change", "Let this event say something else: fields of its data", metavar="SEQ=JSON", repeat=True
            ),
            Option(
                "--content",
                "Let this event store what is in a file; - for standard input",
                metavar="SEQ=FILE",
                repeat=True,
            ),
        ),
        examples=(
            ("replay @ --speed 10 --max-gap 2", "watch it, without long pauses"),
            ("replay q4 --step --until failed", "step by step, up to the first failure"),
            ("replay q4 --exec 'tool.invoked=python tools.py'", "do the tools still give the same results?"),
            ("replay q4 --into q4-b --drop 17 --content 12=better.csv", "what if?"),
            ("diff q4 q4-b", "and what became of it"),
        ),
        exits={
            0: "Everything was played; with --until, up to such an event.",
            1: "No event was what --until waits for; a call has another result; an event could not happen again.",
            3: "There is no such session, moment or event.",
            5: "--into: the id is taken, or a limit of config.toml would be exceeded.",
        },
    ),
}
