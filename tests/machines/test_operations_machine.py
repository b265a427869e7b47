"""Undoing operations that go on at the same time: what is left is what the others have done."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from stores import Stores

from sessionfs.store.operation import grouped
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, compare_states, view_at
from sessionfs.travel.effect import NothingToRedo, NothingToUndo
from sessionfs.travel.restore import restore
from sessionfs.travel.undo import redo, undo

operations = st.integers(0, 3)
keys = st.sampled_from("abc")
counts = st.integers(1, 3)


class Ongoing:
    """An operation to which something is added now and then."""

    first = None

    def find(self, log):
        return self.first

    def note(self, log, seq):
        self.first = seq if self.first is None else self.first


@dataclass
class Write:
    """What one record did."""

    operation: Ongoing
    key: str
    value: int | None
    is_in_effect: bool = True


class Operations(RuleBasedStateMachine):
    """The model is the list of all that was written, and which of it is in effect."""

    def __init__(self):
        super().__init__()
        self.session = Store(Stores.path()).create_session(session_id=f"s{next(Stores.numbers)}")
        self.going_on = [Ongoing() for _ in range(4)]
        self.writes: list[Write] = []
        self.undone: list[list[Write]] = []  # by each undoing that can be redone
        self.numbers = itertools.count()

    def expected(self):
        state = {write.key: write.value for write in self.writes if write.is_in_effect}
        return {key: value for key, value in state.items() if value is not None}

    def write(self, operation, key, value):
        self.writes.append(Write(operation, key, value))
        self.undone.clear()

    @rule(operation=operations, key=keys)
    def set(self, operation, key):
        value = next(self.numbers)
        with grouped(self.going_on[operation]):
            self.session.values.set(key, value)
        self.write(self.going_on[operation], key, value)

    @rule(operation=operations, key=keys)
    def delete(self, operation, key):
        if key in self.expected():
            with grouped(self.going_on[operation]):
                self.session.values.delete(key)
            self.write(self.going_on[operation], key, None)

    @rule(operation=operations)
    def end(self, operation):
        self.going_on[operation] = Ongoing()

    @rule(count=counts)
    def undo(self, count):
        newest = list(dict.fromkeys(id(write.operation) for write in reversed(self.writes) if write.is_in_effect))
        try:
            undo(self.session, count)
        except NothingToUndo:
            assert len(newest) < count
            return
        gone = [write for write in self.writes if write.is_in_effect and id(write.operation) in newest[:count]]
        for write in gone:
            write.is_in_effect = False
        self.undone.append(gone)

    @rule(count=counts)
    def redo(self, count):
        try:
            redo(self.session, count)
        except NothingToRedo:
            assert len(self.undone) < count
            return
        for _ in range(count):
            for write in self.undone.pop():
                write.is_in_effect = True

    @rule(data=st.data())
    def restore(self, data):
        view = view_at(self.session, AfterRecord(data.draw(st.integers(0, self.session.log.position.seq - 1))))
        changes = compare_states(self.session.state, view.state)
        then = {key: view.state.get(key) for key in view.state.keys()}  # noqa: SIM118
        restore(self.session, AfterRecord(view.seq))
        restoring = Ongoing()
        for change in changes:
            self.write(restoring, change.key, then.get(change.key))

    @invariant()
    def state_is_what_is_in_effect(self):
        state = self.session.state
        assert {key: state.get(key) for key in state.keys()} == self.expected()  # noqa: SIM118


TestOperations = Operations.TestCase
