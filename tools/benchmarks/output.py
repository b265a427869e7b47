"""What is printed: the machine, tables for people, one JSON document for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

from benchmarks.bulk import Contest
from benchmarks.measure import Result


def describe_machine(directory: str) -> dict[str, Any]:
    """Return what the numbers depend on: the machine, and the filesystem that *directory* is on."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "filesystem": filesystem_type(directory),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),  # before it began: others on the machine make numbers worse
    }


def filesystem_type(path: str) -> str:
    """Return the type of the filesystem that *path* is on, as the kernel names it."""
    found = ("", "unknown")
    path = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            point = fields.split()[4]
            if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= len(found[0]):
                found = (point, rest.split()[0])
    return found[1]


def print_machine(machine: dict[str, Any], rounds: int | None) -> None:
    """Print the header; without *rounds*, everything is measured once."""
    print(
        f"{machine['cpus']} CPUs ({machine['cpu']}), Linux {machine['kernel']}, {machine['filesystem']}, "
        f"Python {machine['python']}, load {machine['load']}"
        + ("" if rounds is None else f"; medians of {rounds} rounds" if rounds > 1 else "; one round")
    )


def print_results(title: str, heads: tuple[str, str], results: Sequence[Result]) -> None:
    """Print a table of rows; *heads* are the names of the two sides."""
    lines = [(title, *heads, "", "ratio", "bar", "")]
    notes = []
    for result in results:
        bar = result.bar.text if result.bar is not None else ""
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        lines.append(
            (result.name, figure(result.ours), figure(result.raw), result.unit, ratio, bar, met_text(result.met))
        )
        if result.note is not None:
            notes.append(f"{result.name}: skipped: {result.note}")
    print_columns(lines, left=(0, 3, 5, 6))
    for note in notes:
        print(note)


def print_contest(contest: Contest) -> None:
    """Print what each contender took."""
    first = contest.seconds[contest.ours[0]]
    lines = [(f"{contest.count:,} files of 1-4 KiB", "seconds", "us each", "ratio")]
    for name, seconds in contest.seconds.items():
        lines.append((name, f"{seconds:.3f}", f"{seconds * 1e6 / contest.count:.1f}", f"{seconds / first:.2f}"))
    print_columns(lines, left=(0,))


def met_text(met: bool | None) -> str:
    """Say whether a bar is met; nothing without one."""
    return {True: "met", False: "NOT met", None: ""}[met]


def print_columns(lines: Sequence[tuple[str, ...]], *, left: tuple[int, ...]) -> None:
    """Print *lines* as columns; those of the numbers *left* begin at the left, the others end at the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print()
    for line in lines:
        cells = [
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def figure(value: float | None) -> str:
    """Return a number with three or more digits that mean something."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}" if value >= 100 else f"{value:.3g}"


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.machine()
