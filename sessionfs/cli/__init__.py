"""The command line: the only place that prints, reads the environment and exits.

``verbs``      the table of verbs; each is in a module of its own or of its family
``spec``       what a verb takes, as data
``arguments``  parsing by that data
``help``       help texts from that data; ``completion`` the shells' scripts
``call``       what a verb gets: streams, environment, store
``output``     lines and JSON on standard output; ``tables`` and ``progress`` for people
``exits``      exit codes and messages

A verb is a function of a :class:`Call` and its :class:`Arguments`. It returns an exit code, or None for 0, and
raises an error of ours, or an OSError for a file of the user's; :func:`main` maps both.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError, parse, parse_globals
from sessionfs.cli.spec import GLOBAL_OPTIONS, Option
from sessionfs.cli.verbs import FAMILIES, MODULE_OF, USUAL, import_verb
from sessionfs.errors import Error

_FIRST_OPTIONS = (*GLOBAL_OPTIONS, Option("--version", "Print the version"))

_BUG = 70  # EX_SOFTWARE of sysexits.h


def main(
    argv: Sequence[str],
    env: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    cwd: str | None = None,
) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: The words after the program's name.
        stdin, stdout, stderr: Text files with a ``buffer`` where content passes through them.
        cwd: Where the user's relative paths start; the process's directory by default.
    """

    def run() -> int:
        first, words = parse_globals(_FIRST_OPTIONS, list(argv))
        if first.flag("version"):
            return _print(stdout, _version())
        if words[:1] == ["help"]:
            first.update(Arguments({"help": [""]}))
            del words[0]
        name, words = _find_verb(words)
        if name not in MODULE_OF:
            return _help_without_verb(name, first.flag("help") or bool(words), stdout, stderr)
        streams = (stdin, stdout, stderr)
        return _mapped(f"sessionfs: {name}", stdout, stderr, lambda: _run_verb(name, first, words, env, cwd, streams))

    return _mapped("sessionfs", stdout, stderr, run)


def main_process() -> None:
    """Run this process's command line and end the process."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown escaped rather than ending in a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = main(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr)
    except Exception:
        import traceback

        traceback.print_exc()
        code = _BUG
    sys.stderr.flush()
    # Not sys.exit: tearing the interpreter down takes 5 ms of a plumbing verb's 30, and there is nothing left to
    # do: main() has written out its output, and closing the store synced it.
    os._exit(code)


def _mapped(prefix: str, stdout: TextIO, stderr: TextIO, run: Callable[[], int]) -> int:
    """Return what *run* returns, or what its error maps to, with a message under *prefix*."""
    try:
        return run()
    except BrokenPipeError:
        return exits.BROKEN_PIPE  # nobody reads any more: nothing to tell
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except (Error, OSError) as failure:
        with contextlib.suppress(OSError):
            stdout.flush()  # what was written before belongs before the message
        hint = f"; see: {prefix.replace(':', '')} --help" if isinstance(failure, UsageError) else ""
        stderr.write(f"{prefix}: {exits.message_of(failure)}{hint}\n")
        return exits.exit_of(failure)


def _run_verb(
    name: str,
    first: Arguments,
    words: list[str],
    env: Mapping[str, str],
    cwd: str | None,
    streams: tuple[TextIO, TextIO, TextIO],
) -> int:
    verb = import_verb(name)
    arguments = parse(verb, ["--help"] if first.flag("help") else words)
    first.update(arguments)  # an option may stand before the verb or after it
    if first.flag("help"):
        from sessionfs.cli.help import format_verb

        return _print(streams[1], format_verb(name, verb))
    from sessionfs.cli.call import Call

    call = Call(env, cwd, *streams, store_option=first.maybe("store"), as_json=first.flag("json"))
    code = verb.run(call, arguments)
    call.out.flush()  # here, so that a full disk is reported
    return code or exits.YES


def _find_verb(words: list[str]) -> tuple[str, list[str]]:
    """Return the verb that *words* begin with, and what follows it.

    Without a second word, or with --help in its place, the verb is a family's name; without any it is "".
    """
    if not words:
        return "", []
    name, rest = words[0], words[1:]
    if name in FAMILIES:
        if not rest or rest[0] in ("-h", "--help"):
            return name, rest
        second = f"{name} {rest[0]}"
        name, rest = (USUAL[name], rest) if name in USUAL and second not in MODULE_OF else (second, rest[1:])
    if name in MODULE_OF:
        return name, rest
    raise UsageError(f"there is no verb {name!r}{_nearest(name)}")


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    family, _, word = name.partition(" ")
    if family in FAMILIES:
        known = {verb.split()[1]: verb for verb in MODULE_OF if verb.startswith(f"{family} ")}
        others = f"; there are: {', '.join(known.values())}"
    else:
        # Also by the second word alone: "put" is "artifact put".
        known = {**{verb.split()[-1]: verb for verb in MODULE_OF}, **{word: word for word in (*MODULE_OF, *FAMILIES)}}
        word, others = name, ""
    close = dict.fromkeys(known[match] for match in get_close_matches(word, known, n=2))
    return f" (did you mean {' or '.join(close)}?)" if close else others


def _help_without_verb(family: str, asked: bool, stdout: TextIO, stderr: TextIO) -> int:
    from sessionfs.cli import help

    text = help.format_family(family) if family else help.format_overview()
    if asked:
        return _print(stdout, text)
    stderr.write(text)
    return exits.USAGE


def _print(stdout: TextIO, text: str) -> int:
    stdout.write(text)
    stdout.flush()
    return exits.YES


def _version() -> str:
    from sessionfs import __version__

    return f"sessionfs {__version__}\n"


def _open_closed_streams() -> None:
    """Give descriptors 0 to 2 that were closed a file, so that no file of a store gets their number.

    Standard output gets one that cannot be written to: data that nobody can get is an error.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
