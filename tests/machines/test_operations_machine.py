"""Undoing operations that go on at the same time: what is left is what the others have done."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from ongoing import Ongoing
from stores import Stores
from test_restoring_machine import contents, names, paths, what_is

from sessionfs.errors import Error
from sessionfs.store.operation import grouped
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, View, compare_states, view_at
from sessionfs.travel.effect import NothingToRedo, NothingToUndo
from sessionfs.travel.merge import merge
from sessionfs.travel.restore import restore
from sessionfs.travel.undo import RestsOnUndone, redo, undo

operations = st.integers(0, 3)
keys = st.sampled_from("abc")
counts = st.integers(1, 3)


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


_CHANGES = frozenset({"artifact.stored", "artifact.updated", "artifact.renamed", "artifact.deleted", "state.changed"})
_LAST = frozenset({"session.restored", "session.merged"})  # of a restore, which may be an undo, and of a merge

# What is stored anew gets another number, and says who stored it when.
_OF_ITS_OWN = ("ino", "created_at", "created_by", "origin")


def seen(one):
    artifacts, groups, counted, state = what_is(one)
    for said in artifacts.values():
        for field in _OF_ITS_OWN:
            said.pop(field, None)  # directories have none of these
    return artifacts, groups, counted, state


class Artifacts(RuleBasedStateMachine):
    """The model is what the records that are in effect add up to, from the first one on."""

    def __init__(self):
        super().__init__()
        self.store = Stores.opened()
        self.session = self.store.create_session(session_id=f"s{next(Stores.numbers)}")
        self.child = None
        self.going_on = [Ongoing() for _ in range(4)]
        self.count = 0  # how many records have been looked at
        self.changes: dict[int, int] = {}  # the operation of each record that changes something and is in effect
        self.undone: list[dict[int, int]] = []  # likewise of those out of effect, by each undoing that can be redone
        self.records = []

    def note(self, *, is_new=True):
        """Take in what has been appended: something new, or an undoing or redoing."""
        self.records += [record for _, record in self.session.log.lines()][len(self.records) :]
        for record in self.records[self.count :] if is_new else ():
            if record.type in _CHANGES | _LAST:
                self.changes[record.seq] = record.seq if record.operation is None else record.operation
                self.undone.clear()
        self.count = len(self.records)

    def do(self, operation, call):
        with grouped(self.going_on[operation]), suppress(Error):
            call(self.session)
        self.note()

    def existing(self, data, session):
        return data.draw(st.sampled_from(["a", *sorted(path for path, _ in session.tree.walk())]))

    # What is done, now and then, in one of the operations

    @initialize()
    def begin(self):
        self.note()

    @rule(operation=operations, path=paths, content=contents)
    def put(self, operation, path, content):
        stored = self.session.objects.put_bytes(content)
        self.do(operation, lambda session: session.artifacts.put(path, stored))

    @rule(operation=operations, path=paths)
    def make_directory(self, operation, path):
        self.do(operation, lambda session: session.artifacts.make_directory(path))

    @rule(
        operation=operations, data=st.data(), path=paths, verb=st.sampled_from(["rename", "exchange", "link", "copy"])
    )
    def move(self, operation, data, path, verb):
        source = self.existing(data, self.session)
        self.do(operation, lambda session: getattr(session.artifacts, verb)(source, path))

    @rule(operation=operations, data=st.data(), mode=st.sampled_from([0o600, 0o755]))
    def change(self, operation, data, mode):
        path = self.existing(data, self.session)
        self.do(operation, lambda session: session.artifacts.change(path, mode=mode))

    @rule(operation=operations, data=st.data())
    def delete(self, operation, data):
        path = self.existing(data, self.session)
        self.do(operation, lambda session: session.artifacts.delete(path, recursive=True))

    @rule(operation=operations, key=keys)
    def set(self, operation, key):
        self.do(operation, lambda session: session.values.set(key, self.count))

    @rule(operation=operations)
    def record(self, operation):
        self.do(operation, lambda session: session.append("custom.happened", {}))

    @rule(operation=operations)
    def end(self, operation):
        self.going_on[operation] = Ongoing()

    # Operations of their own

    @rule(data=st.data())
    def restore(self, data):
        restore(self.session, AfterRecord(data.draw(st.integers(0, self.session.log.position.seq - 1))))
        self.note()

    @rule()
    def fork(self):
        self.child = self.store.fork_session(self.session.id, at=self.session.log.position)
        self.session.refresh()
        self.child.refresh()
        self.note()

    @precondition(lambda self: self.child is not None)
    @rule(data=st.data(), name=names)
    def change_the_child(self, data, name):
        source = self.existing(data, self.child)
        with suppress(Error):
            self.child.artifacts.put(name, self.child.objects.put_bytes(b"of the child"))
        with suppress(Error):
            self.child.artifacts.rename(source, name)

    @precondition(lambda self: self.child is not None)
    @rule()
    def merge(self):
        merge(self.child, self.session)
        self.note()

    # Going back

    @rule(count=counts)
    def undo(self, count):
        newest = list(dict.fromkeys(reversed(self.changes.values())))
        before = what_is(self.session)
        try:
            done = undo(self.session, count)
        except NothingToUndo:
            assert len(newest) < count
            return
        except RestsOnUndone:
            assert self.session.log.position.seq == self.count and what_is(self.session) == before
            return
        assert list(done.operations) == newest[:count]
        gone = {seq: operation for seq, operation in self.changes.items() if operation in newest[:count]}
        self.changes = {seq: operation for seq, operation in self.changes.items() if seq not in gone}
        self.undone.append(gone)
        self.note(is_new=False)

    @rule(count=counts)
    def redo(self, count):
        try:
            redo(self.session, count)
        except NothingToRedo:
            assert len(self.undone) < count
            return
        for _ in range(count):
            self.changes = dict(sorted({**self.changes, **self.undone.pop()}.items()))
        self.note(is_new=False)

    @rule(operation=operations, key=keys)
    def undo_and_redo_while_one_begins(self, operation, key):
        self.undo(1)
        self.going_on[operation] = Ongoing()
        self.record(operation)
        self.redo(1)
        self.set(operation, key)

    @invariant()
    def it_is_what_is_in_effect(self):
        fold = self.session.new_fold()
        for record in self.records:
            if record.seq == 0 or record.seq in self.changes:
                fold.apply(record)
        model = View(self.session.id, self.session.log.position, fold, self.session.objects)
        assert seen(self.session) == seen(model)
        assert self.session.fold.fields.includes == fold.fields.includes


TestOperations = Operations.TestCase
TestArtifacts = Artifacts.TestCase
