"""What one process uses of a store, on a disk in memory, and what must be so after it ended badly."""

from __future__ import annotations

import itertools
import random
import re
from contextlib import contextmanager, suppress

import msgspec
from disks import MemoryDisk, PowerCut, Watched

from sessionfs import refs
from sessionfs.durable import Mode, Unsynced
from sessionfs.log import Draft, Log, encode_data
from sessionfs.objects import Limits, ObjectDatabase
from sessionfs.objects.frame import BLOCK_BYTES
from sessionfs.oid import hash_bytes
from sessionfs.sessions import Created
from sessionfs.store.config import Config
from sessionfs.store.session import Session

TEXT = b"a line of text\n" * 1000  # stored as .lz4
NOISE = random.Random(1).randbytes(12_000)  # stored as it is
LONG_VALUE = "x" * 9000  # stored in an object

# So small that a few KiB take every form of staged content.
LIMITS = Limits(
    memory_bytes=12_000,
    whole_bytes=1000,
    piece_bytes=BLOCK_BYTES,
    window_bytes=20_000,
    behind_pieces=1,
    waiting_pieces=2,
    growing_count=1,
    edited_bytes=3 * 4096,
    tail_count=2,
    depth=4,
    small_bytes=700,
    near_bytes=100,
    piece_count=12,
)

REF = "/s/sessions/one/refs/r"
LOG = "/s/sessions/one/log"


def new_disk() -> MemoryDisk:
    """Return a disk with an empty store at /s."""
    disk = MemoryDisk()
    for name in ("sessions", "tmp", "changed", "trash", *(f"objects/{number:02x}" for number in range(256))):
        disk.make_directories(f"/s/{name}")
    return disk


class Bench:
    """One process. ``promises`` are what it was promised, each a call that asserts it on another bench."""

    def __init__(self, disk, mode=Mode.FULL):
        self.disk, self.mode = disk, mode
        self.clock = itertools.count(1_795_214_641_000_000_000, 1_000_000).__next__
        # One count for all processes on a disk, and the same in every run: ids decide where trees lie.
        self.make_ino = vars(disk).setdefault("make_ino", itertools.count(1 << 51).__next__)
        self.unsynced = Unsynced(disk)
        self.objects = ObjectDatabase(disk, "/s/objects", "/s/tmp", unsynced=self.unsynced, mode=mode)
        # The same objects for staging, with what runs on other threads done at once.
        self.staging = ObjectDatabase(
            disk,
            "/s/objects",
            "/s/tmp",
            unsynced=self.unsynced,
            mode=mode,
            limits=LIMITS._replace(depth=2),  # five appends come to the turn
            run=lambda job: job(),
        )
        self.promises = []

    def log(self) -> Log:
        return Log(
            self.disk,
            LOG,
            "one",
            mark_path="/s/changed/one",
            staging="/s/tmp",
            unsynced=self.unsynced,
            mode=self.mode,
        )

    def session(self) -> Session:
        config = Config(mode=self.mode)
        return Session(self.log(), self.objects, config, "one", actor="me", clock=self.clock, make_ino=self.make_ino)

    def open_session(self) -> Session:
        session = self.session()
        session.open()
        return session

    def create_session(self) -> Session:
        session = self.session()
        session.log.create()
        with session.writing():
            session.append("session.created", Created(id=session.id))
        return session

    # What is done, and promised

    def promise(self, check, *what):
        self.promises.append((check, what))

    def put(self, data):
        stored = self.objects.put_bytes(data)
        self.promise(has_object, data)
        return stored

    @contextmanager
    def staged(self, base=None):
        """Give content that is staged, and a call that finishes it and is promised what it then is."""
        staged = self.staging.stage(base)

        def finish():
            content = staged.pread(staged.size, 0)
            stored = staged.finish()
            self.promise(has_object, content)
            return stored.oid

        try:
            yield staged, finish
        finally:
            staged.discard()
            self.staging.rest()

    def append(self, log, **data):
        with log.writing():
            (record,) = log.append(self.clock, [Draft("custom.test", msgspec.Raw(encode_data(data)))], actor="me")
        log.commit()
        self.promise(has_records, record.seq + 1)

    def move_ref(self, number):
        refs.update(self.disk, self.clock, self.unsynced, self.mode, REF, f"{number:064x}", actor="me")
        self.promise(has_ref, number)


def has_object(bench, data):
    assert bench.objects.read(hash_bytes(data)) == data


def has_file(bench, path, data):
    assert bench.disk.content(path) == data


def has_whole_file_or_none(bench, path, data):
    assert bench.disk.size_at(path) is None or bench.disk.content(path) == data


def has_bytes_somewhere(bench, content):
    assert any(content in held for _, held in bench.disk.all_files())


def has_records(bench, count):
    assert len(bench.log().read_new()) >= count


def has_ref(bench, number):
    assert int(refs.read(bench.disk, REF) or "0", 16) >= number


def has_artifact(bench, paths, version):
    tree = bench.open_session().tree
    assert max((node.version for path in paths if (node := tree.find(path))), default=0) >= version


def has_state(bench, key, value):
    assert bench.open_session().fold.state.get(key) == value


def check_promises(disk, promises):
    """Everything that was promised is there."""
    for check, what in promises:
        check(Bench(disk), *what)


def check_wholeness(disk):
    """Everything that is there at all is whole, names nothing that is missing, and can be gone on with."""
    bench = Bench(disk)
    for file in list(bench.objects.list()):
        bench.objects.verify(file)
    refs.read(disk, REF)
    with suppress(FileNotFoundError):
        disk.content(LOG)
        _check_log(bench)


def _check_log(bench):
    log = bench.log()
    records = log.read_new()
    assert log.damage is None
    for record in records:
        for key, oid in re.findall(rb'"(oid|new_oid|snapshot)":"([0-9a-f]{64})"', bytes(record.data)):
            if key == b"snapshot":
                _check_trees(bench, bench.objects.read_json("snapshot", oid.decode()))
            else:
                bench.objects.read(oid.decode())
    if records and records[0].type == "session.created":
        session = bench.open_session()
        assert session.log.position == log.position
        for _, node in session.tree.walk():
            assert node.is_directory or len(bench.objects.read(node.oid)) == node.size
        if session.is_writable:
            session.artifacts.put("after", bench.objects.put_bytes(b"after"))
            assert bench.open_session().tree.find("after")
    else:
        bench.append(log, after=True)
        assert len(bench.log().read_new()) == len(records) + 1


def _check_trees(bench, json):
    for oid in re.findall(rb'"tree":"([0-9a-f]{64})"', json):
        _check_trees(bench, bench.objects.read_json("tree", oid.decode()))


def run(scenario, mode=Mode.FULL, disk=None, **watch):
    """Run *scenario* in a process of its own until it ends or is stopped."""
    watched = Watched(disk if disk is not None else new_disk(), **watch)
    bench = Bench(watched, mode)
    with suppress(PowerCut):
        scenario(bench)
    return watched, bench
