"""Any operation of two processes, any moment of a power cut, any part of what was not synced: the store opens whole.

Both processes work on one disk in memory, which keeps only what was synced (and, of the rest, whatever Hypothesis
wants). After each cut the store is opened as at the next boot. Then nothing is damaged, everything that was promised is
there, and every session is in a state that it had.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from disks import MemoryDisk, PowerCut, Watched
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sessionfs import refs
from sessionfs.durable import Needed
from sessionfs.errors import Conflict, Denied, Error, NotFound
from sessionfs.fsck import check
from sessionfs.log.log import Log
from sessionfs.store.covering import Covering
from sessionfs.store.store import Store
from sessionfs.store.suspicion import Settled, _Settling
from sessionfs.store.synced import Synced

SESSIONS = ["a", "b", "c"]
PATHS = ["x", "d/y", "d/e/z"]
CONTENTS = {"short": b"1", "other": b"2", "text": b"a line of text\n" * 1000, "long": bytes(range(256)) * 40}
VALUES = {"number": 1, "object": "x" * 9000}

# Between two calls: so long that what is older than a sync is soon believed (after 8 calls), and so short that hardly
# ever everything is synced because the last time was minutes ago (after 1,200 calls).
TICK_NS = 250_000_000

processes = st.sampled_from([0, 1])
sessions = st.sampled_from(SESSIONS)
paths = st.sampled_from(PATHS)
contents = st.sampled_from(sorted(CONTENTS))

SETTLED_BY = ("warning.raised", "session.forked")  # what is recorded when a cut is settled; it changes nothing
REFUSED = (Conflict, Denied, NotFound)  # what a session or path is not there for


@pytest.fixture(scope="module", params=["relaxed", "full"])
def skeleton(request):
    """What a store has on a real disk: its format and configuration."""
    directory = Path(tempfile.mkdtemp(prefix="sessionfs-skeleton-"))
    Store.create(str(directory / "s"))
    (directory / "s" / "config.toml").write_text(f'[durability]\nmode = "{request.param}"\n')
    yield str(directory / "s")
    shutil.rmtree(directory)


def new_disk(path):
    disk = MemoryDisk(now=itertools.count(1_795_214_641_000_000_000, TICK_NS).__next__)
    for name in ("sessions", "tmp", "changed", "trash", *(f"objects/{number:02x}" for number in range(256))):
        disk.make_directories(f"{path}/{name}")
    disk.put(f"{path}/format", b"sessionfs 1\n")
    return disk


def state_of(store, session_id):
    """What a session is: its files, its state, its status."""
    session = store.session(session_id)
    files = {node.path: store.objects.read(node.oid) for _, node in session.tree.walk() if node.is_file}
    values = {key: session.fold.state.get(key) for key in session.fold.state.keys()}  # noqa: SIM118
    return files, values, session.status


class CrashMachine(RuleBasedStateMachine):
    path: str

    def __init__(self):
        super().__init__()
        self.disk = new_disk(self.path)
        self.make_ino = itertools.count(1 << 51).__next__
        self.stores: list[Store | None] = [None, None]
        self.watched: list[Watched | None] = [None, None]
        self.states: dict[str, dict[str, object]] = {}  # what a session was, by the chain of its newest record
        self.promised: dict[str, int] = {}  # so many records are
        self.written: list[dict[str, int]] = [{}, {}]  # up to where each process wrote
        self.deleted: set[str] = set()
        self.removed: list[set[str]] = [set(), set()]  # what each process deleted, by the chain of its first record
        self.gone: set[str] = set()  # of these it is promised that they do not come back

    @initialize(process=processes)
    def begin(self, process):
        self.create(process, "a")

    def store(self, process):
        if self.stores[process] is None:
            self.watched[process] = Watched(self.disk)
            self.stores[process] = self.open(self.watched[process])
        return self.stores[process]

    def open(self, disk):
        return Store(self.path, disk=disk, clock=disk.now_ns, make_ino=self.make_ino)

    # What is done

    def do(self, process, session_id, work):
        """Do *work* with a session, if it is there and lets it be done, and note what it is then."""
        store = self.store(process)
        with contextlib.suppress(REFUSED):
            work(store)
            self.note(process, session_id)

    def note(self, process, session_id):
        store = self.store(process)
        position = store.session(session_id).log.position
        self.states.setdefault(session_id, {})[position.chain] = state_of(store, session_id)
        self.written[process][session_id] = position.seq
        if store.config.mode.value == "full":
            self.promised[session_id] = position.seq

    @rule(process=processes, session=sessions)
    def create(self, process, session):
        self.do(process, session, lambda store: store.create_session(session_id=session))

    @rule(process=processes, session=sessions, path=paths, content=contents)
    def put(self, process, session, path, content):
        self.do(process, session, putting(session, path, content))

    @rule(process=processes, session=sessions, value=st.sampled_from(sorted(VALUES)))
    def set_state(self, process, session, value):
        self.do(process, session, lambda store: store.session(session).values.set("key", VALUES[value]))

    @rule(process=processes, session=sessions, path=paths, to=paths)
    def rename(self, process, session, path, to):
        self.do(process, session, lambda store: store.session(session).artifacts.rename(path, to, make_parents=True))

    @rule(process=processes, session=sessions, path=paths)
    def remove(self, process, session, path):
        self.do(process, session, lambda store: store.session(session).artifacts.delete(path))

    @rule(process=processes, session=sessions)
    def checkpoint(self, process, session):
        self.do(process, session, checkpointing(session))

    @rule(process=processes, session=sessions, child=sessions)
    def fork(self, process, session, child):
        def work(store):
            store.fork_session(session, session_id=child)
            self.note(process, session)

        self.do(process, child, work)

    @rule(process=processes, session=sessions)
    def complete(self, process, session):
        self.do(process, session, lambda store: store.session(session).complete())

    @rule(process=processes, session=sessions)
    def delete(self, process, session):
        with contextlib.suppress(REFUSED):
            store = self.store(process)
            first = store.session(session).log.record_at(0).chain
            store.delete_session(session)
            self.forget(session)
            self.deleted.add(session)
            self.removed[process].add(first)
            if store.config.mode.value == "full":
                self.gone.add(first)
            for other, known in self.states.items():  # its forks have got what they began with
                if self.store(process).session(other).log.position.chain not in known:
                    self.note(process, other)

    def forget(self, session):
        self.states.pop(session, None)
        self.promised.pop(session, None)
        for written in self.written:
            written.pop(session, None)

    # What is promised

    @rule(process=processes)
    def sync(self, process):
        self.store(process).sync()
        self.promise(self.written[process])
        self.gone |= self.removed[process]

    @rule(process=processes, session=sessions, path=paths, content=contents)
    def sync_behind_another_process(self, process, session, path, content):
        """One writes and does not sync, perhaps never will; what the other then writes and syncs rests on that."""
        self.put(process, session, path, content)
        self.set_state(1 - process, session, "number")
        self.sync(1 - process)

    @rule(process=processes, session=sessions)
    def sync_what_was_read(self, process, session):
        store = self.store(process)
        with contextlib.suppress(NotFound):
            log = store.session(session).log
            log.owe()
            store.sync()
            self.promise({session: log.position.seq})

    @rule(process=processes)
    def sync_everything(self, process):
        store = self.store(process)
        store.sync_everything()
        self.promise({session: store.session(session).log.position.seq for session in self.states})

    def promise(self, counts):
        for session, count in counts.items():
            if session in self.states:
                self.promised[session] = max(count, self.promised.get(session, 0))

    # What goes wrong

    @rule(process=processes)
    def kill(self, process):
        self.stores[process] = None
        self.written[process] = {}
        self.removed[process] = set()

    @rule(data=st.data())
    def cut(self, data):
        self.check_after_cut(data)

    @rule(
        data=st.data(),
        process=processes,
        session=sessions,
        path=paths,
        content=contents,
        what=st.sampled_from(["put", "checkpoint", "sync", "create", "fork", "set", "open"]),
        calls=st.integers(0, 40),
    )
    def cut_in_the_middle(self, data, process, session, path, content, what, calls):
        if what == "open":
            self.kill(process)
            watched = Watched(self.disk)
        else:
            self.store(process)
            watched = self.watched[process]
        watched.stop_after(calls)
        works = {
            "put": putting(session, path, content),
            "checkpoint": checkpointing(session),
            "sync": lambda store: store.sync(),
            "create": lambda store: store.create_session(session_id=session),
            "fork": lambda store: store.fork_session("a", session_id=session),
            "set": lambda store: store.session(session).values.set("key", VALUES["object"]),
            "open": lambda store: self.open(watched),
        }
        with contextlib.suppress(PowerCut, *REFUSED):
            works[what](self.stores[process])
            if what not in ("sync", "open"):
                self.note(process, session)
        self.check_after_cut(data, unfinished={session, "a"} if what == "fork" else {session})

    def check_after_cut(self, data, unfinished=frozenset()):
        left = self.disk.power_cut(lambda count: data.draw(st.integers(0, count - 1)))
        self.stores = [None, None]
        self.written = [{}, {}]
        self.removed = [set(), set()]
        # Another cut while the first one is being settled.
        again = Watched(left)
        again.stop_after(data.draw(st.sampled_from([*range(0, 60, 3), 1000])))
        with contextlib.suppress(PowerCut):
            self.open(again)
        if again.is_dead:
            left = left.power_cut(lambda count: data.draw(st.integers(0, count - 1)))
        self.disk = left
        store = self.store(0)
        assert [str(fault) for fault in check(store) if fault.is_damage] == []
        self.check_sessions(store, unfinished)
        for content in CONTENTS.values():
            assert store.objects.read(store.objects.put_bytes(content).oid) == content

    def check_sessions(self, store, unfinished):
        there = {info.id for info in store.sessions()}
        for session in list(self.states):
            if session not in there:
                assert session not in self.promised, f"{session} is lost"
                self.forget(session)
        for session in there:
            known = self.states.setdefault(session, {})
            records = [record for _, record in store.session(session).records()]
            assert records[0].chain not in self.gone, f"{session} has come back"
            had = [number for number, record in enumerate(records, 1) if record.chain in known]
            assert len(records) >= self.promised.get(session, 0), f"{session} has lost records"
            now = state_of(store, session)
            rest = [record.type for record in records[had[-1] if had else 0 :] if record.type not in SETTLED_BY]
            if rest:  # of the operation that was cut off, or of a deletion that did not come about
                assert session in unfinished or session in self.deleted
            else:
                assert known[records[had[-1] - 1].chain] == now
            known.update(dict.fromkeys([records[-len(rest) or -1].chain, records[-1].chain], now))

    def teardown(self):
        self.stores = [None, None]


def putting(session_id, path, content):
    def work(store):
        session = store.session(session_id)
        session.artifacts.put(path, store.objects.put_bytes(CONTENTS[content]))

    return work


def checkpointing(session_id):
    def work(store):
        session = store.session(session_id)
        oid = session.save()
        where = f"{store.layout.refs(session_id)}/c"
        refs.update(store.disk, store.clock, store.unsynced, store.config.mode, where, oid, actor="me")

    return work


def run_machine(path, **chosen):
    machine = type("Machine", (CrashMachine,), {"path": path})
    run_state_machine_as_test(machine, settings=settings(settings.default, **chosen))


def test_every_cut_leaves_a_store_that_is_whole_and_has_what_was_promised(skeleton):
    run_machine(skeleton)


LEFT_OUT = {
    "what others named is synced, too": (Covering, "needed", lambda self, path, offset: Needed.nothing()),
    "names are synced, whoever made them": (Log, "_keep_names", lambda self: None),
    "everything is synced before that is said": (
        Synced, "renew", lambda self: self.write(self._disk.boot_id(), self._disk.now_ns()) or True,
    ),
    "what a cut left is settled": (_Settling, "run", lambda self: Settled(None)),
    "objects are hashed after a cut": (_Settling, "_young_objects", lambda self: []),
    "logs are cut back after a cut": (_Settling, "_cut_log", lambda self, session_id: None),
}  # fmt: skip


@pytest.mark.parametrize("what", LEFT_OUT)
@pytest.mark.parametrize("skeleton", ["relaxed"], indirect=True)
def test_the_machine_notices_what_is_left_out(skeleton, monkeypatch, what):
    monkeypatch.setattr(*LEFT_OUT[what])
    with pytest.raises((AssertionError, Error)):
        run_machine(skeleton, max_examples=300, stateful_step_count=40, phases=[Phase.generate])


def test_a_promise_holds_in_a_session_that_stands_where_another_one_stood(skeleton):
    for kept in range(3):
        machine = type("Machine", (CrashMachine,), {"path": skeleton})()
        machine.create(process=0, session="c")
        for process in (0, 1):
            machine.sync_behind_another_process(process=process, session="c", path="d/y", content="text")
        machine.delete(process=0, session="c")
        machine.create(process=0, session="c")
        machine.sync_behind_another_process(process=0, session="c", path="d/y", content="long")
        store = machine.open(machine.disk.power_cut(lambda count, kept=kept: min(kept, count - 1)))
        assert len(list(store.session("c").records())) >= machine.promised["c"]


def test_what_was_deleted_before_a_sync_does_not_come_back(skeleton):
    machine = type("Machine", (CrashMachine,), {"path": skeleton})()
    machine.create(process=0, session="a")
    machine.sync(process=0)
    machine.put(process=0, session="a", path="x", content="text")
    machine.delete(process=0, session="a")
    machine.sync(process=0)
    left = machine.disk.power_cut(lambda count: 0)
    store = machine.open(left)
    assert store.session_ids() == []
    (trashed,) = left.listdir(store.layout.trash)
    # Whole: who takes it back finds what it was.
    text = left.content(f"{store.layout.trash}/{trashed}/log")
    assert b'"artifact.stored"' in text and b'"session.deleted"' in text
