"""A directory in parts is what a dict is, and its objects follow from its entries alone, however these came."""

from __future__ import annotations

import itertools

from bench import Bench, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from trees import describe

from sessionfs.artifacts import from_text
from sessionfs.artifacts.tree_object import begins_part, decode_tree
from sessionfs.oid import hash_bytes
from sessionfs.store.past import fold_at
from sessionfs.travel.difference import compare_trees

NAMES = [f"{letter}{number}" for letter in ["a", "é", "\udcff"] for number in range(5)]
names = st.sampled_from(NAMES)
DIRECTORY = b""  # what stands for one


class Parts(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.disk = new_disk()
        self.bench = Bench(self.disk)
        self.session = self.bench.create_session()
        self.expected: dict[str, bytes] = {}
        self.moments = [(self.session.log.position, {})]
        self.number = itertools.count()

    @initialize(chosen=st.sets(names))
    def begin(self, chosen):
        for name in chosen:
            self.put(name)

    @rule(name=names)
    def put(self, name):
        if self.expected.get(name) == DIRECTORY:
            return
        content = b"%d" % next(self.number)
        self.session.artifacts.put(name, self.session.objects.put_bytes(content))
        self.expected[name] = content

    @rule(name=names)
    def make_directory(self, name):
        if name not in self.expected:
            self.session.artifacts.make_directory(name)
            self.expected[name] = DIRECTORY

    @rule(name=names)
    def change_below(self, name):
        node = self.session.tree.find(name)
        if node is not None and node.is_directory:
            self.session.artifacts.put(f"{name}/f", self.session.objects.put_bytes(b"%d" % next(self.number)))

    @rule(name=names)
    def remove(self, name):
        if self.expected.pop(name, None) is not None:
            self.session.artifacts.delete(name, recursive=True)

    @rule(kept=st.sets(names, max_size=3))
    def remove_all_but(self, kept):
        for name in self.expected.keys() - kept:
            self.remove(name)

    @rule(name=names, to=names)
    def rename(self, name, to):
        if name in self.expected and to not in self.expected:
            self.session.artifacts.rename(name, to)
            self.expected[to] = self.expected.pop(name)

    @rule()
    def save(self):
        self.session.save()
        self.moments.append((self.session.log.position, dict(self.expected)))

    @rule()
    def open_again(self):
        self.session = Bench(self.disk).open_session()

    @rule(name=names)
    def look_at_one_after_opening(self, name):
        session = Bench(self.disk).open_session()
        node = session.tree.find(name)
        assert (node is not None) == (name in self.expected)
        self.session = session

    @rule(data=st.data())
    def compare(self, data):
        chosen = data.draw(st.lists(st.integers(0, len(self.moments) - 1), min_size=2, max_size=2).map(sorted))
        (before, old), (after, new) = (self.moments[number] for number in chosen)
        trees = [fold_at(self.session, position).fold.tree for position in (before, after)]
        changed = {change.path.split("/")[0] for change in compare_trees(*trees)}
        differing = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        assert differing <= changed
        assert all(old[name] == new[name] == DIRECTORY for name in changed - differing)

    @invariant()
    def the_same(self):
        root = self.session.tree.root
        assert sorted(root.entries()) == sorted(self.expected)
        assert root.entry_count() == len(self.expected)
        assert root.directory_count() == sum(node.is_directory for node in root.entries().values())
        assert describe(self.session) == describe(Bench(self.disk).open_session())

    @invariant()
    def objects_follow_from_the_entries(self):
        objects: dict[str, bytes] = {}

        def keep(data):
            objects[hash_bytes(data)] = data
            return hash_bytes(data)

        fresh = Bench(self.disk).session()
        fresh._open_at_start()
        root, _ = fresh.tree.write(keep)
        opened, _ = Bench(self.disk).open_session().tree.write(hash_bytes)
        assert opened.tree == root.tree
        listed = decode_tree(objects[root.tree])
        if len(self.expected) <= 2:
            assert not listed.parts
        for number, part in enumerate(listed.parts):
            entries = decode_tree(objects[part.tree]).entries
            assert len(entries) == part.entries > 0
            begins = [begins_part(from_text(entry.name)) for entry in entries]
            assert (number == 0 or begins[0]) and not any(begins[1:])


TestParts = Parts.TestCase
