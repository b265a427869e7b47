"""What a session's records add up to is the same for whoever reads them, from wherever they begin."""

from __future__ import annotations

from contextlib import suppress

from bench import LONG_VALUE, Bench, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from trees import describe

from sessionfs.errors import Error

names = st.sampled_from(["a", "b", "\udcff\\"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
processes = st.integers(0, 1)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from([0o600, 0o755, 0o4711]),
        "uid": st.integers(0, 5),
        "mtime_ns": st.integers(-(10**18), 10**18),
        "atime_ns": st.integers(0, 10**18),
        "type": st.sampled_from(["code", "custom-word", None]),
        "mime_type": st.sampled_from(["text/plain", None]),
        "description": st.sampled_from(["words", "", None]),
        "tags": st.lists(st.sampled_from("xyz"), max_size=2),
        "metadata": st.dictionaries(st.sampled_from("kl"), st.none() | st.lists(st.integers()), max_size=2),
        "xattrs": st.dictionaries(st.sampled_from("mn"), st.binary(max_size=5), max_size=2),
        "parent": st.just("one:0"),
    },
)
values = st.sampled_from([None, 0, "text", [1, {"a": None}], LONG_VALUE])


class Folds(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.disk = new_disk()
        Bench(self.disk).create_session()
        self.sessions = [Bench(self.disk).open_session() for _ in range(2)]

    def attempt(self, number, call):
        """Do *call* in process *number*; a refusal changes nothing, which the comparing rules see."""
        with suppress(Error):
            call(self.sessions[number])

    @rule(number=processes, path=paths, size=st.sampled_from([0, 5, 20_000]), attributes=attributes)
    def put(self, number, path, size, attributes):
        self.attempt(
            number, lambda session: session.artifacts.put(path, session.objects.put_bytes(bytes(size)), **attributes)
        )

    @rule(number=processes, path=paths, attributes=attributes)
    def make_directory(self, number, path, attributes):
        self.attempt(number, lambda session: session.artifacts.make_directory(path, **attributes))

    @rule(number=processes, path=paths, attributes=attributes)
    def make_symlink(self, number, path, attributes):
        self.attempt(number, lambda session: session.artifacts.make_symlink(path, "\udcff", **attributes))

    @rule(number=processes, path=paths | st.just(""), attributes=attributes)
    def change(self, number, path, attributes):
        self.attempt(number, lambda session: session.artifacts.change(path, **attributes))

    def existing(self, data, wanted=lambda node: True):
        """Choose the path of an artifact that is there, without making the processes read it."""
        nodes = [node.path for _, node in Bench(self.disk).open_session().tree.walk() if wanted(node)]
        return data.draw(st.sampled_from([*nodes, "a"]))

    @rule(
        number=processes,
        verb=st.sampled_from(["rename", "rename", "copy"]),
        name=names,
        into=st.booleans(),
        data=st.data(),
    )
    def move(self, number, verb, name, into, data):
        source = self.existing(data)
        above = self.existing(data, lambda node: node.is_directory) + "/" if into else ""
        self.attempt(number, lambda session: getattr(session.artifacts, verb)(source, above + name))

    @rule(number=processes, attributes=attributes, data=st.data())
    def change_what_is_there(self, number, attributes, data):
        path = self.existing(data)
        self.attempt(number, lambda session: session.artifacts.change(path, **attributes))

    @rule(number=processes, data=st.data())
    def delete_what_is_there(self, number, data):
        path = self.existing(data)
        self.attempt(number, lambda session: session.artifacts.delete(path, recursive=True))

    @rule(number=processes, path=paths)
    def delete(self, number, path):
        self.attempt(number, lambda session: session.artifacts.delete(path, recursive=True))

    @rule(number=processes, key=names, value=values)
    def set_state(self, number, key, value):
        self.attempt(number, lambda session: session.values.set(key, value))

    @rule(number=processes, key=names)
    def delete_state(self, number, key):
        self.attempt(number, lambda session: session.values.delete(key))

    @rule(number=processes, name=st.sampled_from(["n", None]), tags=st.lists(st.sampled_from("st"), max_size=2))
    def update(self, number, name, tags):
        self.attempt(number, lambda session: session.update(name=name, tags=tags, metadata={"tags": tags}))

    @rule(number=processes)
    def record(self, number):
        self.attempt(number, lambda session: session.record("custom.x", {"long": "x" * 70_000}))

    @rule(number=processes)
    def save(self, number):
        self.attempt(number, lambda session: session.save())

    @rule(number=processes)
    def suspend_and_resume(self, number):
        self.sessions[number].suspend()
        self.sessions[1 - number].resume()

    @rule(number=processes)
    def restart(self, number):
        """What is not looked at stays unread, and must be right all the same when it changes."""
        self.sessions[number] = Bench(self.disk).open_session()

    @rule()
    def everybody_sees_the_same(self):
        one, two = self.sessions
        one.refresh()
        two.refresh()
        assert describe(one) == describe(two)

    @rule(number=processes, save=st.booleans())
    def a_snapshot_is_worth_the_records_before_it(self, number, save):
        self.sessions[number].refresh()
        if save:
            self.sessions[number].save()
        expected = describe(self.sessions[number])
        assert describe(Bench(self.disk).open_session()) == expected
        without = self.disk.power_cut(lambda count: 1)  # a copy of everything
        for path, _ in list(without.all_files()):
            if path.endswith((".snapshot", ".tree")):
                without.unlink(path)
        assert describe(Bench(without).open_session()) == expected


TestFolds = Folds.TestCase
