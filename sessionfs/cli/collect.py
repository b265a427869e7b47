"""``collect``: what happens in a directory becomes versions of artifacts."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sessionfs.artifacts import text_of
from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_put import TYPE
from sessionfs.cli.call import Call
from sessionfs.cli.spec import JSON_LINES, SESSION, Option, Positional, Verb

if TYPE_CHECKING:
    from sessionfs.api import Session
    from sessionfs.collect import Change, Collector

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _collect(call: Call, arguments: Arguments) -> int:
    complaints: list[str] = []

    def complain(path: str, why: str) -> None:
        complaints.append(path)
        say_untaken(call, "collect", path, why)

    with call.open_store(background_sync=True) as store:
        session = call.session(store, arguments.text("SESSION"))
        with new_collector(call, arguments, session, arguments.text("DIR"), complain, _writer(call)) as collector:
            call.out.flush()
            if not arguments.flag("once"):
                with _ended_by_signals(collector.stop):
                    collector.run()
    return exits.NO if complaints and arguments.flag("once") else exits.YES


def new_collector(
    call: Call,
    arguments: Arguments,
    session: Session,
    directory: str,
    complain: Callable[[str, str], None],
    tell: Callable[[Change], None] = lambda change: None,
) -> Collector:
    """Return a collector as the options say."""
    from sessionfs.collect import Collector, Timing

    timing = Timing()
    return Collector(
        session,
        call.path(directory),
        to=(arguments.maybe("as") or "").strip("/"),
        include=arguments.texts("include"),
        exclude=arguments.texts("exclude"),
        everything=arguments.flag("all"),
        type=arguments.maybe("type"),
        timing=timing._replace(debounce=_seconds(arguments.maybe("debounce"), timing.debounce)),
        poll=arguments.flag("poll"),
        tell=tell,
        complain=complain,
    )


def say_untaken(call: Call, verb: str, path: str, why: str) -> None:
    """Say that something could not be taken."""
    what = f"{exits.printable(text_of(path))}: " if path else ""
    call.say(f"sessionfs: {verb}: {what}{exits.printable(why)}")


def _writer(call: Call) -> Callable[[Change], None]:
    """Return what writes a line for each change."""

    def write(change: Change) -> None:
        if call.out.as_json:
            said = {
                "what": change.what,
                "path": text_of(change.path),
                "to": None if change.to is None else text_of(change.to),
                "version": change.version,
            }
            call.out.text(json.dumps({name: value for name, value in said.items() if value is not None}) + "\n")
        else:
            to = "" if change.to is None else text_of(change.to)
            call.out.line(change.what, text_of(change.path), to or change.version or "")
        call.out.flush()

    return write


def _seconds(text: str | None, default: float) -> float:
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise UsageError(f"--debounce takes seconds, such as 0.5; {text!r} was given")
    return seconds


@contextlib.contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call *stop* at Ctrl-C, SIGTERM and when the terminal closes, instead of ending without having taken the rest."""
    with contextlib.ExitStack() as stack:
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1)
                stack.callback(signal.signal, number, signal.signal(number, lambda *_: stop()))
        yield


COLLECTING = (
    Option("--include", "Only what matches this glob; may be repeated", metavar="GLOB", repeat=True),
    Option("--exclude", "Not what matches this glob; may be repeated", metavar="GLOB", repeat=True),
    Option("--all", "Also what is left out by default: swap files and backups of editors, .git and its like"),
    TYPE,
    Option("--as", "Where in the session; its top by default", metavar="PATH"),
    Option("--debounce", "How long nothing has to happen before it is recorded; 0.3", metavar="SECONDS"),
    Option("--poll", "Look once a second instead of being told, where a filesystem does not tell"),
)
"""What ``collect`` and ``run`` take."""

_PATTERNS = (
    "A GLOB without '/' is about names at any depth, one with '/' about paths from the directory on; '**' stands for "
    "any directories, and what is below a directory that matches, matches."
)

VERBS = {
    "collect": Verb(
        _collect,
        json=JSON_LINES,
        about="Takes in what is there, then what happens, until it is interrupted: what appears or changes becomes a "
        "version, a rename is a rename, and what is deleted is deleted from the session; one operation for all that "
        "happens until there is a pause. Files that somebody writes to are waited for: until they are closed, or have "
        "not changed for two seconds. Symbolic links, modes and empty directories are kept. Started again, it takes in "
        "what happened meanwhile. What else is in the session stays. Prints what it records: stored, updated, renamed "
        "or deleted, the path, and the new path or the version. " + _PATTERNS,
        positionals=(SESSION, Positional("DIR", "The directory", complete="directory")),
        options=(*COLLECTING, Option("--once", "Take in what is there, and end")),
        examples=(
            ("collect @ .", "takes this directory into the current session"),
            ("collect q4 work --include '*.py' --exclude 'test_*' --as src --type code", "the programs, below src/"),
            ("collect q4 work --once", "catches up, and ends"),
        ),
        exits={
            1: "With --once: something could not be taken.",
            3: "The session or the directory is not here, or the directory has gone.",
            4: "The session is not active.",
            5: "Another process collects it already, or the disk is full.",
        },
    )
}
