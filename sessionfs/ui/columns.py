"""Which columns of a table fit, and how wide they are: a function of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

GAP = 1


class Column(NamedTuple):
    """One column."""

    title: str
    least: int  # cells; with less it is left out
    most: int  # cells; 0 for whatever is left, of which it should get `wish`
    right: bool = False
    sort: str = ""  # what a source calls the order by it; "" for none
    rank: int = 0  # those with the highest are left out first
    is_path: bool = False  # its end says most
    wish: int = 0  # cells; others are left out for it, down to rank 1


def fit(columns: Sequence[Column], width: int) -> list[int]:
    """Return how wide each column is, in cells, 0 for those that are left out; at least one is shown."""
    shown = list(range(len(columns)))
    for wanted in (_wish, _least):
        while len(shown) > 1 and _total([wanted(columns[index]) for index in shown]) > width:
            last = max(shown, key=lambda index: columns[index].rank)
            if not columns[last].rank and wanted is _wish:
                break
            shown.remove(last)
    rest = width - _total([columns[index].least for index in shown])
    widths = [columns[index].least if index in shown else 0 for index in range(len(columns))]
    # First what has a wish, then what can be wider, in the order of rank; what is left goes to those without a bound.
    for most in (_wish, _most):
        for index in sorted(shown, key=lambda index: columns[index].rank):
            more = max(0, min(most(columns[index]) - widths[index], rest))
            widths[index] += more
            rest -= more
    open_ones = [index for index in shown if not columns[index].most] or shown[-1:]
    for place, index in enumerate(open_ones):
        widths[index] = max(1, widths[index] + rest // len(open_ones) + (place < rest % len(open_ones)))
    return widths


def _least(column: Column) -> int:
    return column.least


def _wish(column: Column) -> int:
    return max(column.least, column.wish)


def _most(column: Column) -> int:
    return column.most


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
