"""Watchers beside writers: each sees exactly the records that are in the logs, those of a session in order."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, multiple, rule

from sessionfs import api
from sessionfs.log import read_lines
from sessionfs.store.store import Store

examples = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def place():
    """One store for all examples: to make one takes longer than an example."""
    with tempfile.TemporaryDirectory(prefix="sessionfs-watch-") as directory:
        Watching.store = api.open(f"{directory}/store", create=True, background_sync=False)
        Watching.other = Store(Watching.store.path)  # as another process
        yield


class Watching(RuleBasedStateMachine):
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.prefix = f"e{next(examples)}-"
        self.watches = {
            "told": self.store.watch(start=self.nothing()),
            "looking": self.store.watch(start=self.nothing(), poll=True),
        }
        self.seen = defaultdict(list)
        self.named = {}
        self.named_seen = defaultdict(list)
        self.gone = defaultdict(list)  # by id, the chains of each log that was deleted for good

    def nothing(self):
        """Of what earlier examples have left, nothing."""
        return {id: 1 << 40 for id in self.store.core.session_ids() if not id.startswith(self.prefix)}

    # Writers

    @rule(target=sessions, name=st.sampled_from("ab"))
    def create(self, name):
        id = self.prefix + name
        if os.path.exists(self.layout.session(id)):
            return multiple()
        self.store.sessions.create(id=id)
        return id

    @rule(session=sessions, count=st.integers(1, 3), size=st.sampled_from([1, 50_000]))
    def append(self, session, count, size):
        for _ in range(count):
            self.store.sessions[session].record("custom.x", {"text": "x" * size})

    @rule(session=sessions)
    def append_elsewhere(self, session):
        self.other.session(session).record("custom.y", {})

    @rule(session=sessions)
    def save(self, session):
        self.store.sessions[session].save()

    @rule(session=sessions, tail=st.sampled_from([b'{"seq":', b"\0" * 100, b'\0\0\n{"seq":1}\n']))
    def tear(self, session, tail):
        """A writer is killed in the middle of a record; the next one sets that aside."""
        with open(self.layout.log(session), "ab") as log:
            if not self.torn(session):
                log.write(tail)

    @rule(session=sessions, count=st.integers(2, 4), data=st.data())
    def tear_a_group(self, session, count, data):
        """A writer is killed between two lines that it appends together."""
        if self.torn(session):
            return
        other = self.other.session(session)
        path = self.layout.log(session)
        before = os.path.getsize(path)
        with other.writing():
            other.append_all([("custom.g", {"n": number}) for number in range(count)])
        with open(path, "r+b") as log:
            log.seek(before)
            lines = log.readlines()
            log.truncate(before + sum(map(len, lines[: data.draw(st.integers(1, count - 1))])))
        self.other = Store(self.store.path)  # the killed one knows nothing

    def torn(self, session):
        path = self.layout.log(session)
        return os.path.getsize(path) != sum(map(len, read_lines(self.store.core.disk, path, session)))

    @rule(session=sessions)
    def append_without_telling(self, session):
        """A writer is killed between its record and its touch: the next touch, or look, tells."""
        log = self.other.session(session).log
        log._touch_mark = lambda: None
        self.other.session(session).record("custom.z", {})
        del log._touch_mark

    @rule(session=consumes(sessions))
    def delete(self, session):
        self.store.sessions.delete(session)

    @rule()
    def empty_the_trash(self):
        """Numbers of files are used again; who has read all misses nothing."""
        self.read_all()
        for id in self.ids():
            for path in self.trashed(id):
                self.gone[id].append(self.chains(path, id))
                shutil.rmtree(os.path.dirname(path))
        self.read_all()
        told = self.watches["told"]._logs
        assert {id for id in told._ended if id.startswith(self.prefix)} <= {
            id for id in self.ids() if os.path.exists(self.layout.session(id))
        }

    # Watchers

    @rule(name=st.sampled_from(["told", "looking"]))
    def read(self, name):
        for event in self.watches[name].read(0):
            self.seen[name, event.session].append(event.chain)

    @rule()
    def lose_notices(self):
        """The kernel's queue was too short."""
        notices = self.watches["told"]._notices
        notices.read()
        notices.read = lambda: [notices.__dict__.pop("read"), None][1]

    @rule(name=st.sampled_from(["told", "looking"]))
    def kill(self, name):
        """Another one goes on after what this one has seen; sessions that nobody saw before they went are not told."""
        start = self.nothing()
        for id in self.ids():
            logs = [self.chains(path, id) for path in self.paths(id)]
            last = [chain for chain in self.seen[name, id] if logs and chain in logs[-1]]
            if (len(logs) > 1 and not last) or (logs and not last and not os.path.exists(self.layout.session(id))):
                return
            start[id] = len(last)
        self.watches[name].close()
        self.watches[name] = self.store.watch(start=start, poll=True if name == "looking" else None)

    @rule(session=sessions)
    def watch_one(self, session):
        if session not in self.named:
            self.named[session] = self.store.watch(sessions=[session], start=0), self.incarnation(session)

    # What is so

    @property
    def layout(self):
        return self.store.core.layout

    def ids(self):
        return [self.prefix + name for name in "ab"]

    def trashed(self, id):
        layout = self.layout
        names = sorted(name for name in os.listdir(layout.trash) if name.startswith(f"{id}@"))
        return [f"{layout.trash}/{name}/log" for name in names]

    def paths(self, id):
        path = self.layout.log(id)
        return [*self.trashed(id), path] if os.path.exists(path) else self.trashed(id)

    def written(self, id):
        """The chains of each log that has had this id."""
        return self.gone[id] + [self.chains(path, id) for path in self.paths(id)]

    def chains(self, path, id):
        return [line[-35:-3].decode() for line in read_lines(self.store.core.disk, path, id)]

    def incarnation(self, id):
        return len(self.gone[id]) + len(self.paths(id)) - 1

    def read_all(self):
        for name, watch in self.watches.items():
            watch._logs.changed(None)  # the look that comes every few seconds
            while events := watch.read(0):
                for event in events:
                    self.seen[name, event.session].append(event.chain)
        for id, (watch, _) in self.named.items():
            while events := watch.read(0):
                self.named_seen[id] += [event.chain for event in events]

    def teardown(self):
        self.read_all()
        for watch in [*self.watches.values(), *(watch for watch, _ in self.named.values())]:
            watch.close()
        for id in self.ids():
            written = [chain for chains in self.written(id) for chain in chains]
            assert self.seen["told", id] == written
            assert self.seen["looking", id] == written
        for id, (_, number) in self.named.items():
            assert self.named_seen[id] == self.written(id)[number]


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=settings.default.max_examples // 4)  # each waits for the kernel
