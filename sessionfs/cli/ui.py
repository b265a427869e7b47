"""``ui``: a browser in the terminal. Everything that is done in it is done by a verb, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.drawing import signs_of
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.timeline_picture import draw
from sessionfs.errors import Unsupported

if TYPE_CHECKING:
    from sessionfs.ui.panes import Draw

_UNDECODED = "backslashreplace"

_ROLES = {"bold": "title", "red": "bad", "green": "good", "yellow": "warn", "dim": "dim"}

# What COLORFGBG calls dark.
_DARK_COLOURS = ("0", "1", "2", "3", "4", "5", "6", "8")


class NoTextual(Unsupported):
    """What the browser is made with is not installed."""


def _ui(call: Call, arguments: Arguments) -> int:
    if call.out.as_json:
        raise UsageError("the browser is for people; for programs there are find, events and the others, with --json")
    if not is_interactive(call):
        raise UsageError("the browser needs a terminal that can move its cursor, for its output and its keys")
    try:
        from sessionfs.ui.app import Browser
    except ModuleNotFoundError as failure:
        if (failure.name or "").partition(".")[0] not in ("textual", "rich", "pygments"):
            raise
        raise NoTextual(
            f"the browser needs {failure.name}, which is not installed; install it with: pip install 'sessionfs[ui]'"
        ) from failure
    with call.open_store(background_sync=True) as store:
        named = arguments.maybe("SESSION")
        browser = Browser(
            store,
            Verbs(call.env, call.path("."), store.path).run,
            _drawing(call),
            query=arguments.maybe("query") or "",
            session_id=None if named is None else call.session(store, named).id,
            is_light=_is_light(call, arguments.maybe("theme")),
            has_colours=not call.env.get("NO_COLOR"),
        )
        browser.run()
        return browser.return_code or 0


def is_interactive(call: Call) -> bool:
    """Say whether somebody sits there who can press keys, at a terminal that can move its cursor."""
    return call.out.is_terminal and call.stdin.isatty() and call.env.get("TERM", "dumb") != "dumb"


def _drawing(call: Call) -> Draw:
    """Return what draws timelines as the verb does, with the roles that the browser has in place of colours."""
    signs = signs_of(call)
    return lambda timeline, width: [pieces(line) for line in draw(timeline, width, signs, marked)]


def marked(colour: str, text: str) -> str:
    """Return *text* with its role before it; the signs between cannot be in what is drawn."""
    return f"\x02{_ROLES.get(colour, '')}\x03{text}\x02\x03"


def pieces(line: str) -> tuple[tuple[str, str], ...]:
    parts = [part.partition("\x03") for part in f"\x03{line}".split("\x02")]
    return tuple((text, role) for role, _, text in parts if text)


class Verbs:
    """Runs verbs as somebody would who types them: in the user's directory, each in a process of its own."""

    def __init__(self, env: Mapping[str, str], directory: str, store_path: str) -> None:
        self._env = dict(env)
        self._directory = directory
        self._store_path = store_path

    async def run(self, words: Sequence[str], interrupting: asyncio.Event) -> tuple[int, str, str]:
        """Run one to its end; return its exit code, standard output and standard error.

        Args:
            interrupting: Once it is set, the verb gets SIGINT.

        When this is cancelled, the verb gets SIGINT too, and is waited for; a second time, it is not.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                # -P: no module is imported from the user's directory.
                *(sys.executable, "-P", "-m", "sessionfs", "--store", self._store_path, *words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self._directory,
                env=self._env,
            )
        except (OSError, ValueError) as failure:  # a word that is too long, a directory that has gone; a NUL
            return exits.USAGE, "", _cannot_run(failure)
        ending = asyncio.create_task(process.communicate())
        interrupted = asyncio.create_task(interrupting.wait())
        try:
            await asyncio.wait((ending, interrupted), return_when=asyncio.FIRST_COMPLETED)
        finally:
            interrupted.cancel()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)
            out, err = await ending
        code = process.returncode or 0
        return code if code >= 0 else 128 - code, out.decode(errors=_UNDECODED), err.decode(errors=_UNDECODED)


def _cannot_run(failure: OSError | ValueError) -> str:
    """Return why a command was not even begun."""
    if not isinstance(failure, OSError):
        why = "no word of a command can hold NUL"
    elif failure.errno == errno.E2BIG:
        why = "it is longer than the system takes, 128 KiB in one word; run it in a shell, with a file as its input"
    else:
        why = exits.message_of(failure)
    return f"the command cannot be run: {why}"


def _is_light(call: Call, theme: str | None) -> bool:
    """Say whether the terminal is light: as asked for, or as some terminals say in COLORFGBG (``0;15``)."""
    if theme in ("light", "dark"):
        return theme == "light"
    background = call.env.get("COLORFGBG", "").rpartition(";")[2]
    return background.isdecimal() and background not in _DARK_COLOURS


VERBS = {
    "ui": Verb(
        _ui,
        about="Sessions with a filter on the left; artifacts, state, events and a timeline of the one that is chosen "
        "on the right, with what is in them; versions of an artifact, and what differs between two. What other "
        "processes do is seen as it happens. Everything that is done is done by a verb, and the command is shown. ? "
        "lists the keys; the mouse works too. Needs textual: pip install 'sessionfs[ui]'.",
        positionals=(
            Positional("SESSION", "The session that is chosen at first", count="?", complete="session"),
        ),
        options=(
            Option("--query", "What stands in the filter of the sessions, as for find --sessions", metavar="QUERY"),
            Option("--theme", "Colours for a dark or a light terminal; by default as it says in $COLORFGBG, else dark; "
                   "none with $NO_COLOR", metavar="THEME", choices=("auto", "dark", "light")),
        ),
        examples=(
            ("ui", "looks at the store"),
            ("ui q4", "begins with a session"),
            ("ui --query 'status:failed after:7d'", "begins with what failed in the last week"),
        ),
        exits={
            2: "This is no terminal, or the request is malformed.",
            7: "textual is not installed.",
            130: "Ended by Ctrl-C; other signals give 128 and their number.",
        },
    ),
}  # fmt: skip
