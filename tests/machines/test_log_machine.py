"""Two writers and a reader on one log, with torn tails, against a list."""

from __future__ import annotations

import os

import msgspec
from bench import LOG, Bench, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sessionfs.log import Draft, encode_data

values = st.integers(0, 99) | st.text(max_size=10) | st.sampled_from([3000, 60_000]).map("x".__mul__)
writers = st.integers(0, 1)


class Logs(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.disk = new_disk()
        self.bench = Bench(self.disk)
        self.logs = [self.bench.log() for _ in range(3)]  # the third only reads
        self.logs[0].create()
        self.seen = [[], [], []]
        self.written = []
        self.tail = b""
        self.tails = []

    def note(self, number, records):
        self.seen[number] += [msgspec.json.decode(record.data) for record in records]

    @rule(number=writers, batch=st.lists(values, min_size=1, max_size=3))
    def append(self, number, batch):
        log = self.logs[number]
        with log.writing() as others:
            self.note(number, others)
            drafts = [Draft("custom.x", msgspec.Raw(encode_data(value))) for value in batch]
            self.note(number, log.append(self.bench.clock, drafts, actor="me"))
        log.commit()
        self.written += batch
        if self.tail:
            self.tails.append(self.tail)
        self.tail = b""

    @rule(number=st.integers(0, 2))
    def read(self, number):
        self.note(number, self.logs[number].read_new())
        assert self.seen[number] == self.written

    @rule(number=st.integers(0, 2))
    def rest(self, number):
        self.logs[number].rest()

    @rule(number=st.integers(0, 2))
    def reopen(self, number):
        self.logs[number] = self.bench.log()
        self.seen[number] = []

    @precondition(lambda self: self.written and not self.tail)
    @rule(data=st.data())
    def tear(self, data):
        """A writer is killed, or the power fails: something that is no record follows the records."""
        lines = self.disk.content(LOG).splitlines(keepends=True)
        line = data.draw(st.sampled_from(lines))
        cut = data.draw(st.integers(1, len(line) - 1))
        tail = data.draw(st.sampled_from([line[:cut], bytes(cut), bytes(cut) + b"\n" + line, line[:-2] + b"\n", b"\n"]))
        fd = self.disk.open(LOG, os.O_WRONLY | os.O_APPEND)
        self.disk.write(fd, tail)
        self.disk.close(fd)
        self.tail = tail

    @precondition(lambda self: not self.tail)
    @rule()
    def lines_are_the_file(self):
        assert b"".join(line for line, _ in self.logs[2].lines()) == self.disk.content(LOG)

    @invariant()
    def readers_see_a_prefix(self):
        for seen in self.seen:
            assert seen == self.written[: len(seen)]

    @invariant()
    def no_tail_is_lost(self):
        kept = [content for path, content in self.disk.all_files() if "/torn-" in path]
        assert set(kept) == set(self.tails)

    @invariant()
    def nothing_is_taken_for_damage(self):
        assert all(log.damage is None for log in self.logs)


TestLogs = Logs.TestCase
