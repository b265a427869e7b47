"""Any moment of a session is what its records up to there add up to, from wherever the reading begins."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

from bench import Bench
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from test_fold_machine import Folds, names, processes
from trees import describe_moment

from sessionfs.clock import parse_time
from sessionfs.travel import View, compare_states, compare_trees, pair_renames, resolve_moment, view_at
from sessionfs.travel.changelog import read_operations
from sessionfs.travel.difference import ATTRIBUTE_FIELDS, CONTENT_FIELDS
from sessionfs.travel.moment import AfterRecord, AtTime
from sessionfs.travel.versions import versions_of


def seen_node(node):
    """Return what a comparison looks at."""
    return tuple(getattr(node, field) or None for field in (*CONTENT_FIELDS, *ATTRIBUTE_FIELDS))


def seen(tree):
    return {path: seen_node(node) for path, node in [("", tree.root), *tree.walk()]}


class Travels(Folds):
    """What others do is noted moment by moment; at the end of each run every moment is looked at again."""

    def __init__(self):
        super().__init__()
        self.moments = {}  # what each moment was when it was the present, by number

    @invariant()
    def note_the_present(self):
        session = self.sessions[0]
        session.refresh()
        self.moments[session.log.position.seq - 1] = deepcopy(describe_moment(session))

    @rule(number=processes, count=st.integers(1, 3), data=st.data())
    def write_again(self, number, count, data):
        path = self.existing(data, lambda node: node.is_file)
        for size in range(count):
            self.put(number, path, size, {})

    @rule(number=processes, name=names, data=st.data())
    def replace(self, number, name, data):
        """Save as editors do: another file becomes the one that is there."""
        path = self.existing(data, lambda node: node.is_file)
        self.put(number, name, 7, {})
        self.attempt(number, lambda session: session.artifacts.rename(name, path))

    @rule(number=processes, name=names, into=st.booleans(), data=st.data())
    def link(self, number, name, into, data):
        path = self.existing(data, lambda node: node.is_file)
        above = self.existing(data, lambda node: node.is_directory) + "/" if into else ""
        self.attempt(number, lambda session: session.artifacts.link(path, above + name))

    @rule(number=processes, data=st.data())
    def exchange(self, number, data):
        path, other = self.existing(data), self.existing(data)
        self.attempt(number, lambda session: session.artifacts.exchange(path, other))

    @rule()
    def every_version_is_known_by_its_number(self):
        session = self.sessions[1]
        session.refresh()
        index = versions_of(session)
        for path, node in session.tree.walk():
            if node.is_file:
                versions = index.versions(path)
                assert (versions[-1].number, versions[-1].id) == (node.version, node.id)
                assert [version.number for version in versions] == sorted({version.number for version in versions})
                assert index.content(session, versions[-1]).oid == node.oid

    def teardown(self):
        self.note_the_present()
        self.every_version_is_known_by_its_number()
        warm, new = self.sessions[0], Bench(self.disk).open_session()
        for seq, expected in self.moments.items():
            assert describe_moment(view_at(new, AfterRecord(seq))) == expected
            assert describe_moment(view_at(warm, AfterRecord(seq))) == expected
        self.every_moment_is_what_the_records_before_it_add_up_to(new)
        self.every_moment_is_found_by_its_time(warm)
        self.operations_say_what_is_there_after_them(warm)
        seqs = sorted(self.moments)
        for old, new in {*pairwise(seqs), *pairwise(reversed(seqs[::3])), (seqs[-1], seqs[0])}:
            self.what_differs_is_what_is_different(old, new)

    def every_moment_is_what_the_records_before_it_add_up_to(self, session):
        fold = session.new_fold()
        for _, record in session.log.lines():
            fold.apply(record)
            view = view_at(session, AfterRecord(record.seq))
            assert describe_moment(View(session.id, view.position, fold, session.objects)) == describe_moment(view)

    def every_moment_is_found_by_its_time(self, session):
        records = [record for _, record in session.log.lines()]
        for record in records:
            last = max(other.seq for other in records if other.time <= record.time)
            # The clocks of these processes run apart: the last time may be in the future of this one.
            if record.time < records[-1].time:
                assert resolve_moment(session, AtTime(parse_time(record.time))).seq == last + 1

    def operations_say_what_is_there_after_them(self, session):
        seqs = []
        for operation in read_operations(session):
            seqs.append(operation.seq)
            view = view_at(session, AfterRecord(operation.seq))
            for change in operation.changes:
                found = view.tree.find(change.path)
                assert (found is None) == (change.after is None)
                assert found is None or seen_node(found) == seen_node(change.after)
        assert seqs == sorted(seqs, reverse=True) and seqs[-1] == 0

    def what_differs_is_what_is_different(self, old_seq, new_seq):
        session = self.sessions[0]
        old, new = view_at(session, AfterRecord(old_seq)), view_at(session, AfterRecord(new_seq))
        changes = compare_trees(old.tree, new.tree)
        before, after = seen(old.tree), seen(new.tree)
        different = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert [change.path for change in changes] == sorted(different, key=lambda path: path.split("/"))
        for change in pair_renames(changes):
            if change.renamed_from is not None:
                assert change.before.ino == change.after.ino
                assert change.renamed_from in before and change.path in after
        old_values, new_values = values_of(old.state), values_of(new.state)
        keys = [change.key for change in compare_states(old.state, new.state)]
        assert keys == sorted(key for key in {*old_values, *new_values} if old_values.get(key) != new_values.get(key))


def values_of(state):
    return {key: state.get_json(key) for key in state.values}


TestTravels = Travels.TestCase
TestTravels.settings = settings(max_examples=settings.default.max_examples // 2)
