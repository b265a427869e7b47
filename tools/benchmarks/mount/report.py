"""What is printed of the table: columns for people, one document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measure import rounded
from benchmarks.mount.amplification import EXPLANATION, Written
from benchmarks.mount.rows import Row
from benchmarks.mount.table import Table
from benchmarks.mount.verdict import Decided, common_rows, decide, means, slower_than_peer
from benchmarks.mount.work import MIB
from benchmarks.output import figure, met_text, print_columns


def print_table(table: Table, notes: Sequence[str]) -> None:
    """Print the table, the means, the bars and what is to be said about them."""
    reference, *others = table.names
    lines = [("", reference, "", *others)]
    for row in table.rows:
        raw_ns = table.cells[row.name, reference].median_ns
        raw = None if raw_ns is None else row.unit.of(raw_ns)
        lines.append((row.name, figure(raw), row.unit.name, *(_ratio_text(table, row, name) for name in others)))
    mean = means(table)
    if mean:
        lines.append(("geometric mean of the ratios", "", "", *(f"{mean[name]:.2f}" for name in others)))
    print_columns(lines, left=(0, 2))
    print(f"{reference}: us per operation or ms for all; the others: their time divided by that, median of the rounds")
    if others:
        _print_left_out(table)
    _print_slower(table)
    _print_bars(decide(table))
    _print_notes([*notes, *_failures(table)])


def table_to_dict(table: Table, notes: Sequence[str]) -> dict[str, Any]:
    """Return all of it JSON-ready; times are in the row's unit, one per round."""
    rows = []
    for row in table.rows:
        measured = {}
        for name in table.names:
            cell = table.cells[row.name, name]
            measured[name] = {
                "rounds": [rounded(row.unit.of(ns)) for ns in cell.ns.values()],
                "ratio": rounded(table.ratio(row, name)),
                **({"refused": True} if cell.refused else {}),
                **({"failure": cell.failure} if cell.failure is not None else {}),
            }
        rows.append({"name": row.name, "unit": row.unit.name, "filesystems": measured})
    slower = slower_than_peer(table)
    return {
        "filesystems": list(table.names),
        "rows": rows,
        "mean": {name: rounded(mean) for name, mean in means(table).items()},
        "slower_than_s3ql": None if slower is None else {row.name: rounded(times) for row, times in slower},
        "bars": [
            {"name": one.text, "ratio": rounded(one.ratio), "at_most": one.bar.limit, "met": one.met}
            for one in decide(table)
        ],
        "notes": list(notes),
    }


def print_amplification(results: Sequence[Written]) -> None:
    """Print what each case made the disk write."""
    lines = [("MiB", "user", "written", "x", "stays", "x", "allowed", "")]
    for one in results:
        sizes = [
            f"{size / MIB:,.1f}" for size in (one.user_bytes, one.written_bytes, one.stays_bytes, one.allowed_bytes)
        ]
        factors = [f"{size / one.user_bytes:.2f}" for size in (one.written_bytes, one.stays_bytes)]
        lines.append((one.name, sizes[0], sizes[1], factors[0], sizes[2], factors[1], sizes[3], met_text(one.met)))
    print_columns(lines, left=(0, 7))
    print(EXPLANATION)


def _ratio_text(table: Table, row: Row, name: str) -> str:
    ratio = table.ratio(row, name)
    if ratio is not None:
        return f"{ratio:.2f}"
    return "refused" if table.cells[row.name, name].refused else "failed"


def _print_left_out(table: Table) -> None:
    common = common_rows(table)
    left_out = [row.name for row in table.rows if row not in common]
    words = f"The means are over {len(common)} of {len(table.rows)} rows, which all filesystems have"
    print(f"{words}; not over: {'; '.join(left_out)}." if left_out else f"{words}.")


def _print_slower(table: Table) -> None:
    slower = slower_than_peer(table)
    if slower:
        print("\nSlower than s3ql: " + "; ".join(f"{row.name} ({times:.2f} x)" for row, times in slower))
    elif slower is not None:
        print("\nNo row is slower than s3ql's.")


def _print_bars(decided: Sequence[Decided]) -> None:
    if decided:
        lines = [("bars of sessionfs", "ratio", "bar", "")]
        lines += [(one.text, f"{one.ratio:.2f}", one.bar.text, met_text(one.met)) for one in decided]
        print_columns(lines, left=(0, 2, 3))


def _failures(table: Table) -> list[str]:
    return [
        f"{name}, {row.name}: {cell.failure}"
        for row in table.rows
        for name in table.names
        if (cell := table.cells[row.name, name]).failure is not None and not cell.refused
    ]


def _print_notes(notes: Sequence[str]) -> None:
    if notes:
        print()
    for note in notes:
        print(note)
