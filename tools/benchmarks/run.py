"""The command line of tools/bench: the API here, the mount in ``mount.run``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from benchmarks import api, bulk, hooks, looking_back, output, returning, watching
from benchmarks.commandline import NothingMatches, matcher, new_parser, positive, progress_line, run_in_scratch
from benchmarks.measure import measure_row
from benchmarks.scratch import Scratch

_ROUNDS = 7
_CONTEST = "files of 1-4 KiB, git, SQLite"


def main(argv: Sequence[str], root: str) -> int:
    """Measure and print; the exit code is 0 whatever the numbers are.

    Args:
        root: The repository.
    """
    if argv[:1] == ["mount"]:
        from benchmarks.mount.run import main as main_of_mount

        return main_of_mount(argv[1:], root)
    if argv[:1] == ["find"]:
        from benchmarks.find.run import main as main_of_find

        return main_of_find(argv[1:], root)
    if argv[:1] == ["upkeep"]:
        from benchmarks.upkeep import main as main_of_upkeep

        return main_of_upkeep(argv[1:], root)
    options = _parser().parse_args(argv)
    return run_in_scratch(options.dir, root, lambda scratch: _measure(options, scratch))


def _parser() -> argparse.ArgumentParser:
    description = "Measure sessionfs beside the system calls it is made of, git and SQLite."
    parser = new_parser("tools/bench", description, _ROUNDS)
    parser.epilog = (
        "tools/bench mount measures the mount, tools/bench find the index, tools/bench upkeep fsck, gc and packs; "
        "see their --help."
    )
    parser.add_argument(
        "--files", type=positive, default=bulk.FILES_COUNT, metavar="N", help="small files beside git and SQLite"
    )
    return parser


def _measure(options: argparse.Namespace, scratch: Scratch) -> None:
    rounds, matches = options.rounds, matcher(options.rows)
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, rounds)
    progress = progress_line()
    rows = (*api.ROWS, *hooks.ROWS, *looking_back.ROWS, *returning.ROWS, *watching.ROWS)
    results = [measure_row(row, scratch, rounds, progress) for row in rows if matches(row.name)]
    contest = None
    if matches(f"{options.files:,} {_CONTEST}"):
        contest = bulk.measure_contest(scratch, options.files, rounds, progress)
    progress("")
    if not results and contest is None:
        raise NothingMatches
    if options.json:
        all_results = [*results, *(contest.results() if contest is not None else ())]
        rows = [result.to_dict() for result in all_results]
        print(json.dumps({"machine": machine, "rounds": rounds, "rows": rows}, indent=2))
        return
    if results:
        output.print_results("API", ("ours", "by hand"), results)
    if contest is not None:
        output.print_contest(contest)
