"""The command line of ``tools/bench find``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from benchmarks import output
from benchmarks.commandline import NothingMatches, matcher, new_parser, positive, progress_line, run_in_scratch
from benchmarks.find.rows import measure_size
from benchmarks.find.texts import measure_texts
from benchmarks.scratch import Scratch

_ROUNDS = 5
_SIZES = (10_000, 100_000)


def main(argv: Sequence[str], root: str) -> int:
    """Measure and print; the exit code is 0 whatever the numbers are.

    Args:
        root: The repository.
    """
    parser = new_parser("tools/bench find", "Measure the index beside sqlite3 by hand, and search beside rg.", _ROUNDS)
    parser.add_argument(
        "--artifacts",
        type=positive,
        action="append",
        metavar="N",
        help=f"may be repeated; default {' and '.join(map(str, _SIZES))}; 1000000 takes five minutes and 3 GB",
    )
    options = parser.parse_args(argv)
    return run_in_scratch(options.dir, root, lambda scratch: _measure(options, scratch))


def _measure(options: argparse.Namespace, scratch: Scratch) -> None:
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, options.rounds)
    progress, matches = progress_line(), matcher(options.rows)
    results = []
    for count in options.artifacts or _SIZES:
        results += measure_size(scratch, count, options.rounds, matches, progress)
    results += measure_texts(scratch, options.rounds, matches, progress)
    progress("")
    if not results:
        raise NothingMatches
    if options.json:
        rows = [result.to_dict() for result in results]
        print(json.dumps({"machine": machine, "rounds": options.rounds, "rows": rows}, indent=2))
    else:
        output.print_results("Finding", ("ours", "by hand"), results)
