"""Numbers about a store: as du(1) and people count them, and of stores in which something is wrong."""

from __future__ import annotations

import html
import json
import os
import subprocess

import pytest

import sessionfs
from sessionfs import api
from sessionfs.analytics import holdings
from sessionfs.analytics.report import Report, format_report
from sessionfs.analytics.survey import walk_objects
from sessionfs.analytics.timeline import draw_timeline
from sessionfs.store.store import Store

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = 1_795_214_641 * SECOND


class Clock:
    def __init__(self):
        self.now_ns = NOW

    def __call__(self):
        self.now_ns += 1000
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    Store.create(str(tmp_path / "runs"))
    with api.Store(Store(str(tmp_path / "runs"), clock=clock)) as store:
        yield store


def call(session, name, *, error=None, tokens=None, seconds=1, kind="tool.invoked"):
    said = {"name": name, "duration_ns": seconds * SECOND, "error.type": error, "gen_ai.usage.input_tokens": tokens}
    return session.record(kind, {key: value for key, value in said.items() if value is not None})


def test_an_empty_store(store):
    stats, patterns, space = store.stats(), store.patterns(), store.du()
    assert (stats.session_count, stats.artifact_count, stats.event_count, stats.durations) == (0, 0, 0, None)
    assert (stats.artifacts_per_session, stats.days, stats.sizes.stored) == (0, (), 0)
    assert not any(patterns.to_dict().values())
    assert (space.sessions, space.content.stored) == ((), 0)
    assert store.tree() == ()
    assert "There is nothing" not in store.report()
    with pytest.raises(sessionfs.NotFound):
        store.timeline("nobody")
    with pytest.raises(KeyError):
        store.tree("nobody")
    for value in (stats, patterns, space):
        json.dumps(value.to_dict())


def test_numbers_as_values(store, clock):
    for number in range(4):
        session = store.sessions.create(id=f"s{number}", tags=["nightly"])
        session.artifacts.put("same.txt", b"x" * 20_000)
        session.artifacts.put("own.bin", os.urandom(1000))
        for tool in ("search", "plot", "send"):
            call(session, tool, error="Timeout" if tool == "plot" and number else None)
        call(session, "planner", kind="agent.executed", tokens=10)
        clock.now_ns += (number + 1) * SECOND
        session.complete()
    store.sessions.create(id="later")
    stats = store.stats(tags="nightly")
    assert (stats.session_count, stats.by_status["completed"], stats.by_tag) == (4, 4, {"nightly": 4})
    assert (stats.sizes.size, stats.sizes.deduplicated) == (84_000, 60_000)
    assert stats.sizes.compressed > 19_000
    assert stats.sizes.stored == 84_000 - 60_000 - stats.sizes.compressed
    assert [round(value / SECOND) for value in (stats.durations.median_ns, stats.durations.longest_ns)] == [2, 4]
    assert store.stats("id:s0").sizes.shared < 1000  # the compressed text, which the others have too
    patterns = store.patterns()
    assert {use.name: (use.calls, use.failures) for use in patterns.tools} == {
        "plot": (4, 3),
        "search": (4, 0),
        "send": (4, 0),
    }
    assert (patterns.agents[0].input_tokens, patterns.agents[0].durations.median_ns) == (40, SECOND)
    assert (patterns.troubles[0].code, patterns.troubles[0].names, patterns.troubles[0].last_id) == (
        "Timeout",
        ("plot",),
        "s3:4",
    )
    assert patterns.sequences[0].tools == ("search", "plot", "send")
    assert {one.count for one in patterns.sequences} == {4}  # its parts say nothing of their own
    assert [one.id for one in patterns.busiest][-1] == "later"


def test_space_is_what_du_says(store, tmp_path):
    for number in range(3):
        store.sessions.create(id=f"s{number}").artifacts.put("f", b"abc" * 9000 * (number + 1))
    store.du()
    space = store.du()

    def du(*options):
        return int(subprocess.check_output(["du", "-s", "--block-size=1", *options, str(tmp_path / "runs")]).split()[0])

    assert space.allocated == pytest.approx(du(), rel=0.01, abs=65_536)  # SQLite's shared memory comes and goes
    assert space.size == pytest.approx(du("--apparent-size"), rel=0.01, abs=65_536)
    assert space.content == store.stats().sizes


def test_content_that_is_appended_to_is_shared_in_pieces(store):
    session = store.sessions.create(id="log")
    session.artifacts.put("log", os.urandom(2 << 20))
    fork = session.fork(id="fork")
    for one in (session, fork):
        with one.artifacts.open("log", "ab") as file:
            file.write(os.urandom(5000))
    space = {one.id: one for one in store.du().sessions}
    assert space["log"].shared == space["fork"].shared >= 2 << 20
    assert 5000 <= space["fork"].own < 10_000
    sizes = store.stats().sizes
    assert sizes.versions_size == sizes.deduplicated + sizes.compressed + sizes.stored - sizes.lists
    assert sizes.deduplicated >= 2 * (2 << 20)
    for _ in range(16):
        with session.artifacts.open("log", "ab") as file:
            file.write(os.urandom(100))
    lists = {file.oid for file in store.objects.list() if file.compression == "chunks"}
    assert any(store.objects.pieces(oid) & lists for oid in lists)  # lists of lists
    session.fork(id="late")  # which has the last version only
    space = store.du("id:late")
    assert space.sessions[0].shared >= store.sessions["late"].size
    (other,) = (place for place in space.places if place.purpose == "other content")
    assert (other.count, other.size) == (0, 0)  # each piece is somebody's


def test_what_was_given_up_takes_nothing(tmp_path):
    with sessionfs.open(tmp_path / "runs", create=True) as store:
        session = store.sessions.create(id="s")
        for number in range(3):
            session.artifacts.put("f", bytes([number]) * 5000)
        assert store.stats().sizes.stored == 15_000
        session.prune(keep=1)
        store.gc(grace=0)
        assert store.stats().sizes.stored == 5000
        assert store.du().content.versions_size == 5000
        assert store.stats().version_count == 3  # that there were three is known all the same


def test_a_damaged_session_counts_as_far_as_it_can_be_read(store, tmp_path):
    session = store.sessions.create(id="s")
    session.artifacts.put("f", b"abc")
    for _ in range(5):
        call(session, "t")
    store.close()
    path = tmp_path / "runs/sessions/s/log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"duration", b"durati0n")
    path.write_bytes(b"".join(lines))
    with sessionfs.open(tmp_path / "runs") as again:
        stats = again.stats()
        assert (stats.session_count, stats.damaged_count, stats.artifact_count) == (1, 1, 1)
        assert again.patterns().tools[0].calls == 2
        assert [lane.count for lane in again.timeline("s").sessions[0].lanes] == [2, 1]
        assert "s" in again.report()


def test_a_clock_that_was_set_back_or_stood_at_1970(store, clock):
    clock.now_ns = 5 * SECOND
    session = store.sessions.create(id="s")
    call(session, "t", seconds=0)
    clock.now_ns = NOW
    call(session, "t")
    clock.now_ns = NOW - 9 * DAY  # its log goes on with the latest time
    call(session, "t")
    other = store.sessions.create(id="back")
    clock.now_ns -= DAY
    other.complete()
    stats = store.stats()
    assert {day.date for day in stats.days} == {"1970-01-01", "2026-11-11", "2026-11-20"}
    assert stats.durations.shortest_ns >= 0
    axis = store.timeline("s").axis
    assert [stretch.begin_ns // DAY for stretch in axis.stretches] == [0, NOW // DAY]
    assert "20,7" in format_report(Report(title="t", timelines=(store.timeline("s"),)))  # so many days are cut out


def test_numbers_that_cannot_be(store):
    session = store.sessions.create(id="s")
    for value in (-1, 1 << 63, 10**40, 1.5, "9", True, None, (1 << 63) - 1, (1 << 63) - 1):
        session.record("tool.invoked", {"name": "t", "duration_ns": value, "gen_ai.usage.output_tokens": value})
    (use,) = store.patterns().tools
    assert (use.calls, use.output_tokens, use.durations.count) == (9, 2 * ((1 << 63) - 1), 2)
    assert use.durations.average_ns == (1 << 63) - 1
    (lane,) = store.timeline("s").sessions[0].lanes
    assert lane.count == 9
    assert "18,446,744,073,709,551,614" in store.report()


@pytest.mark.slow
def test_ten_thousand_tools_with_hostile_names(store):
    session = store.sessions.create(id="s")
    for number in range(10_000):
        session.record("tool.invoked", {"name": f"<i>\u202e\x1b[3{number}m\n", "duration_ns": number})
    assert len(store.patterns().tools) == 10_000
    timeline = store.timeline("s").sessions[0]
    assert (len(timeline.lanes), timeline.hidden_lane_count) == (40, 9_960)
    page = store.report()
    assert len(page) < 500_000
    assert not {"<i>", "\u202e", "\x1b"} & set(page) and "<i>" not in page.split("<body>")[1].replace(
        '<i class="key', ""
    )


def test_a_report_is_of_one_survey_and_says_of_what(store, monkeypatch):
    for name in ("one", "two"):
        store.sessions.create(id=name, tags=["t"]).artifacts.put("a", name)
    surveys = []

    def walk(layout):
        surveys.append(layout)
        return walk_objects(layout)

    monkeypatch.setattr(holdings, "walk_objects", walk)
    page = html.unescape(store.report("id:one", status="active", tags=["t"], name=None))
    assert len(surveys) == 1
    assert "Only what fits: id:one, status='active', tags=['t']." in page
    assert store.stats("id:one").sizes == store.du("id:one").content
    assert "Only what fits" not in store.report()


def test_a_timeline_has_one_size_whatever_happened(store):
    session = store.sessions.create(id="s")
    for number in range(3000):
        call(session, "t", seconds=0, error="E" if number % 3 else None)
    timeline = draw_timeline(store.index, "s", steps=50)
    (lane,) = timeline.sessions[0].lanes
    assert (lane.count, lane.failures) == (3000, 2000)
    assert len(lane.spans) <= 51 and len(lane.marks) <= 51
    assert sum(mark.count for mark in lane.marks) == 2000


def test_many_workflows_that_began_and_did_not_end_are_put_together(store, clock):
    session = store.sessions.create(id="s")
    for _ in range(2000):
        session.record("workflow.started", {"name": "w"})
        clock.now_ns += SECOND
    session.record("workflow.completed", {"name": "w", "duration_ns": SECOND})
    (lane,) = draw_timeline(store.index, "s", steps=50).sessions[0].lanes
    assert (lane.count, sum(span.count for span in lane.spans)) == (2000, 2000)
    assert len(lane.spans) <= 52
    assert max(span.end_ns - span.begin_ns for span in lane.spans) / SECOND == pytest.approx(2000 / 50, abs=2)


def test_calls_that_ran_beside_each_other_are_one_span(store, clock):
    session = store.sessions.create(id="s")
    clock.now_ns += 100 * SECOND
    call(session, "t", seconds=10)
    clock.now_ns += 5 * SECOND
    call(session, "t", seconds=50)  # it began before the other one
    clock.now_ns += 95 * SECOND
    call(session, "t", seconds=10)
    (lane,) = store.timeline("s").sessions[0].lanes
    spans = [((one.begin_ns - NOW) // SECOND, (one.end_ns - NOW) // SECOND, one.count) for one in lane.spans]
    assert spans == [(55, 105, 2), (190, 200, 1)]


def test_children_stand_below_their_parents(store, clock):
    for parent, child in ((None, "root"), ("root", "first"), ("first", "grandchild"), ("root", "second")):
        clock.now_ns += SECOND
        store.sessions.create(id=child, parent=parent)
    members = store.tree("root")
    assert [(one.id, one.depth, one.is_last) for one in members] == [
        ("root", 0, True), ("first", 1, False), ("grandchild", 2, True), ("second", 1, True),
    ]  # fmt: skip
    timeline = draw_timeline(store.index, "root", max_sessions=3)
    assert ([one.id for one in timeline.sessions], timeline.hidden_session_count) == (
        ["root", "first", "grandchild"],
        1,
    )
    store.sessions.delete("root")
    assert [(one.id, one.parent) for one in store.tree() if one.depth == 0] == [("first", "root"), ("second", "root")]
    store.sessions.create(id="root", parent="grandchild")  # a circle
    assert sorted(one.id for one in store.tree()) == sorted(store.sessions)


def test_a_store_that_may_only_be_read(store, tmp_path, monkeypatch):
    store.sessions.create(id="s").artifacts.put("f", b"abc")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    from sessionfs.durable.read_only import ReadOnlyDisk

    with api.Store(Store(str(tmp_path / "runs"), disk=ReadOnlyDisk())) as readable:
        assert readable.index.path is None
        for _ in range(2):  # the index in memory has one connection
            assert (readable.stats().artifact_count, readable.du().content.stored) == (1, 3)
        with pytest.raises(sessionfs.InvalidInput, match="column"):
            readable.stats("nonsense:")
        assert readable.stats("id:s").session_count == 1
