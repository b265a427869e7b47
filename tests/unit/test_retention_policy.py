"""Which rules hold for a session, and what they keep of its history."""

from __future__ import annotations

import pytest

from sessionfs.artifacts import events
from sessionfs.errors import InvalidInput
from sessionfs.log import encode_data
from sessionfs.log.record import Record
from sessionfs.oid import hash_bytes
from sessionfs.retention.history import History
from sessionfs.retention.keeping import Keep, unneeded
from sessionfs.retention.policy import Rule, policy_of
from sessionfs.sessions import Fields, Pin
from sessionfs.sessions.fields import move_pins
from sessionfs.store.config import Config, parse_config
from sessionfs.store.pinned import covers
from sessionfs.store.settings import own_config

DAY_NS = 86_400 * 10**9
NEVER = "9999"


def rules(text, tags=(), **settings):
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return policy_of(parse_config(text, "c"), Fields(id="s", tags=tags, settings=keys))


TEXT = """
[retention]
keep_versions = 5
delete_finished_after = "30d"
[retention.tag.scratch]
delete_finished_after = "1d"
[retention.tag.result]
delete_finished_after = "never"
[retention.tag.draft]
delete_finished_after = "7d"
"""


@pytest.mark.parametrize(
    ("tags", "days", "source"),
    [
        ((), 30, "retention.delete_finished_after"),
        (("other",), 30, "retention.delete_finished_after"),
        (("scratch",), 1, "retention.tag.scratch.delete_finished_after"),
        (("scratch", "draft"), 7, "retention.tag.draft.delete_finished_after"),
        (("draft", "result"), None, "retention.tag.result.delete_finished_after"),
    ],
)
def test_of_several_tags_the_one_that_keeps_longest_counts(tags, days, source):
    value = None if days is None else days * DAY_NS
    assert rules(TEXT, tags).delete_finished_after == Rule(value, source)


def test_what_a_session_says_itself_comes_first():
    found = rules(TEXT, ("result",), retention__delete_finished_after="2d", retention__keep_versions="never")
    assert found.delete_finished_after == Rule(2 * DAY_NS, "its own retention.delete_finished_after")
    assert found.keep_versions.value is None and not found.prunes
    assert rules(TEXT).prunes and not rules("").prunes


def test_a_limit_of_its_own_only_narrows():
    config = Config(max_artifact_bytes=100, max_session_bytes=None, timeout_ns=5)
    own = {"limits.max_artifact_size": 500, "limits.max_session_size": "2 KiB", "sessions.timeout": "1s"}
    found = own_config(config, own)
    assert (found.max_artifact_bytes, found.max_session_bytes, found.timeout_ns) == (100, 2048, 10**9)
    assert own_config(config, {"a.newer.key": 1}) == config


# What is kept


class Told:
    """A history that is told what happens, a second after the other."""

    def __init__(self):
        self.history = History()
        self.seq = 0
        self.live = {}

    def _record(self, type, data):
        time = f"2026-01-01T00:00:{self.seq:02}.000000000Z"
        record = Record(seq=self.seq, time=time, type=type, actor="a", data=encode_data(data), base=0, chain="0" * 32)
        self.history.take(type_session, record)
        self.seq += 1

    def directory(self, path):
        self._record("artifact.stored", events.Stored(path=path, kind="directory"))

    def put(self, path, content):
        oid = hash_bytes(content.encode())
        self._record("artifact.stored", events.Stored(path=path, oid=oid, size=len(content)))
        self.live[path] = oid

    def rename(self, path, to):
        self._record("artifact.renamed", events.Renamed(path=path, to=to))
        self.live[to] = self.live.pop(path)

    def delete(self, path):
        self._record("artifact.deleted", events.Deleted(path=path))
        del self.live[path]

    def other(self, data):
        self._record("tool.invoked", data)

    def gone(self, keep, *, pins=(), since=NEVER, only=(), needed=()):
        found = unneeded(
            self.history,
            keep,
            dict.fromkeys(pins, Pin("", "")),
            needed={*self.live.values(), *needed},
            since=since,
            only=only,
        )
        return sorted(
            content
            for content in (f"{name}{n}" for name in "abc" for n in range(10))
            if hash_bytes(content.encode()) in found.oids
        )


class _Session:
    id = "s"


type_session = _Session()


@pytest.fixture
def told():
    told = Told()
    told.directory("d")
    for number in range(4):
        told.put("a", f"a{number}")
        told.put("d/b", f"b{number}")
    return told


def test_the_last_n_versions_stay(told):
    assert told.gone(Keep(2)) == ["a0", "a1", "b0", "b1"]
    assert told.gone(Keep(1)) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert told.gone(Keep(4)) == told.gone(Keep()) == []


def test_what_is_younger_stays_and_either_rule_is_enough(told):
    since = "2026-01-01T00:00:04"
    assert told.gone(Keep(None, 1), since=since) == ["a0", "a1", "b0"]
    assert told.gone(Keep(3, 1), since=since) == ["a0", "b0"]


def test_what_is_pinned_stays(told):
    assert told.gone(Keep(1), pins=["d"]) == ["a0", "a1", "a2"]
    assert told.gone(Keep(1), pins=["a"]) == ["b0", "b1", "b2"]
    assert told.gone(Keep(1), pins=[""]) == []


def test_a_pin_keeps_what_its_artifact_was_before_it_was_renamed(told):
    told.rename("a", "c")
    told.put("c", "c0")
    assert told.gone(Keep(1), pins=["c"]) == ["b0", "b1", "b2"]


def test_only_what_was_asked_for_goes(told):
    assert told.gone(Keep(1), only=["d"]) == ["b0", "b1", "b2"]
    assert told.gone(Keep(1), only=["d/b", "a"]) == told.gone(Keep(1))


def test_what_was_deleted_keeps_its_last_versions(told):
    told.delete("a")
    assert told.gone(Keep(2)) == ["a0", "a1", "b0", "b1"]


def test_what_is_deleted_and_stored_again_does_not_lose_its_history_at_once(told):
    told.delete("a")
    told.put("a", "c0")  # its version 1
    assert told.gone(Keep(3)) == ["a0", "a1", "b0"]


def test_what_something_else_names_stays(told):
    told.other({"input": hash_bytes(b"a0")})
    assert "a0" not in told.gone(Keep(1)) and "b0" in told.gone(Keep(1))
    assert "b0" not in told.gone(Keep(1), needed=[hash_bytes(b"b0")])


def test_the_same_content_elsewhere_keeps_it(told):
    told.put("c", "a0")
    assert "a0" not in told.gone(Keep(1))


@pytest.mark.parametrize("rule", [(None, None), (0, None), (-1, 5)])
def test_a_rule_that_keeps_nothing_is_refused(rule):
    with pytest.raises(InvalidInput):
        Keep.of(*rule)


def test_a_pin_covers_what_is_below_it():
    pins = {"a/b": Pin("", "")}
    assert covers(pins, "a/b") and covers(pins, "a/b/c/d")
    assert not covers(pins, "a") and not covers(pins, "a/bc") and not covers(pins, "")


def test_pins_go_along_with_what_is_renamed():
    fields = Fields(id="s", pins=dict.fromkeys(["a", "a/x", "ab", "b"], Pin("", "")))
    move_pins(fields, "a", "c/d", exchange=False)
    assert sorted(fields.pins) == ["ab", "b", "c/d", "c/d/x"]
    move_pins(fields, "b", "c/d", exchange=True)
    assert sorted(fields.pins) == ["ab", "b", "b/x", "c/d"]
