"""The object database against a dict, with objects damaged in place."""

from __future__ import annotations

import io
import random
from contextlib import suppress

import pytest
from bench import Bench, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from sessionfs.objects import DamagedObject
from sessionfs.objects.frame import BLOCK_BYTES
from sessionfs.oid import hash_bytes

NOISE = random.Random(9).randbytes(BLOCK_BYTES + 100)
contents = st.one_of(
    st.binary(max_size=50),
    st.builds(lambda unit, size: (unit * size)[:size], st.binary(min_size=1, max_size=9), st.integers(10_239, 10_242)),
    st.builds(lambda start, text: NOISE[start:] + b"text " * text, st.integers(0, 300_000), st.integers(0, 60_000)),
)
offsets = st.integers(0, 400_000)


class Stage:
    def __init__(self, staged, model, lies_over):
        self.staged, self.model, self.lies_over = staged, model, lies_over


class Objects(RuleBasedStateMachine):
    oids = Bundle("oids")
    stages = Bundle("stages")

    def __init__(self):
        super().__init__()
        self.disk = new_disk()
        self.restart()
        self.contents = {}
        self.paths = {}
        self.damaged = {}
        self.bases = set()  # of what is staged
        self.is_in_pieces = False  # some content: its pieces are objects, too

    @rule()
    def restart(self):
        """Another process: nothing is cached."""
        self.objects = Bench(self.disk).objects

    @rule(target=oids, data=contents, way=st.sampled_from(["bytes", "stream"]))
    def put(self, data, way):
        stored = self.objects.put_bytes(data) if way == "bytes" else self.objects.put_stream(io.BytesIO(data))
        return self.note(stored, data)

    def note(self, stored, data):
        assert stored.oid == hash_bytes(data) and stored.size == len(data)
        if self.damaged.get(stored.oid) == "length":
            del self.damaged[stored.oid]  # it was put in place of what was cut short
        suffix = {"none": "", "lz4": ".lz4", "chunks": ".chunks"}[stored.compression]
        path = f"/s/objects/{stored.oid[:2]}/{stored.oid[2:]}{suffix}"
        self.is_in_pieces |= suffix == ".chunks"
        size = self.disk.size_at(path)
        if size is None:  # what was added to other content, and is small, is in a pack
            assert any("/pack/" in place for place in self.objects.paths(stored.oid))
        else:
            # Of one in pieces, those that were written with it count, too.
            assert size == stored.stored_size or (suffix == ".chunks" and size < stored.stored_size)
            self.paths[stored.oid] = path
        self.contents[stored.oid] = data
        return stored.oid

    @rule(target=stages, base=st.none() | oids)
    def stage(self, base):
        if base in self.damaged:
            base = None
        self.bases.add(base)
        return Stage(self.objects.stage(base), bytearray(self.contents.get(base, b"")), base)

    @rule(stage=stages, data=contents, offset=offsets)
    def write(self, stage, data, offset):
        if stage.lies_over in self.damaged:
            return  # what it reads may be anything; test_staged has what it may become
        staged, model = stage.staged, stage.model
        staged.pwrite(data, offset)
        if data:
            model.extend(bytes(max(0, offset - len(model))))
            model[offset : offset + len(data)] = data
        assert staged.size >= len(model)
        staged.truncate(len(model))

    @rule(stage=stages, size=offsets)
    def truncate(self, stage, size):
        if stage.lies_over in self.damaged:
            return  # what it reads may be anything; test_staged has what it may become
        staged, model = stage.staged, stage.model
        staged.truncate(size)
        del model[size:]
        model.extend(bytes(size - len(model)))
        assert staged.pread(100, size - 50 if size > 50 else 0) == model[max(0, size - 50) :]

    @rule(target=oids, stage=stages)
    def finish(self, stage):
        if stage.lies_over in self.damaged:
            return multiple()
        stored = stage.staged.finish()
        stage.lies_over = stored.oid
        return self.note(stored, bytes(stage.model))

    @rule(stage=consumes(stages))
    def discard(self, stage):
        stage.staged.discard()

    @rule(oid=oids)
    def read(self, oid):
        try:
            assert self.objects.read(oid) == self.contents[oid]
        except DamagedObject:
            assert oid in self.damaged

    @rule(oid=oids, offset=offsets, length=offsets)
    def read_at(self, oid, offset, length):
        if oid not in self.damaged:
            with self.objects.open(oid) as reader:
                assert reader.pread(length, offset) == self.contents[oid][offset : offset + length]
                assert reader.size == self.objects.size(oid) == len(self.contents[oid])

    @rule(oid=oids, kind=st.sampled_from(["length", "bits"]), place=offsets)
    def damage(self, oid, kind, place):
        content = bytearray(self.disk.content(self.paths[oid])) if oid in self.paths else b""
        # A piece that is damaged is damage of all content that has it, and a base that is, of what lies over it.
        if not content or self.is_in_pieces or oid in self.bases:
            return
        if kind == "length":
            content.clear()
        else:
            content[place % len(content)] ^= 1
            if oid in self.damaged:
                return  # twice the same bit would mend it
        self.disk.put(self.paths[oid], bytes(content))
        self.damaged[oid] = kind

    @rule()
    def list_and_verify(self):
        found = list(self.objects.list())
        oids = [file.oid for file in found]
        assert set(self.contents) <= set(oids) if self.is_in_pieces else oids == sorted(self.contents)
        for file in found:
            if self.damaged.get(file.oid) == "bits" and self.paths[file.oid].endswith(".lz4"):
                with suppress(DamagedObject):  # another way to compress the same: an offset in what repeats itself
                    assert hash_bytes(self.objects.read(file.oid)) == file.oid
                    self.objects.verify(file)
            elif file.oid in self.damaged:
                with pytest.raises(DamagedObject):
                    self.objects.verify(file)
            else:
                self.objects.verify(file)

    @invariant()
    def nothing_is_left_in_staging(self):
        assert self.disk.listdir("/s/tmp") == []


TestObjects = Objects.TestCase
