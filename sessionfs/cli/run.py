"""``run``: run a command in a session, and record what it does."""

from __future__ import annotations

from collections.abc import Callable

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.collect import COLLECTING, new_collector, say_untaken
from sessionfs.cli.spec import SESSION, Option, Positional, Verb

# As in every shell.
_NO_COMMAND = 127
_NOT_EXECUTABLE = 126


def _run(call: Call, arguments: Arguments) -> int:
    from sessionfs.collect import Shown, run
    from sessionfs.collect.running import NoCommand, NotExecutable

    if call.out.as_json:
        raise UsageError("what the command prints is shown as it is, so --json cannot be given; see: sessionfs events")
    directory = arguments.maybe("collect")
    with call.open_store(background_sync=True) as store:
        session = call.session(store, arguments.text("SESSION"))
        collector = None
        if directory is not None:
            collector = new_collector(
                call, arguments, session, directory, lambda path, why: say_untaken(call, "run", path, why)
            )
        try:
            return run(
                session,
                arguments.texts("CMD"),
                env=call.env,
                cwd=call.here(),
                shown=Shown(_show_output(call), _show_errors(call)),
                complain=lambda what: call.say(f"sessionfs: run: {exits.printable(what)}"),
                collector=collector,
                finish=arguments.flag("finish"),
            )
        except (NoCommand, NotExecutable) as failure:
            call.say(f"sessionfs: run: {exits.message_of(failure)}")
            return _NO_COMMAND if isinstance(failure, NoCommand) else _NOT_EXECUTABLE


def _show_output(call: Call) -> Callable[[bytes], None]:
    def show(data: bytes) -> None:
        call.out.raw(data)
        call.out.flush()

    return show


def _show_errors(call: Call) -> Callable[[bytes], None]:
    def show(data: bytes) -> None:
        call.stderr.flush()
        call.stderr.buffer.write(data)
        call.stderr.buffer.flush()

    return show


VERBS = {
    "run": Verb(
        _run,
        json="Refused: what the command prints is shown as it is",
        about="In the command, @ means this session: SESSIONFS_SESSION and SESSIONFS_STORE say so, and what it records "
        "names the run as its cause (SESSIONFS_CORRELATION_ID). That it began, its exit code and how long it took are "
        "recorded; what it prints is shown, and kept as runs/SEQ/stdout and runs/SEQ/stderr. Signals are passed on to "
        "it. With --collect, what is in a directory is taken in before it runs, and what happens there meanwhile, as "
        "'collect' does it; the other options are those of 'collect'.",
        positionals=(SESSION, Positional("CMD", "The command and its arguments; after --", count="+", complete="file")),
        options=(
            Option("--collect", "Take in what happens in this directory", metavar="DIR", complete="directory"),
            *COLLECTING,
            Option("--finish", "Complete the session if the exit code is 0, and let it fail otherwise"),
        ),
        examples=(
            ("run @ -- make -j4 test", "a build, with its output"),
            ("run q4 --collect . --finish -- python3 agent.py", "an agent with the files it makes, then the end"),
        ),
        exits={
            0: "That of the command; those below only when it was not run.",
            3: "The session or the directory to collect is not here.",
            4: "The session is not active.",
            126: "The command cannot be executed.",
            127: "There is no such command.",
        },
    )
}
