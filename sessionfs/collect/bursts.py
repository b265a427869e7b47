"""Recording bursts: what the mirror says has changed becomes one operation of the session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from sessionfs.api import Session
from sessionfs.collect import remembered
from sessionfs.collect.mirror import Mirror, Node
from sessionfs.collect.plan import arrange, moves
from sessionfs.collect.rejoining import rejoin, restore
from sessionfs.collect.remembered import Entry
from sessionfs.collect.source import Changes
from sessionfs.collect.storing import Storing, Taken
from sessionfs.collect.tree import DirectoryGone, Tree
from sessionfs.events.query import Query
from sessionfs.events.reading import read


class Timing(NamedTuple):
    """When something is taken, in seconds.

    Attributes:
        debounce: A burst is over when nothing has happened for so long.
        longest: Or when it has gone on for so long; what has changed just now is left for the next one.
        stable: A file that somebody has open for writing is taken all the same when it has not changed for so long.
    """

    debounce: float = 0.3
    longest: float = 5.0
    stable: float = 2.0


# All that is known is said again when the changes since the last time are longer than this many times that: so what
# is read at the next start, and what is written for it, stay within a constant factor of what is collected.
_REPEATED_FACTOR = 2
_REPEATED_LEAST = 1000


class Bursts:
    """Records what has changed in a directory."""

    def __init__(
        self,
        session: Session,
        source: remembered.Source,
        tree: Tree,
        mirror: Mirror,
        storing: Storing,
        timing: Timing,
    ) -> None:
        self._session = session
        self._source = source
        self._tree = tree
        self._mirror = mirror
        self._storing = storing
        self._timing = timing
        self._owed: dict[Node, None] = {}  # said to be taken, and were not
        self._busy: dict[Node, None] = {}  # somebody writes to them
        self._weight = 0  # of what was said since all was said the last time, and of that
        self._has_news = False  # something was said since

    def restore(self) -> None:
        """Take up what earlier collectors of the directory have recorded."""
        store, id = self._session.store.core, self._session.id
        newest_first = read(store, id, Query(types=(remembered.TYPE,), reverse=True))
        recalled = remembered.recall(self._source, ((event.seq, event.data_json) for event in newest_first))
        known, self._weight = recalled.known, recalled.weight
        if recalled.unfinished is not None:
            seq, collected = recalled.unfinished
            begun, *others = read(store, id, Query(types=(remembered.TYPE, "artifact.*"), start=seq))
            records = ((event.type, event.data_json) for event in others if event.operation == begun.operation)
            known = remembered.follow_records(known, self._source, collected, records)
            self._say(known, whole=True)  # nobody else must take what was begun for done
        restore(self._mirror, remembered.in_order(known), self._storing, self._tree.patterns)

    def record(self, changes: Changes, now: float, *, at_once: bool = False, is_last: bool = False) -> float | None:
        """Record what has changed and is ready.

        Args:
            now: In seconds of the monotonic clock.
            at_once: Do not wait for what has changed just now.
            is_last: Nor for files that somebody writes to.

        Returns:
            When to do it again for what is left, by that clock; None when nothing is.

        Raises:
            Error: The session cannot be written to.
            DirectoryGone: The directory is not there any more.
        """
        if self._look():
            changes.rescan(now)
            self._look()
        rejoin(self._mirror, self._storing, changes.pump)
        nodes = [node for node in self._mirror.changed if self._is_wanted(node)]
        self._busy.clear()
        ready = sorted(
            (node for node in nodes if is_last or self._is_ready(node, now, at_once)), key=lambda node: node.path
        )
        moved = moves(self._mirror, nodes)
        if self._mirror.gone and not os.path.isdir(self._tree.root):
            raise DirectoryGone(self._tree.root)
        if moved or ready:
            with self._session.core.operation():
                self._say(self._entries(ready), moved)
                self._arrange(nodes)
                for node in ready:
                    self._take(node, is_last)
                    changes.pump()
        changes.let_go()
        self._mirror.gone.clear()
        self._mirror.lost.clear()
        if self._is_long():
            self.say_all()
        return self._next(now)

    def say_all(self) -> None:
        """Record all that is known, so that the next collector need not look at what was before; if there is news."""
        if not self._has_news:
            return
        entries = {
            node.path: Entry(node.kind, node.taken)
            for node in self._mirror.root.below()
            if node.held_in is not None or node.taken is not None
        }
        self._say(entries, whole=True)

    # Inside

    def _is_long(self) -> bool:
        """Say whether what was said since all was said is too long; without a look at all that is known, mostly."""
        much = self._weight - _REPEATED_LEAST
        return much > 0 and much > _REPEATED_FACTOR * sum(1 for _ in self._mirror.root.below())

    def _is_wanted(self, node: Node) -> bool:
        if not node.is_directory or node.held_in is not None:
            return True
        return self._tree.patterns.takes(node.path, is_directory=True)

    def _is_ready(self, node: Node, now: float, at_once: bool) -> bool:
        age = now - node.changed_at
        if node.kind != "file" or age >= self._timing.stable:
            return True
        if age < self._timing.debounce and not at_once:
            return False
        if self._storing.is_being_written(node):
            self._busy[node] = None
            return False
        return True

    def _look(self) -> bool:
        """Look at what may have changed, and forget what has not.

        Returns:
            Whether a directory was found that has not been looked into: what was told is from before something else.
        """
        mirror = self._mirror
        is_unclear = False
        for node in list(mirror.changed):
            if not mirror.is_here(node):
                del mirror.changed[node]
                continue
            try:
                found = self._tree.look(node.path)
            except OSError as failure:
                self._storing.complain(node.path, failure.strerror or str(failure))
                del mirror.changed[node]
                continue
            if found is None:
                mirror.changed.pop(node, None)
                mirror.remove(node, may_return=True)
            elif found.kind != node.kind:
                assert node.parent is not None
                mirror.add(node.parent, node.name, found.kind).found = found
                is_unclear |= found.kind == "directory"
            else:
                node.found = found
                if found == node.taken and node.is_placed:
                    del mirror.changed[node]
        return is_unclear

    def _entries(self, ready: list[Node]) -> dict[str, Entry]:
        entries = {node.path: Entry(node.kind) for node in self._owed if self._mirror.is_here(node)}
        self._owed.clear()
        unplaced: dict[Node, None] = {}
        for node in ready:
            above = node.parent
            while above is not None and above is not self._mirror.root and not above.is_placed:
                if above in unplaced:
                    break  # and so is what that is in
                unplaced[above] = None
                above = above.parent
        entries |= {node.path: Entry(node.kind, node.found) for node in unplaced}
        return entries | {node.path: Entry(node.kind, node.found) for node in ready}

    def _say(
        self,
        entries: Mapping[str, Entry],
        moved: remembered.Moved | None = None,
        *,
        whole: bool = False,
    ) -> None:
        collected = remembered.describe(self._source, entries, moved, whole=whole)
        self._session.core.record(remembered.TYPE, msgspec.to_builtins(collected))
        self._weight = collected.weight + (0 if whole else self._weight)
        self._has_news = not whole

    def _arrange(self, nodes: list[Node]) -> None:
        steps = arrange(self._mirror, nodes)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._storing.carry_out(step))
        except StopIteration:
            return
        finally:
            self._storing.tell()

    def _take(self, node: Node, is_last: bool) -> None:
        parent = node.parent
        is_in_place = parent is self._mirror.root or (parent is not None and parent.is_placed)
        if not is_in_place or (node.is_directory and not node.is_placed):
            taken = Taken.REFUSED  # and somebody was told why: so could what it is in not be recorded
        else:
            taken = self._storing.take(node, is_last=is_last)
        if taken is not Taken.DONE:
            self._owed[node] = None
        if taken is not Taken.LATER:
            self._mirror.changed.pop(node, None)
        self._storing.tell()

    def _next(self, now: float) -> float | None:
        """Return when something of what is left is to be looked at again."""
        times = [
            node.changed_at + (self._timing.stable if node in self._busy else self._timing.debounce)
            for node in self._mirror.changed
            if self._is_wanted(node)
        ]
        return max(min(times), now + self._timing.debounce) if times else None
