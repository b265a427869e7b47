"""A session's status, moved by two processes, against the design's table."""

from __future__ import annotations

import pytest
from bench import Bench, new_disk
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sessionfs.errors import Conflict, Denied
from sessionfs.sessions import Status

TABLE = {
    "active": {"suspend": "suspended", "complete": "completed", "fail": "failed"},
    "suspended": {"resume": "active", "complete": "completed", "fail": "failed"},
    "completed": {"archive": "archived"},
    "failed": {"archive": "archived"},
    "archived": {},
}
# Moving away from being active ends too soon when it is as likely as everything else.
STEPS = ["suspend", "resume"] * 4 + ["complete", "fail", "archive"]
WORDS = {"suspend": "suspended", "resume": "active", "complete": "completed", "fail": "failed", "archive": "archived"}

processes = st.integers(0, 1)


class Lifecycle(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.disk = new_disk()
        Bench(self.disk).create_session()
        self.sessions = [Bench(self.disk).open_session() for _ in range(2)]
        self.status, self.reason, self.ended = "active", None, None
        self.names = set()

    @rule(number=processes, step=st.sampled_from(STEPS), by_word=st.booleans())
    def move(self, number, step, by_word):
        session = self.sessions[number]
        new = TABLE[self.status].get(step)

        def call():
            if by_word:
                session.set_status(WORDS[step], "why" if step == "fail" else None)
            else:
                getattr(session, step)(*(["why"] if step == "fail" else []))

        if new is None:
            before = len(self.disk.content("/s/sessions/one/log"))
            with pytest.raises(Conflict, match=rf"{self.status}.*{WORDS[step]}"):
                call()
            assert len(self.disk.content("/s/sessions/one/log")) == before
            return
        call()
        self.status = new
        if step == "fail":
            self.reason = "why"
        if new in ("completed", "failed"):
            self.ended = session.info().ended_ns
            assert self.ended is not None

    @rule(
        number=processes,
        name=st.sampled_from("abc"),
        verb=st.sampled_from(["put", "state", "update", "record", "save"]),
    )
    def change(self, number, name, verb):
        session = self.sessions[number]
        calls = {
            "put": lambda: session.artifacts.put(name, session.objects.put_bytes(name.encode())),
            "state": lambda: session.values.set(name, 1),
            "update": lambda: session.update(name=name),
            "record": lambda: session.record("custom.x", {}),
            "save": lambda: session.save(),
        }
        if self.status == "active":
            calls[verb]()
            self.names |= {name} if verb == "put" else set()
        else:
            before = len(self.disk.content("/s/sessions/one/log"))
            with pytest.raises(Denied, match=self.status):
                calls[verb]()
            assert len(self.disk.content("/s/sessions/one/log")) == before

    @rule(number=processes)
    def reopen(self, number):
        self.sessions[number] = Bench(self.disk).open_session()

    @invariant()
    def everybody_agrees(self):
        for session in self.sessions:
            session.refresh()
            info = session.info()
            assert info.status is Status(self.status)
            assert (info.reason, info.ended_ns) == (self.reason, self.ended)
            assert session.is_writable == (self.status == "active")
            assert {node.name for _, node in session.tree.walk()} == self.names


TestLifecycle = Lifecycle.TestCase
