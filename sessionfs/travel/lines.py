"""Which lines differ between two texts. Pure.

Myers's greedy algorithm finds the fewest lines to take out and put in; its cost grows with the square of their number.
Where there are many, the lines that occur once in both texts and in the same order divide the texts into pieces
(patience diff), and what is still too different in a piece counts as replaced as a whole. So the time is bounded, and
the answer is always right, if not always the shortest.

Source:
    Myers, An O(ND) Difference Algorithm and Its Variations (1986); Bram Cohen, Patience Diff Advantages (2010).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

# For a way of so many lines the shortest is looked for: at most 40 ms, and 3 ms for each of many pieces.
_MAX_STEPS = 400
_MAX_STEPS_IN_PIECE = 100


class Block(NamedTuple):
    """Lines ``old[old_start:old_end]`` become ``new[new_start:new_end]``; one of the two may be none."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def differing_blocks(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Block]:
    """Return what differs, in order; blocks that touch are one."""
    numbers: dict[Hashable, int] = {}
    before = [numbers.setdefault(line, len(numbers)) for line in old]
    after = [numbers.setdefault(line, len(numbers)) for line in new]
    joined: list[Block] = []
    for block in _blocks(before, after, Block(0, len(before), 0, len(after)), divide=True):
        last = joined[-1] if joined else None
        if last is not None and last.old_end == block.old_start and last.new_end == block.new_start:
            joined[-1] = Block(last.old_start, block.old_end, last.new_start, block.new_end)
        else:
            joined.append(block)
    return joined


def _blocks(old: list[int], new: list[int], part: Block, *, divide: bool) -> Iterator[Block]:
    part = _trim(old, new, part)
    if part.old_start == part.old_end and part.new_start == part.new_end:
        return
    if part.old_start == part.old_end or part.new_start == part.new_end:
        yield part
        return
    limit = _MAX_STEPS if divide else _MAX_STEPS_IN_PIECE
    shortest = _shortest(old[part.old_start : part.old_end], new[part.new_start : part.new_end], limit)
    if shortest is not None:
        for block in shortest:
            yield Block(
                block.old_start + part.old_start,
                block.old_end + part.old_start,
                block.new_start + part.new_start,
                block.new_end + part.new_start,
            )
        return
    anchors = _anchors(old, new, part) if divide else []
    if not anchors:
        yield part
        return
    old_at, new_at = part.old_start, part.new_start
    for old_anchor, new_anchor in [*anchors, (part.old_end, part.new_end)]:
        yield from _blocks(old, new, Block(old_at, old_anchor, new_at, new_anchor), divide=False)
        old_at, new_at = old_anchor, new_anchor


def _trim(old: list[int], new: list[int], part: Block) -> Block:
    """Return *part* without the lines at its start and end that are the same."""
    old_start, old_end, new_start, new_end = part
    while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
        old_start, new_start = old_start + 1, new_start + 1
    while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
        old_end, new_end = old_end - 1, new_end - 1
    return Block(old_start, old_end, new_start, new_end)


def _shortest(old: list[int], new: list[int], limit: int) -> list[Block] | None:
    """Return the fewest changes; None when they are more than *limit* lines."""
    furthest = {1: 0}  # by diagonal: how far in old, with so many steps as have been made
    trace: list[dict[int, int]] = []
    for steps in range(min(len(old) + len(new), limit) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-steps, steps + 1, 2):
            down = diagonal == -steps or (
                diagonal != steps and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
            )
            at = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            while at < len(old) and 0 <= at - diagonal < len(new) and old[at] == new[at - diagonal]:
                at += 1
            furthest[diagonal] = at
            if at >= len(old) and at - diagonal >= len(new):
                return _walk_back(trace, len(old), len(new))
    return None


def _walk_back(trace: list[dict[int, int]], old_at: int, new_at: int) -> list[Block]:
    blocks: list[Block] = []
    for steps in range(len(trace) - 1, 0, -1):
        furthest = trace[steps]
        diagonal = old_at - new_at
        down = diagonal == -steps or (
            diagonal != steps and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
        )
        came_from = diagonal + 1 if down else diagonal - 1
        old_from = furthest[came_from]
        new_from = old_from - came_from
        blocks.append(Block(old_from, old_from + (not down), new_from, new_from + down))
        old_at, new_at = old_from, new_from
    blocks.reverse()
    return blocks


def _anchors(old: list[int], new: list[int], part: Block) -> list[tuple[int, int]]:
    """Return the places of lines that occur once on each side, as many as are in the same order."""
    old_counts = Counter(old[part.old_start : part.old_end])
    new_counts = Counter(new[part.new_start : part.new_end])
    place_in_new = {new[at]: at for at in range(part.new_start, part.new_end) if new_counts[new[at]] == 1}
    pairs = [
        (at, place_in_new[old[at]])
        for at in range(part.old_start, part.old_end)
        if old_counts[old[at]] == 1 and old[at] in place_in_new
    ]
    return _longest_rising(pairs)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest selection of *pairs*, sorted by the first numbers, whose second numbers rise too."""
    tails: list[int] = []  # the smallest second number that ends a selection of each length
    ends: list[int] = []  # …and the index of its pair
    before: list[int] = []  # the index of the pair before each
    for index, (_, number) in enumerate(pairs):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [number]
        ends[length : length + 1] = [index]
    chosen: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    chosen.reverse()
    return chosen
