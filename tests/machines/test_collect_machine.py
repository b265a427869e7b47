"""A real directory that is collected, with collectors that are killed: the session has what the directory has."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sessionfs import api
from sessionfs.collect.bursts import Timing
from sessionfs.collect.collector import Collector
from sessionfs.fsck import check

names = st.sampled_from(["a", "b", "c"])
contents = st.sampled_from([b"", b"one", b"two", b"three" * 10])


class Killed(BaseException):
    """In place of SIGKILL: between two records."""


@pytest.fixture(scope="module", autouse=True)
def place():
    """A directory with one store for all examples: to make and remove 256 directories takes longer than an example."""
    with tempfile.TemporaryDirectory(prefix="sessionfs-collect-") as directory:
        Collecting.place = directory
        Collecting.store = api.open(f"{directory}/store", create=True, background_sync=False)
        yield
        assert not list(check(Collecting.store.core))


class Collecting(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.directory = tempfile.mkdtemp(dir=self.place)
        self.session = self.store.sessions.create()
        self.session.artifacts.put("into/foreign", b"not ours")
        self.left = None  # how many records until the collector is killed
        self.collector = None

    # What people do

    def path(self, data, *, kinds="fdl", new=False):
        known = {"f": [], "d": [self.directory] if new else [], "l": []}
        for above, directories, files in os.walk(self.directory):
            for name in [*directories, *files]:
                path = f"{above}/{name}"
                known["l" if os.path.islink(path) else "d" if os.path.isdir(path) else "f"].append(path)
        paths = sorted(path for kind in kinds for path in known[kind])
        return data.draw(st.sampled_from(paths)) if paths else None

    def new_path(self, data):
        return f"{self.path(data, kinds='d', new=True)}/{data.draw(names)}"

    @initialize(data=st.data())
    def begin(self, data):
        for name in "abc":
            os.mkdir(f"{self.directory}/{name}")
            for inner in data.draw(st.lists(names, unique=True)):
                self.write_to(f"{self.directory}/{name}/{inner}", name.encode() + inner.encode())
        self.start()

    def write_to(self, path, content):
        if not os.path.islink(path) and not os.path.isdir(path):
            with open(path, "wb") as file:
                file.write(content)

    @rule(data=st.data(), content=contents)
    def write(self, data, content):
        self.write_to(self.new_path(data), content)

    @rule(data=st.data(), content=contents)
    def replace(self, data, content):
        """As editors save."""
        path = self.new_path(data)
        if not os.path.isdir(path):
            self.write_to(f"{self.directory}/temporary", content)
            os.rename(f"{self.directory}/temporary", path)

    @rule(data=st.data())
    def make_directory(self, data):
        path = self.new_path(data)
        if not os.path.lexists(path) and path.count("/") - self.directory.count("/") < 4:
            os.mkdir(path)

    @rule(data=st.data(), to=names)
    def link(self, data, to):
        path = self.new_path(data)
        if not os.path.lexists(path):
            os.symlink(to, path)

    @rule(data=st.data())
    def rename(self, data):
        path, to = self.path(data), self.new_path(data)
        if path is None or to.startswith(path):
            return
        if os.path.lexists(to) and (os.path.isdir(path) or os.path.isdir(to)):
            return
        os.rename(path, to)

    @rule(data=st.data())
    def exchange(self, data):
        first, second = self.path(data), self.path(data)
        if first is None or first.startswith(second) or second.startswith(first):
            return
        os.rename(first, f"{self.directory}/x")
        os.rename(second, first)
        os.rename(f"{self.directory}/x", second)

    @rule(data=st.data())
    def delete(self, data):
        path = self.path(data)
        if path is not None:
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    @rule(data=st.data(), mode=st.sampled_from([0o600, 0o755]))
    def change_mode(self, data, mode):
        path = self.path(data, kinds="f")
        if path is not None:
            os.chmod(path, mode)

    @rule(data=st.data())
    def move_out_and_in(self, data):
        path, to = self.path(data), self.new_path(data)
        if path is not None and not os.path.lexists(to) and not to.startswith(path):
            os.rename(path, f"{self.place}/outside")
            os.rename(f"{self.place}/outside", to)

    # What collectors do

    def tell(self, change):
        if self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1

    def complain(self, path, why):
        raise AssertionError((path, why))

    def start(self):
        collector = Collector(
            self.session, self.directory, to="into", timing=Timing(0, 0, 0), tell=self.tell, complain=self.complain
        )
        self.collector = collector.__enter__()

    @precondition(lambda self: self.collector is not None)
    @rule()
    def settle(self):
        self.collector.take_in()
        self.check()

    @precondition(lambda self: self.collector is not None)
    @rule()
    def overflow(self):
        self.collector._changes._is_lost = True

    @precondition(lambda self: self.collector is not None)
    @rule()
    def stop(self):
        self.collector.__exit__(None, None, None)
        self.collector = None
        self.check()

    @precondition(lambda self: self.collector is not None)
    @rule(left=st.integers(0, 5))
    def kill(self, left):
        """It gets to record so much of what there is, and not the rest."""
        self.left = left
        with contextlib.suppress(Killed):
            self.collector.take_in()
        self.left = None
        self.collector.__exit__(Killed, Killed(), None)
        self.collector = None

    @precondition(lambda self: self.collector is None)
    @rule()
    def start_again(self):
        self.start()
        self.check()

    @precondition(lambda self: self.collector is None)
    @rule(left=st.integers(0, 5))
    def start_and_kill(self, left):
        self.left = left
        with contextlib.suppress(Killed):
            self.start()
            self.collector.__exit__(Killed, Killed(), None)
        self.left = self.collector = None

    def check(self):
        assert self.in_session() == self.in_directory()
        assert self.session.artifacts.read("into/foreign") == b"not ours"

    def in_directory(self):
        found = {}
        for above, directories, files in os.walk(self.directory):
            for name in [*directories, *files]:
                path = f"{above}/{name}"
                status = os.lstat(path)
                mode = stat.S_IMODE(status.st_mode)
                if stat.S_ISLNK(status.st_mode):
                    what = ("symlink", os.readlink(path))
                elif stat.S_ISDIR(status.st_mode):
                    what = ("directory", mode)
                else:
                    with open(path, "rb") as file:
                        what = ("file", mode, status.st_mtime_ns, file.read())
                found[path[len(self.directory) + 1 :]] = what
        return found

    def in_session(self):
        found = {}
        self.session.core.refresh()
        for path, node in self.session.core.tree.walk("into"):
            mode = stat.S_IMODE(node.mode)
            if node.kind == "symlink":
                what = ("symlink", node.target)
            elif node.is_directory:
                what = ("directory", mode)
            else:
                what = ("file", mode, node.mtime_ns, self.store.objects.read(node.oid))
            found[path[len("into/") :]] = what
        del found["foreign"]
        return found

    def teardown(self):
        try:
            if self.collector is None:
                self.start()
            self.settle()
            self.stop()
        finally:
            if self.collector is not None:
                self.collector.__exit__(Killed, Killed(), None)
            shutil.rmtree(self.directory)


TestCollecting = Collecting.TestCase
TestCollecting.settings = settings(max_examples=settings.default.max_examples // 3)  # each waits for the kernel
