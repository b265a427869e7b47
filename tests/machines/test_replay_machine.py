"""What happens again comes to the same; and wherever a replay is, it shows what was so there."""

from __future__ import annotations

import random

from hypothesis import settings
from test_restoring_machine import Restoring, what_is

from sessionfs.replay import Replay
from sessionfs.replay.what_if import what_if
from sessionfs.travel import AfterRecord, compare_states, compare_trees, view_at


class Replaying(Restoring):
    """All that people do with a session, then once more."""

    def __init__(self):
        super().__init__()
        self.session.record("custom.first", {})  # that can be dropped, and nothing is different

    def teardown(self):
        last = self.session.log.position.seq - 1
        done = what_if(self.store, self.session, drop=["custom.first"])
        assert done.impossible == () and done.dropped == (1,)
        fork = self.store.session(done.session)
        assert compare_trees(self.session.tree, fork.tree) == []
        assert compare_states(self.session.state, fork.state) == []
        self.a_replay_shows_what_was_so(last)

    def a_replay_shows_what_was_so(self, last):
        replay = Replay(self.store, self.session, end=last)
        chosen = random.Random(last)
        for _ in range(10):
            match chosen.randrange(4):
                case 0:
                    replay.back()
                case 1:
                    replay.seek(chosen.randint(0, last))
                case _:
                    replay.step()
            replay.standing.refresh()
            if replay.seq >= 0:
                assert what_is(replay.standing) == what_is(view_at(self.session, AfterRecord(replay.seq)))


TestReplaying = Replaying.TestCase
TestReplaying.settings = settings(max_examples=settings.default.max_examples // 4)
