"""Going back and forth: what a moment was is what it is again, whatever happened in between."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from stores import Stores

from sessionfs.errors import Error
from sessionfs.fsck import check
from sessionfs.store.store import Store
from sessionfs.travel import AfterRecord, compare_states, compare_trees, view_at
from sessionfs.travel.effect import NothingToRedo, NothingToUndo
from sessionfs.travel.merge import merge
from sessionfs.travel.restore import restore
from sessionfs.travel.undo import redo, undo

names = st.sampled_from(["a", "b", "c\udcff\\"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.sampled_from([b"", b"one", b"two", b"3" * 20_000])
counts = st.integers(1, 3)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from([0o600, 0o755]),
        "mtime_ns": st.integers(0, 3),
        "atime_ns": st.integers(0, 3),
        "type": st.sampled_from(["code", None]),
        "description": st.sampled_from(["words", None]),
        "tags": st.lists(st.sampled_from("xyz"), max_size=2),
        "metadata": st.dictionaries(st.sampled_from("kl"), st.integers(), max_size=2),
        "xattrs": st.dictionaries(st.sampled_from("mn"), st.binary(max_size=5), max_size=2),
        "parent": st.just("one:0"),
    },
)

_FIELDS = (
    "kind", "oid", "size", "target", "rdev", "mode", "uid", "gid", "type", "mime_type", "description", "tags", "mtime",
    "atime",
)  # fmt: skip
# What is brought back of everything but directories: which one is at a path decides nothing.
_IDENTITY = ("ino", "created_at", "created_by", "origin")


def what_is(one):
    """Return what there is to see of a session or view: artifacts, which names are of one inode, counts, state."""
    artifacts, places = {}, {}
    for path, node in [("", one.tree.root), *one.tree.walk()]:
        fields = _FIELDS if node.is_directory else (*_FIELDS, *_IDENTITY)
        said = {field: getattr(node, field) for field in fields}
        artifacts[path] = {**said, "metadata": node.metadata or {}, "xattrs": node.xattrs or {}}
        places.setdefault(node.ino, []).append((path, id(node)))
    assert all(len({node for _, node in found}) == 1 for found in places.values()), "two inodes of one number"
    groups = sorted(sorted(path for path, _ in found) for found in places.values() if len(found) > 1)
    counted = (one.tree.artifact_count, one.tree.size)
    return artifacts, groups, counted, {key: one.state.get_json(key) for key in one.state.keys()}  # noqa: SIM118


def below(artifacts, path):
    """Return what is at *path* or below, without the numbers of inodes: one that is used elsewhere gets another."""
    return {name: {**said, "ino": 0} for name, said in artifacts.items() if name == path or name.startswith(path + "/")}


class Restoring(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.store = Stores.opened()
        self.session = self.store.create_session(session_id=f"s{next(Stores.numbers)}")
        self.child = None

    def attempt(self, call, session=None):
        with suppress(Error):
            call((session or self.session).artifacts)

    def existing(self, data, wanted=lambda node: True):
        found = sorted(path for path, node in self.session.tree.walk() if wanted(node))
        return data.draw(st.sampled_from([*found, "a"]))

    def moment(self, data):
        return AfterRecord(data.draw(st.integers(0, self.session.log.position.seq - 1)))

    # What people do

    @rule(path=paths, content=contents, attributes=attributes)
    def put(self, path, content, attributes):
        stored = self.session.objects.put_bytes(content)
        self.attempt(lambda artifacts: artifacts.put(path, stored, **attributes))

    @rule(data=st.data(), content=contents)
    def put_again(self, data, content):
        path = self.existing(data, lambda node: node.is_file)
        self.attempt(lambda artifacts: artifacts.put(path, self.session.objects.put_bytes(content)))

    @rule(path=paths, kind=st.sampled_from(["directory", "symlink", "fifo"]), attributes=attributes)
    def make(self, path, kind, attributes):
        make = {
            "directory": lambda artifacts: artifacts.make_directory(path, **attributes),
            "symlink": lambda artifacts: artifacts.make_symlink(path, "\udcff", **attributes),
            "fifo": lambda artifacts: artifacts.make_special(path, kind, **attributes),
        }
        self.attempt(make[kind])

    @rule(
        data=st.data(),
        name=names,
        into=st.booleans(),
        verb=st.sampled_from(["rename", "rename", "exchange", "link", "link", "copy"]),
    )
    def move(self, data, name, into, verb):
        source = self.existing(data)
        above = self.existing(data, lambda node: node.is_directory) + "/" if into else ""
        self.attempt(lambda artifacts: getattr(artifacts, verb)(source, above + name))

    @rule(data=st.data(), attributes=attributes)
    def change(self, data, attributes):
        path = self.existing(data)
        self.attempt(lambda artifacts: artifacts.change(path, **attributes))

    @rule(data=st.data())
    def delete(self, data):
        path = self.existing(data)
        self.attempt(lambda artifacts: artifacts.delete(path, recursive=True))

    @rule(key=names, value=st.sampled_from([None, 1, "x" * 9000]))
    def set_state(self, key, value):
        with suppress(Error):
            self.session.values.set(key, value)

    @rule(key=names)
    def delete_state(self, key):
        with suppress(Error):
            self.session.values.delete(key)

    @rule()
    def save(self):
        self.session.save()

    # Going back

    @rule(data=st.data())
    def restore(self, data):
        moment = self.moment(data)
        wanted = what_is(view_at(self.session, moment))
        restore(self.session, moment)
        assert what_is(self.session) == wanted

    @rule(data=st.data())
    def restore_a_path(self, data):
        moment = self.moment(data)
        then, now = what_is(view_at(self.session, moment)), what_is(self.session)
        path = data.draw(st.sampled_from(sorted({"a", *then[0], *now[0]} - {""})))
        try:
            restore(self.session, moment, [path])
        except Error:
            assert what_is(self.session) == now
            return
        after = what_is(self.session)
        assert below(after[0], path) == below(then[0], path)
        assert after[3] == now[3]
        for name in after[0].keys() - below(after[0], path).keys():
            assert after[0][name]["kind"] == "directory" or after[0][name] == now[0][name]

    @rule(count=counts)
    def undo_then_redo(self, count):
        before = what_is(self.session)
        with suppress(NothingToUndo):
            undo(self.session, count)
            redo(self.session)
        assert what_is(self.session) == before

    @rule(count=counts)
    def undo(self, count):
        with suppress(NothingToUndo):
            undo(self.session, count)

    @rule(count=counts)
    def redo(self, count):
        with suppress(NothingToRedo):
            redo(self.session, count)

    # Forking

    @rule(data=st.data())
    def a_fork_is_what_its_parent_was(self, data):
        moment = self.moment(data)
        view = view_at(self.session, moment)
        self.child = self.store.fork_session(self.session.id, at=view.position)
        self.child.refresh()
        assert what_is(self.child) == what_is(Store(Stores.path()).session(self.child.id)) == what_is(view)
        assert compare_trees(view.tree, self.child.tree, times=True, identity=True) == []
        assert compare_states(view.state, self.child.state) == []

    @precondition(lambda self: self.child is not None)
    @rule(path=paths, content=contents)
    def put_into_the_child(self, path, content):
        stored = self.child.objects.put_bytes(content)
        self.attempt(lambda artifacts: artifacts.put(path, stored), self.child)

    @precondition(lambda self: self.child is not None)
    @rule(data=st.data(), name=names)
    def change_the_child(self, data, name):
        source = data.draw(st.sampled_from(["a", *sorted(path for path, _ in self.child.tree.walk())]))
        verb = data.draw(st.sampled_from(["rename", "link", "delete"]))
        if verb == "delete":
            self.attempt(lambda artifacts: artifacts.delete(source, recursive=True), self.child)
        else:
            self.attempt(lambda artifacts: getattr(artifacts, verb)(source, name), self.child)

    @precondition(lambda self: self.child is not None)
    @rule(back=st.booleans())
    def merge(self, back):
        source, target = (self.session, self.child) if back else (self.child, self.session)
        before = what_is(target)
        done = merge(source, target)
        if done.conflicts or not done.changes:
            assert what_is(target) == before
            return
        again = merge(source, target)
        assert (again.changes, again.conflicts) == ((), ())
        source_now, target_now = what_is(source), what_is(target)
        for change in done.changes:
            if change.what == "artifact" and change.kind != "deleted":
                one, other = source_now[0][change.name], target_now[0][change.name]
                assert (one["kind"], one["oid"], one["mode"]) == (other["kind"], other["oid"], other["mode"])
        undo(target)
        assert what_is(target) == before

    @rule()
    def read_again(self):
        assert what_is(Store(Stores.path()).session(self.session.id)) == what_is(self.session)


TestRestoring = Restoring.TestCase


def test_nothing_is_damaged_afterwards():
    """In the store that all examples above have used."""
    assert [fault for fault in check(Store(Stores.path())) if fault.is_damage] == []
