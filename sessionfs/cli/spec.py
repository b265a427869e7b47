"""What a verb takes, as data: the parser, the help and the shell completions are read from it.

Plain classes with slots: this module is on the start-up path of every verb, and a NamedTuple costs 0.3 ms to make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionfs.cli.arguments import Arguments
    from sessionfs.cli.call import Call

    Run = Callable[[Call, Arguments], int | None]


class Positional:
    """One argument that is told by its place.

    ``count`` is ``1``, ``?`` (may be missing), ``*`` or ``+``. ``complete`` says what a shell offers for it:
    ``session``, ``artifact``, ``key``, ``template``, ``file``, ``directory`` or nothing.
    """

    __slots__ = ("choices", "complete", "count", "help", "name")

    def __init__(
        self, name: str, help: str, *, count: str = "1", complete: str = "", choices: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.help = help
        self.count = count
        self.complete = complete
        self.choices = choices


class Option:
    """One option; without a metavar it is a flag.

    ``names`` are its spellings, the long one last: ``-l --long``.
    """

    __slots__ = ("choices", "complete", "help", "key", "metavar", "names", "number", "repeat")

    def __init__(
        self,
        names: str,
        help: str,
        *,
        metavar: str = "",
        repeat: bool = False,
        number: bool = False,
        complete: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        self.names = tuple(names.split())
        self.key = self.names[-1].lstrip("-")
        self.help = help
        self.metavar = metavar
        self.repeat = repeat
        self.number = number
        self.complete = complete
        self.choices = choices


class Verb:
    """One verb: what it takes, what runs it, and what its help says beyond the line in the table of verbs.

    ``exits`` names the exit codes that mean something particular here, or that matter; ``examples`` are pairs of a
    command without the word ``sessionfs`` and what it does. ``json`` is what ``--json`` does.
    """

    __slots__ = ("about", "examples", "exits", "json", "options", "positionals", "run")

    def __init__(
        self,
        run: Run,
        *,
        about: str = "",
        positionals: tuple[Positional, ...] = (),
        options: tuple[Option, ...] = (),
        examples: tuple[tuple[str, str], ...] = (),
        exits: dict[int, str] | None = None,
        json: str = "Print one JSON document",
    ) -> None:
        self.run = run
        self.about = about
        self.positionals = positionals
        self.options = options
        self.examples = examples
        self.exits = exits if exits is not None else {}
        self.json = json


JSON = Option("--json", "Print JSON")
JSON_LINES = "Print a JSON object a line"

GLOBAL_OPTIONS = (
    Option(
        "--store",
        "The store; else $SESSIONFS_STORE, else the nearest .sessionfs upward, else sessionfs in your data directory",
        metavar="DIR", complete="directory",
    ),
    JSON,
    Option("-h --help", "Say how it is used, with examples and exit status"),
)  # fmt: skip
"""What every verb takes, before the verb or after it."""

SESSION = Positional("SESSION", "A session's id, a unique prefix of it, its unique name, or @", complete="session")
CURRENT_SESSION = Positional(
    "SESSION",
    "A session's id, a unique prefix of it, its unique name, or @ (the default)",
    count="?",
    complete="session",
)
READ_SESSION = Positional(
    "SESSION", "A session, or with @{…} behind it a moment of one: @{5}, q4@{10 minutes ago}", complete="session"
)
CURRENT_READ_SESSION = Positional(
    "SESSION",
    "A session, @ by default, or with @{…} behind it a moment of one: @{5}, q4@{10 minutes ago}",
    count="?",
    complete="session",
)
ARTIFACT = Positional("PATH", "A path in the session's tree", complete="artifact")
