"""What the command lines of tools/bench have in common."""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from benchmarks.interrupts import exit_on_signals
from benchmarks.measure import Progress
from benchmarks.scratch import Scratch, scratch_in


class NothingMatches(Exception):
    """``--rows`` leaves nothing to measure."""


def new_parser(program: str, description: str, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all have.

    Args:
        rounds: How many there are when nobody says otherwise.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=positive, default=rounds, metavar="N", help=f"default {rounds}")
    parser.add_argument(
        "--rows",
        action="append",
        metavar="GLOB",
        help="only rows whose whole name matches, as a shell matches file names, in either case; may be repeated",
    )
    parser.add_argument("--dir", metavar="DIR", help="where the scratch files go; removed afterwards")
    return parser


def positive(text: str) -> int:
    """Return an argument that must be a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def matcher(globs: Sequence[str] | None) -> Callable[[str], bool]:
    """Return what says whether a row's name matches one of *globs*; without any, all do."""
    lowered = [glob.lower() for glob in globs or ("*",)]
    return lambda name: any(fnmatch.fnmatchcase(name.lower(), glob) for glob in lowered)


def run_in_scratch(directory: str | None, root: str, measure: Callable[[Scratch], None]) -> int:
    """Measure in a scratch directory and return the exit code; whatever was made is removed and unmounted.

    Args:
        directory: Where it goes, if somebody said so.
        root: The repository.
    """
    exit_on_signals()
    try:
        with scratch_in(_parent_of_scratch(directory, root)) as scratch:
            measure(scratch)
    except NothingMatches:
        print("tools/bench: --rows matches no row", file=sys.stderr)
        return 2
    return 0


def progress_line() -> Progress:
    """Return what shows a line on standard error while it is a terminal."""
    if not sys.stderr.isatty():
        return lambda text: None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()

    return show


def _parent_of_scratch(chosen: str | None, root: str) -> str:
    """Return where the scratch directory goes: on the repository's filesystem, unless somebody says otherwise."""
    if chosen is not None:
        os.makedirs(chosen, exist_ok=True)
        return os.path.realpath(chosen)
    temporary = tempfile.gettempdir()
    if "TMPDIR" in os.environ or os.stat(temporary).st_dev == os.stat(root).st_dev:
        return temporary
    build = os.path.join(root, "build")
    os.makedirs(build, exist_ok=True)
    return build
