"""The command line of tools/bench mount."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks import output
from benchmarks.commandline import NothingMatches, matcher, new_parser, positive, progress_line, run_in_scratch
from benchmarks.measure import Progress, Skipped
from benchmarks.mount import caches, report
from benchmarks.mount.amplification import measure_amplification
from benchmarks.mount.filesystems import KINDS, Filesystem, lacking_fuse, plain_files
from benchmarks.mount.rows import ROWS, Row, State
from benchmarks.mount.scale import measure_scale
from benchmarks.mount.table import measure_table
from benchmarks.scratch import Scratch

_ROUNDS = 3
_QUICK_DIVISOR = 8
_QUICK_NOTE = f"--quick: {_QUICK_DIVISOR} times less work than the names say, once: a look, no measurement."
_FILES_COUNT = 100_000


def main(argv: Sequence[str], root: str) -> int:
    """Measure and print; the exit code is 0 whatever the numbers are.

    Args:
        root: The repository.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    unknown = set(options.only or ()) - {kind.name for kind in KINDS} - {output.filesystem_type(root)}
    if unknown:
        parser.error(f"--only: there is no {min(unknown)}; there are {', '.join(kind.name for kind in KINDS)}")
    measure = _scale if options.scale else _amplification if options.amplification else _table
    return run_in_scratch(options.dir, root, lambda scratch: measure(options, scratch, progress_line()))


def _parser() -> argparse.ArgumentParser:
    description = "Measure the mount beside plain files and other filesystems that are installed, taking turns."
    parser = new_parser("tools/bench mount", description, _ROUNDS)
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        metavar="NAME,…",
        help=f"of {', '.join(kind.name for kind in KINDS)}; plain files are always measured",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round with an eighth of the work: a look, no measurement"
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--scale", action="store_true", help="instead: many files, memory, descriptors, an idle mount")
    other.add_argument("--amplification", action="store_true", help="instead: bytes on the disk per byte written")
    parser.add_argument(
        "--size", type=positive, default=1024, metavar="MIB", help="of the large file of --scale; default 1024"
    )
    return parser


def _table(options: argparse.Namespace, scratch: Scratch, progress: Progress) -> None:
    rounds = 1 if options.quick else options.rounds
    machine = _print_head(options, scratch, rounds)
    matches = matcher(options.rows)
    rows, notes = _possible([row for row in ROWS if matches(row.name)])
    if options.quick:
        notes.append(_QUICK_NOTE)
    if not rows:
        raise NothingMatches
    with _mounted(options.only, machine["filesystem"], scratch, notes) as filesystems:
        divisor = _QUICK_DIVISOR if options.quick else 1
        table = measure_table(filesystems, rows, scratch, rounds, divisor, progress)
        for name, filesystem in filesystems.items():
            said = filesystem.complaints()
            notes += [f"{name} said {len(said)} lines, the last: {said[-1]}"] if said else []
    progress("")
    if options.json:
        print(json.dumps({"machine": machine, "rounds": rounds, **report.table_to_dict(table, notes)}, indent=2))
    else:
        report.print_table(table, notes)


def _possible(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows that can be measured here, and in a line each why others cannot."""
    notes = []
    if not caches.can_drop() and any(row.state is State.COLD for row in rows):
        rows = [row for row in rows if row.state is not State.COLD]
        notes.append("The cold rows are left out: only root may drop the kernel's caches.")
    for program in sorted({row.needs for row in rows if row.needs is not None and shutil.which(row.needs) is None}):
        rows = [row for row in rows if row.needs != program]
        notes.append(f"The rows of {program} are left out: it is not installed; to get it: apt-get install {program}")
    return list(rows), notes


@contextmanager
def _mounted(
    only: Sequence[str] | None, reference: str, scratch: Scratch, notes: list[str]
) -> Iterator[dict[str, Filesystem]]:
    """Mount what is installed; *notes* are told what is not. The first is the directory of the disk."""
    filesystems = {reference: plain_files(scratch)}
    no_fuse = lacking_fuse()
    notes += [] if no_fuse is None else [no_fuse]
    with ExitStack() as stack:
        for kind in KINDS if no_fuse is None else ():
            if only is not None and kind.name not in only:
                continue
            missing = kind.missing()
            if missing is None:
                try:
                    filesystems[kind.name] = stack.enter_context(kind.mounted(scratch))
                except Skipped as reason:
                    missing = f"{kind.name} is left out: {reason}"
            notes += [] if missing is None else [missing]
        yield filesystems


def _scale(options: argparse.Namespace, scratch: Scratch, progress: Progress) -> None:
    machine = _print_head(options, scratch)
    results = measure_scale(scratch, _FILES_COUNT // (_QUICK_DIVISOR if options.quick else 1), options.size, progress)
    progress("")
    if options.json:
        _print_json(machine, [result.to_dict() for result in results])
    else:
        output.print_results("the mount, large", ("measured", "of"), results)


def _amplification(options: argparse.Namespace, scratch: Scratch, progress: Progress) -> None:
    machine = _print_head(options, scratch)
    results = measure_amplification(scratch, _QUICK_DIVISOR if options.quick else 1, progress)
    progress("")
    if options.json:
        _print_json(machine, [result.to_dict() for result in results])
    else:
        report.print_amplification(results)
        if options.quick:
            print(_QUICK_NOTE)


def _print_head(options: argparse.Namespace, scratch: Scratch, rounds: int | None = None) -> dict[str, Any]:
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, rounds)
    return machine


def _print_json(machine: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    print(json.dumps({"machine": machine, "rows": rows}, indent=2))
