"""What changed between two moments, of one session or of two."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sessionfs.travel.difference import Change, StateChange, compare_states, compare_trees, pair_renames
from sessionfs.travel.view import View


class Difference(msgspec.Struct, frozen=True):
    """What differs between two views; what was renamed is one change."""

    changes: tuple[Change, ...]
    state_changes: tuple[StateChange, ...]


def compare_views(before: View, after: View, paths: Collection[str] = ()) -> Difference:
    """Return what differs between two moments; times alone do not count.

    Args:
        paths: Compare only these artifacts and what is below them, and no state; everything by default.

    Raises:
        DamagedTree, NoSuchObject: A directory cannot be read.
    """
    # In the same order by whoever compares them, so that two threads never wait for each other.
    first, second = sorted((before, after), key=id)
    with first.lock, second.lock:
        changes = pair_renames(compare_trees(before.tree, after.tree, paths))
        state = [] if paths else compare_states(before.state, after.state)
        return Difference(tuple(changes), tuple(state))
