"""The command line of tools/bench."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import NoReturn

from benchmarks import api, bulk, output
from benchmarks.measure import Progress, Result, measure_row
from benchmarks.mount import measure_mount
from benchmarks.scratch import Scratch, scratch_in

_API_ROUNDS = 7
_MOUNT_ROUNDS = 3
_CONTEST = "files of 1-4 KiB, git, SQLite"


class NothingMatches(Exception):
    """``--rows`` leaves nothing to measure."""


def main(argv: Sequence[str], root: str) -> int:
    """Measure and print; the exit code is 0 whatever the numbers are.

    Args:
        root: The repository.
    """
    options = _parser().parse_args(argv)
    rounds = options.rounds or (_MOUNT_ROUNDS if options.what == "mount" else _API_ROUNDS)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with scratch_in(_parent_of_scratch(options.dir, root)) as scratch:
            measure = _mount if options.what == "mount" else _api
            measure(options, scratch, rounds)
    except NothingMatches:
        print("tools/bench: --rows is found in no row", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench", description="Measure sessionfs beside the system calls it is made of, git and SQLite."
    )
    parser.add_argument("what", nargs="?", choices=("api", "mount"), default="api", help="api is the default")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=_positive, metavar="N", help=f"default {_API_ROUNDS}, mount {_MOUNT_ROUNDS}")
    parser.add_argument("--rows", type=_pattern, default="", metavar="PATTERN", help="only rows it is found in")
    parser.add_argument(
        "--files", type=_positive, default=bulk.FILES_COUNT, metavar="N", help="small files beside git and SQLite"
    )
    parser.add_argument("--dir", metavar="DIR", help="where the scratch stores go; removed afterwards")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _pattern(text: str) -> Callable[[str], bool]:
    try:
        search = re.compile(text, re.IGNORECASE).search
    except re.error as failure:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {failure}") from failure
    return lambda name: search(name) is not None


def _parent_of_scratch(chosen: str | None, root: str) -> str:
    """Return where the scratch directory goes: on the repository's filesystem, unless somebody says otherwise."""
    if chosen is not None:
        os.makedirs(chosen, exist_ok=True)
        return chosen
    temporary = tempfile.gettempdir()
    if "TMPDIR" in os.environ or os.stat(temporary).st_dev == os.stat(root).st_dev:
        return temporary
    build = os.path.join(root, "build")
    os.makedirs(build, exist_ok=True)
    return build


def _api(options: argparse.Namespace, scratch: Scratch, rounds: int) -> None:
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, rounds)
    progress = _progress()
    results = []
    for row in api.ROWS:
        if options.rows(row.name):
            results.append(measure_row(row, scratch, rounds, progress))
    contest = None
    if options.rows(f"{options.files:,} {_CONTEST}"):
        contest = bulk.measure_contest(scratch, options.files, rounds, progress)
    progress("")
    if not results and contest is None:
        raise NothingMatches
    if options.json:
        _print_json(machine, rounds, [*results, *(contest.results() if contest is not None else ())])
        return
    if results:
        output.print_results("API", ("ours", "by hand"), results)
    if contest is not None:
        output.print_contest(contest)


def _mount(options: argparse.Namespace, scratch: Scratch, rounds: int) -> None:
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, rounds)
    progress = _progress()
    results = [result for result in measure_mount(scratch, rounds, progress) if options.rows(result.name)]
    progress("")
    if not results:
        raise NothingMatches
    if options.json:
        _print_json(machine, rounds, results)
    else:
        output.print_results("mount", ("mount", machine["filesystem"]), results)


def _print_json(machine: dict[str, object], rounds: int, results: Sequence[Result]) -> None:
    rows = [result.to_dict() for result in results]
    print(json.dumps({"machine": machine, "rounds": rounds, "rows": rows}, indent=2))


def _progress() -> Progress:
    """Return what shows a line on standard error while it is a terminal."""
    if not sys.stderr.isatty():
        return lambda text: None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()

    return show


def _stop(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # so that what is mounted is unmounted, and what was made is removed
