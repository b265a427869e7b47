"""Staged content against a bytearray, with limits so small that every form and every change of form happens.

What runs on other threads is run by rules here, so that a failure can be repeated; and the disk is full at any call of
a finish.
"""

from __future__ import annotations

import errno
import os
import random

from bench import LIMITS, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sessionfs.durable import Mode, Unsynced
from sessionfs.errors import NoSpace
from sessionfs.objects import ObjectDatabase
from sessionfs.objects.frame import BLOCK_BYTES
from sessionfs.oid import hash_bytes

NOISE = random.Random(9).randbytes(2 * BLOCK_BYTES)
short = st.sampled_from([b"a", b"bc"]) | st.binary(min_size=1, max_size=20)  # the same again makes the same content
long = st.builds(
    lambda start, length, text: (b"text " * length if text else NOISE[start:])[:length],
    st.integers(0, BLOCK_BYTES),
    st.sampled_from([1, 900, 4096, 5000, 20_000, BLOCK_BYTES, BLOCK_BYTES + 30_000]),
    st.booleans(),
)
places = st.one_of(st.integers(0, 3000), st.integers(0, 100_000), st.integers(0, 4 * BLOCK_BYTES))
MOST = 6 * BLOCK_BYTES


class FullDisk:
    """Passes calls on; from the one numbered *fails_in* on there is no space, until that is set to None."""

    def __init__(self, inner):
        self.inner = inner
        self.fails_in = None

    def __getattr__(self, name):
        method = getattr(self.inner, name)
        if name not in ("write", "pwrite", "create_temporary", "name_temporary", "fsync", "sync_directory"):
            return method

        def call(*args, **named):
            if self.fails_in is not None:
                if self.fails_in == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                self.fails_in -= 1
            return method(*args, **named)

        return call


class StagedContent(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.disk = FullDisk(new_disk())
        self.jobs = []
        self.stored = {}
        self.objects = self.open()
        self.begin(None)

    def open(self):
        unsynced = Unsynced(self.disk)
        return ObjectDatabase(
            self.disk,
            "/s/objects",
            "/s/tmp",
            unsynced=unsynced,
            mode=Mode.FULL,
            threshold_bytes=2000,
            limits=LIMITS,
            run=self.jobs.append,
        )

    def begin(self, oid):
        self.staged = self.objects.stage(oid)
        self.model = bytearray(self.stored.get(oid, b""))

    # Beginning

    @rule()
    def begin_empty(self):
        self.discard()
        self.begin(None)

    @precondition(lambda self: self.stored)
    @rule(number=st.integers(0, 100))
    def begin_with_a_blob(self, number):
        self.discard()
        self.begin(list(self.stored)[-1 - number % len(self.stored)])

    @rule()
    def restart(self):
        """Another process: nothing is remembered, nothing is staged."""
        self.discard()
        self.objects.rest()
        self.objects = self.open()
        if self.stored:
            self.begin(list(self.stored)[-1])
        else:
            self.begin(None)

    def discard(self):
        self.staged.discard()
        self.run_jobs()

    # Writing

    def write(self, data, offset):
        if offset + len(data) > MOST:
            return
        assert self.staged.pwrite(data, offset) == len(data)
        self.model.extend(bytes(max(0, offset - len(self.model))))
        self.model[offset : offset + len(data)] = data
        assert self.staged.is_changed

    @rule(data=short | long, offset=places)
    def pwrite(self, data, offset):
        self.write(data, offset)

    @rule(data=short | long, back=st.integers(0, 30_000))
    def pwrite_near_the_end(self, data, back):
        self.write(data, max(0, len(self.model) - back))

    @rule(data=short | long, share=st.floats(0, 1))
    def pwrite_somewhere_in_it(self, data, share):
        self.write(data, int(len(self.model) * share))

    @rule(data=short | long, count=st.integers(1, 8))
    def append(self, data, count):
        for _ in range(count):
            if len(self.model) + len(data) <= MOST:
                self.staged.append(data)
                self.model.extend(data)

    @rule(data=short, count=st.integers(1, 12))
    def append_and_finish(self, data, count):
        for _ in range(count):
            self.append(data, 1)
            self.finish()

    @rule(size=places)
    def truncate(self, size):
        self.staged.truncate(size)
        del self.model[size:]
        self.model.extend(bytes(size - len(self.model)))

    @rule(by=st.integers(1, 15_000))
    def extend(self, by):
        self.truncate(len(self.model) + by)

    @rule(share=st.floats(0, 1))
    def cut(self, share):
        self.truncate(int(len(self.model) * share))

    @rule(offset=places, length=places)
    def write_the_same_again(self, offset, length):
        data = bytes(self.model[offset : offset + length])
        if data:
            self.staged.pwrite(data, offset)

    # Other threads

    @rule()
    def run_a_job(self):
        if self.jobs:
            self.jobs.pop(0)()

    @rule()
    def run_jobs(self):
        while self.jobs:
            self.run_a_job()

    @rule()
    def catch_up(self):
        self.staged.catch_up()
        assert not self.staged.is_behind

    # Reading

    @rule(offset=places, length=places)
    def pread(self, offset, length):
        assert self.staged.pread(length, offset) == self.model[offset : offset + length]

    @rule()
    def pread_all(self):
        assert self.staged.pread(len(self.model) + 5, 0) == self.model

    # Finishing

    @rule()
    def finish(self):
        stored = self.staged.finish()
        assert (stored.oid, stored.size) == (hash_bytes(self.model), len(self.model))
        assert not self.staged.is_changed
        assert self.staged.finish() == stored and self.staged.unfinished_bytes == 0
        self.stored.pop(stored.oid, None)
        self.stored[stored.oid] = bytes(self.model)
        assert self.open().read(stored.oid) == self.model

    @rule(call=st.integers(0, 12))
    def finish_on_a_full_disk(self, call):
        self.disk.fails_in = call
        try:
            self.staged.finish()
        except NoSpace:
            pass
        finally:
            self.disk.fails_in = None
        self.pread_all()

    @rule(place=places, length=places)
    def read_an_object(self, place, length):
        if self.stored:
            oid = list(self.stored)[place % len(self.stored)]
            with self.open().open(oid) as reader:
                assert reader.pread(length, place) == self.stored[oid][place : place + length]

    @invariant()
    def the_size_is_right(self):
        assert self.staged.size == len(self.model)

    def teardown(self):
        self.finish()
        self.discard()
        objects = self.open()
        verifier = objects.verifier()
        for file in sorted(objects.list(), key=verifier.size):
            objects.verify(file)
            verifier.verify(file)
        for oid, content in self.stored.items():
            assert objects.read(oid) == content
        self.objects.rest()
        assert self.disk.inner.open_count == 0
        assert self.disk.inner.listdir("/s/tmp") == []


TestStagedContent = StagedContent.TestCase
