"""What happens in a directory, and the steps that take it into a session, against plain dictionaries."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sessionfs.collect.mirror import Mirror
from sessionfs.collect.plan import Delete, Exchange, MakeDirectory, Rename, arrange, moves

NAMES = "abc"
names = st.sampled_from(NAMES)


def parent_of(path):
    return path.rpartition("/")[0]


def inside(path, above):
    return path == above or path.startswith(above + "/")


class Tree:
    """Paths and what they are: "directory", or a number for a file. Refuses what POSIX refuses."""

    def __init__(self):
        self.paths = {"": "directory"}

    def is_directory(self, path):
        return self.paths.get(path) == "directory"

    def below(self, path):
        return [found for found in self.paths if inside(found, path)]

    def make(self, path, what):
        assert path not in self.paths and self.is_directory(parent_of(path))
        self.paths[path] = what

    def delete(self, path):
        assert path in self.paths
        for below in self.below(path):
            del self.paths[below]

    def rename(self, path, to):
        assert path in self.paths and self.is_directory(parent_of(to)) and not inside(to, path)
        if to in self.paths:
            assert not self.is_directory(path) and not self.is_directory(to)
            del self.paths[to]
        for below in self.below(path):
            self.paths[to + below[len(path) :]] = self.paths.pop(below)

    def exchange(self, path, to):
        assert path in self.paths and to in self.paths and not inside(path, to) and not inside(to, path)
        taken = {below: self.paths.pop(below) for below in self.below(path)}
        for below in self.below(to):
            self.paths[path + below[len(to) :]] = self.paths.pop(below)
        self.paths |= {to + below[len(path) :]: what for below, what in taken.items()}


class Collecting(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.directory, self.session, self.mirror = Tree(), Tree(), Mirror()
        self.numbers = itertools.count()
        self.where = {}  # numbers of files that are in the session, by their path in the directory when last collected

    def node(self, path):
        found = self.mirror.find(path)
        assert found is not None, path
        return found

    @initialize(data=st.data())
    def begin_with_some(self, data):
        for name in NAMES:
            self.make(data, name, data.draw(st.booleans()))
        self.collect(True)

    def directories(self):
        return sorted(path for path, what in self.directory.paths.items() if what == "directory")

    def free(self, data, name):
        return "/".join(filter(None, (data.draw(st.sampled_from(self.directories())), name)))

    @rule(data=st.data(), name=names, is_directory=st.booleans())
    def make(self, data, name, is_directory):
        path = self.free(data, name)
        if path in self.directory.paths or path.count("/") > 3:
            return
        self.directory.make(path, "directory" if is_directory else next(self.numbers))
        self.mirror.add(self.node(parent_of(path)), name, "directory" if is_directory else "file")

    @precondition(lambda self: len(self.directory.paths) > 1)
    @rule(data=st.data())
    def delete(self, data):
        path = data.draw(st.sampled_from(sorted(self.directory.paths)[1:]))
        self.directory.delete(path)
        self.mirror.remove(self.node(path))

    @precondition(lambda self: len(self.directory.paths) > 1)
    @rule(data=st.data(), name=names)
    def rename(self, data, name):
        path = data.draw(st.sampled_from(sorted(self.directory.paths)[1:]))
        to = self.free(data, name)
        if inside(to, path) or (
            to in self.directory.paths and (self.directory.is_directory(path) or self.directory.is_directory(to))
        ):
            return
        self.directory.rename(path, to)
        self.mirror.move(self.node(path), self.node(parent_of(to)), name)

    @precondition(lambda self: len(self.directory.paths) > 2)
    @rule(data=st.data())
    def exchange(self, data):
        """By way of a third name, as people do."""
        paths = st.sampled_from(sorted(self.directory.paths)[1:])
        first, second = data.draw(paths), data.draw(paths)
        if inside(first, second) or inside(second, first):
            return
        self.directory.exchange(first, second)
        one, two = self.node(first), self.node(second)
        one_in, one_name, two_in, two_name = one.parent, one.name, two.parent, two.name
        self.mirror.move(one, self.mirror.root, "third")
        self.mirror.move(two, one_in, one_name)
        self.mirror.move(one, two_in, two_name)

    @rule(data=st.data())
    def turn_around(self, data):
        """What is in a directory takes its place, with the directory in it: mv d/e x; mv d x/f; mv x d."""
        inner = [path for path in self.directories() if path.count("/") >= 1]
        if not inner:
            return
        path = data.draw(st.sampled_from(inner))
        above = parent_of(path)
        if above == "" or f"{path}/f" in self.directory.paths:
            return
        self.directory.rename(path, "x")
        self.directory.rename(above, "x/f")
        self.directory.rename("x", above)
        node, outer, root = self.node(path), self.node(above), self.mirror.root
        outer_in, outer_name = outer.parent, outer.name
        self.mirror.move(node, root, "x")
        self.mirror.move(outer, node, "f")
        self.mirror.move(node, outer_in, outer_name)

    @rule(is_settled=st.booleans())
    def collect(self, is_settled):
        """A burst is over. Without *is_settled*, somebody is still writing: contents are not taken yet."""
        before = dict(self.session.paths)
        told = moves(self.mirror, list(self.mirror.changed))
        steps = arrange(self.mirror, list(self.mirror.changed))
        try:
            step = next(steps)
            while True:
                self.carry_out(step)
                step = steps.send(True)
        except StopIteration:
            pass
        self.mirror.gone.clear()
        self.mirror.lost.clear()
        self.check_told(before, told)
        if not is_settled:
            return
        for node in self.mirror.changed:
            if self.mirror.is_here(node) and not node.is_directory:
                self.session.paths[node.path] = self.directory.paths[node.path]
                self.mirror.hold(node, node.parent, node.name)
        self.mirror.changed.clear()
        assert self.session.paths == self.directory.paths
        self.where = {what: path for path, what in self.session.paths.items() if what != "directory"}

    def carry_out(self, step):
        match step:
            case MakeDirectory(_, path):
                self.session.make(path, "directory")
            case Rename(_, path, to):
                self.session.rename(path, to)
            case Exchange(_, path, to):
                self.session.exchange(path, to)
            case Delete(_, path):
                assert not [what for what in map(self.session.paths.get, self.session.below(path)) if self.lives(what)]
                self.session.delete(path)

    def lives(self, what):
        return what != "directory" and what in self.directory.paths.values()

    def check_told(self, before, told):
        """What was told beforehand is what the steps came to: files that moved are where it says."""
        for path, what in before.items():
            if what == "directory" or not self.lives(what):
                continue
            above = path
            while above and above not in told:
                above = parent_of(above)
            to = path if not above else told[above] and told[above] + path[len(above) :]
            assert self.session.paths.get(to) == what, (path, to, told)

    def teardown(self):
        self.collect(True)


TestCollecting = Collecting.TestCase
