"""The command line of tools/torture --faults, and the table that it prints."""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from faults.device import scratch
from faults.outcome import HEAD, Outcome, Trial

# Module, function, and its part of the time. What needs much for one fault gets more.
KINDS = {
    "power": ("simulated", "power_cuts", 3),
    "calls": ("simulated", "failing_calls", 2),
    "traced": ("traced", "traced_kills", 3),
    "programs": ("killed_programs", "killed_programs", 2),
    "commands": ("killed_commands", "killed_commands", 3),
    "mount": ("killed_mounts", "killed_mounts", 4),
    "ext4": ("blocks", "ext4", 3),
    "xfs": ("blocks", "xfs", 3),
    "btrfs": ("blocks", "btrfs", 3),
    "rsync": ("copied", "copied", 7),
    "together": ("together", "together", 3),
}

# Of the time of a kind, for its negative control; it ends as soon as that is noticed. One that is not noticed has
# failed, so there is time for it however little there is for all.
_CONTROL_PART = 0.3
_CONTROL_SECONDS = 20.0
_BEGIN, _END = "<!-- tools/torture --faults -->", "<!-- end -->"


def main(argv: Sequence[str]) -> int:
    """Inject faults; returns 0 when nothing was lost and every control was noticed, else 1."""
    options = _parser().parse_args(argv)
    chosen = options.only or list(KINDS)
    total = sum(KINDS[name][2] for name in chosen)
    outcomes = []
    with scratch(options.dir) as directory:
        for name in chosen:
            module, function, part = KINDS[name]
            seconds = options.seconds * part / total
            outcomes.append(_try(name, module, function, seconds, directory, options.seed))
    table = format_table(outcomes)
    print(table)
    for outcome in outcomes:
        for lost in outcome.lost:
            print(f"LOST: {outcome.kind}: {lost}")
    if options.table:
        _write_table(Path(options.table), table, options.seconds)
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/torture --faults", description="Faults injected into the real code, and what was lost by them."
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="for all of it; default 60")
    parser.add_argument("--only", action="append", choices=list(KINDS), help="only this kind; once for each")
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="choose the same faults again")
    parser.add_argument("--table", metavar="FILE", help="write the table into FILE, between its two marks")
    parser.add_argument("--dir", metavar="DIR", help="where stores and images go; in memory by default")
    return parser


def _try(name: str, module: str, function: str, seconds: float, directory: Path, seed: int | None) -> Outcome:
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{name}: {text}", file=sys.stderr, flush=True)

    def trial(seconds: float) -> Trial:
        place = directory / f"{name}-{len(list(directory.iterdir()))}"
        place.mkdir()
        return Trial(place, seconds, random.Random(seed), say)

    kind = getattr(importlib.import_module(f"faults.{module}"), function)
    outcome: Outcome = kind(trial((1 - _CONTROL_PART) * seconds), trial(max(_CONTROL_PART * seconds, _CONTROL_SECONDS)))
    say(
        f"seed {seed}, {time.monotonic() - began:.0f} s: {outcome.injected:,} times, "
        f"{len(outcome.lost) or 'nothing'} lost; {outcome.missing or outcome.control}"
    )
    return outcome


def format_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table as Markdown."""
    rows = [HEAD, ["---", "--:", "---", "--:", "---"], *(outcome.row() for outcome in outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _write_table(path: Path, table: str, seconds: float) -> None:
    text = path.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{path} has no place for a table: {_BEGIN} … {_END}")
    path.write_text(f"{before}{begin}\n\nA run of {seconds:g} seconds:\n\n{table}\n\n{end}{after}")
