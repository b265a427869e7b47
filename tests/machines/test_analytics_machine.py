"""What analytics say, asked of the index by SQL, is what adding up a full scan says, of whatever sessions."""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Naive

from sessionfs import api
from sessionfs.errors import Error
from sessionfs.query import parse_query
from sessionfs.query.terms import Subject
from sessionfs.retention.repack import repack
from sessionfs.store.store import Store

START_NS = 1_795_214_641_000_000_000
HUGE = (1 << 63) - 1

TROUBLE = ("error.occurred", "warning.raised")
CALLS = ("tool.invoked", "agent.executed")
IDS = ("a", "b", "c", "d", "e")
PATHS = ("p", "p", "q/r")
TOOLS = ("search", "search", "plot", "<b>\u202e", "")
DURATIONS = (None, 0, 5, 1_000, 10**9, HUGE, 10**30, -7, 2.5, "long", True)
ERRORS = (None, None, None, "ValueError", "E1", 7)
CONTENTS = (b"", b"abc", b"abc" * 9000, b"xyz" * 8000, bytes(range(256)) * 1200)
WAITS = (10**6, 3_600 * 10**9, 40 * 86_400 * 10**9, -(10**12))
QUERIES = ("", "", "tag:x", "status:completed,failed", "NOT id:a", "has:(size:>9)", "id:none")


def steps(chance: random.Random) -> Iterator[tuple]:
    """Yield things to do, of which not all are possible."""
    pick = chance.choice
    ways = {
        "create": lambda: (pick([None, *IDS]), chance.sample(["x", "y"], chance.randrange(3))),
        "fork": lambda: (pick(IDS),),
        "put": lambda: (pick(PATHS), pick(CONTENTS)),
        "append": lambda: (pick(PATHS), pick(CONTENTS)),
        "remove": lambda: (pick(PATHS),),
        "call": lambda: (
            pick([*CALLS, "tool.invoked", "workflow.completed"]),
            pick(TOOLS),
            pick(DURATIONS),
            pick(ERRORS),
        ),
        "trouble": lambda: (pick(TROUBLE), pick(ERRORS)),
        "note": tuple,
        "wait": lambda: (pick(WAITS),),
        "repack": tuple,
        **dict.fromkeys(("complete", "fail", "suspend", "delete"), tuple),
    }
    weights = [4, 2, 8, 8, 2, 16, 3, 1, 2, 0.3, 0.3, 0.3, 0.2, 0.4]
    for name in chance.choices(list(ways), weights, k=70):
        yield name, pick(IDS), *ways[name]()


class Clock:
    """Goes on a little with each look, and can be set back."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        self.now_ns += 1_000
        return self.now_ns


def run(store: api.Store, clock: Clock, step: tuple) -> None:
    name, session_id, *rest = step
    if name == "wait":
        clock.now_ns += rest[0]
        return
    if name == "repack":
        repack(store.core)
        return
    if name == "create":
        store.sessions.create(id=session_id, parent=rest[0], tags=rest[1])
        return
    session = store.sessions[session_id]
    if name == "fork":
        session.fork(id=rest[0])
    elif name == "put":
        session.artifacts.put(*rest)
    elif name == "append":
        with session.artifacts.open(rest[0], "ab") as file:
            file.write(rest[1])
    elif name == "remove":
        session.artifacts.delete(rest[0])
    elif name == "call":
        said = {"name": rest[1], "duration_ns": rest[2], "error.type": rest[3], "gen_ai.usage.input_tokens": rest[2]}
        session.record(rest[0], {key: value for key, value in said.items() if value is not None})
    elif name == "trouble":
        session.record(rest[0], {} if rest[1] is None else {"code": rest[1]})
    elif name == "note":
        session.record("custom.note")
    elif name == "fail":
        session.fail("why")
    else:
        getattr(session, name)()


@settings(max_examples=max(settings.default.max_examples // 16, 1))
@given(st.integers(0, 1 << 32))
def test_numbers_are_those_of_a_full_scan(seed):
    with tempfile.TemporaryDirectory() as directory:
        path, clock, chance = os.path.join(directory, "store"), Clock(), random.Random(seed)
        Store.create(path)
        with api.Store(Store(path, clock=clock)) as store:
            for session_id in IDS[:3]:
                store.sessions.create(id=session_id, tags=["x"] if session_id == "a" else [])
            for step in steps(chance):
                try:
                    run(store, clock, step)
                except Error:
                    continue  # not possible now
            naive = Scan(store, path, query := chance.choice(QUERIES))
            check_stats(store.stats(query), naive)
            check_patterns(store.patterns(query), naive)
            check_space(store.du(query), store.stats(query), naive, path)
            check_tree(store.tree(), naive)
            check_timelines(store, naive)


class Scan:
    """Everything there is, and what of it a query asks for."""

    def __init__(self, store: api.Store, path: str, query: str) -> None:
        naive = Naive(path)
        asked = parse_query(query, Subject.SESSIONS)
        self.all = {info.id: info for info in naive.infos}
        self.infos = {info.id: info for info in naive._all(asked)}
        self.everything = [one for one in naive.artifacts if one.kind != "directory"]
        self.artifacts = [one for one in self.everything if one.session in self.infos]
        self.live = [one for one in self.artifacts if one.is_live]
        self.events = [event for one in self.infos for event in store.sessions[one].events()]
        self.blobs = {file.oid: file for file in store.objects.list() if file.kind == "blob"}
        self.holders = defaultdict(set)
        for one in self.everything:
            waiting = [one.oid] if one.oid is not None else []
            while waiting:
                oid = waiting.pop()
                if one.session not in self.holders[oid]:
                    self.holders[oid].add(one.session)
                    waiting += store.objects.pieces(oid)
        self.sizes = {oid: store.objects.size(oid) for oid in self.blobs}

    def of_type(self, *types):
        return [event for event in self.events if event.type in types]


def error_of(event):
    code = event.data.get("error.type", event.data.get("code") if event.type in TROUBLE else None)
    return str(code) if isinstance(code, str | int) else None


def count_of(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HUGE else None


def check_durations(found, values):
    if not values:
        assert found is None
        return
    values = sorted(values)
    assert (found.count, found.total_ns, found.average_ns) == (len(values), sum(values), sum(values) // len(values))
    assert (found.shortest_ns, found.longest_ns) == (values[0], values[-1])
    for percent, value in ((50, found.median_ns), (90, found.p90_ns), (99, found.p99_ns)):
        assert value == values[math.ceil(percent * len(values) / 100) - 1]


def day_of(time_ns):
    return datetime.fromtimestamp(time_ns // 10**9, UTC).date().isoformat()


def check_stats(stats, naive):
    infos = naive.infos.values()
    assert stats.session_count == len(infos)
    assert {key: n for key, n in stats.by_status.items() if n} == Counter(info.status.value for info in infos)
    assert stats.by_tag == Counter(tag for info in infos for tag in set(info.tags))
    assert stats.untagged_count == sum(not info.tags for info in infos)
    assert (stats.artifact_count, stats.version_count) == (len(naive.live), len(naive.artifacts))
    assert {one.type: one.count for one in stats.by_type} == Counter(one.type for one in naive.live)
    assert stats.sizes.size == sum(one.size for one in naive.live) == sum(one.size for one in stats.by_type)
    assert stats.event_count == sum(info.event_count for info in infos) == len(naive.events)
    recorded = ("agent.", "tool.", "workflow.", "error.", "warning.", "custom.")
    assert stats.by_event == Counter(event.type for event in naive.events if event.type.startswith(recorded))
    ended = [info.ended_ns - info.started_ns for info in infos if info.ended_ns is not None]
    check_durations(stats.durations, [value for value in ended if value >= 0])
    days = {day.date: day for day in stats.days}
    assert list(days) == sorted(days)
    calls = naive.of_type(*CALLS)
    for field, moments in (
        ("sessions", [info.created_ns for info in infos]),
        ("failed", [info.created_ns for info in infos if info.status.value == "failed"]),
        ("artifacts", [one.created_ns for one in naive.live]),
        ("calls", [event.time_ns for event in calls]),
        ("failures", [event.time_ns for event in calls if error_of(event) is not None]),
        ("errors", [event.time_ns for event in naive.of_type("error.occurred")]),
    ):
        assert {day: getattr(one, field) for day, one in days.items() if getattr(one, field)} == Counter(
            map(day_of, moments)
        )


def check_patterns(patterns, naive):
    for uses, kind in zip(
        (patterns.tools, patterns.agents, patterns.workflows), (*CALLS, "workflow.completed"), strict=True
    ):
        by_name = defaultdict(list)
        for event in naive.of_type(kind):
            by_name[event.data["name"]].append(event)
        assert [use.name for use in uses] == sorted(by_name, key=lambda name: (-len(by_name[name]), name.encode()))
        for use in uses:
            events = by_name[use.name]
            assert use.calls == len(events)
            assert use.failures == sum(error_of(event) is not None for event in events)
            assert use.session_count == len({event.session for event in events})
            numbers = [count_of(event.data.get("duration_ns")) for event in events]
            check_durations(use.durations, [number for number in numbers if number is not None])
            assert use.input_tokens == sum(number or 0 for number in numbers)
            assert use.last_ns == max(event.time_ns for event in events)
    troubles = defaultdict(list)
    for event in naive.of_type(*CALLS, "workflow.completed", *TROUBLE):
        if error_of(event) is not None or event.type in TROUBLE:
            troubles[error_of(event) or ""].append(event)
    assert {one.code: one.count for one in patterns.troubles} == {code: len(some) for code, some in troubles.items()}
    for one in patterns.troubles:
        types = Counter(event.type for event in troubles[one.code])
        assert (one.errors, one.warnings) == (types["error.occurred"], types["warning.raised"])
        assert one.last_ns == max(event.time_ns for event in troubles[one.code])
        assert one.last_id in {event.id for event in troubles[one.code] if event.time_ns == one.last_ns}
    called = [
        [event.data["name"] for event in naive.of_type("tool.invoked") if event.session == one] for one in naive.infos
    ]
    for sequence in patterns.sequences:
        found = [windows(names, len(sequence.tools)).count(sequence.tools) for names in called]
        assert (sequence.count, sequence.session_count) == (sum(found), sum(map(bool, found)))
    pairs = Counter(pair for names in called for pair in windows(names, 2))
    said = {sequence.tools for sequence in patterns.sequences}
    if len(said) < 20:
        for pair, count in pairs.items():
            part_of = any(pair in windows(longer, 2) for longer in said)
            assert count == 1 or pair in said or part_of
    assert [one.events for one in patterns.busiest] == sorted(
        (i.event_count for i in naive.infos.values()), reverse=True
    )


def windows(names, length):
    return [tuple(names[at : at + length]) for at in range(len(names) - length + 1)]


def check_space(space, stats, naive, path):
    held = {oid: holders for oid, holders in naive.holders.items() if holders & naive.infos.keys()}
    files = {oid: naive.blobs[oid] for oid in held}
    sizes = space.content
    assert sizes == stats.sizes
    assert sizes.stored == sum(file.stored_size for file in files.values())
    assert sizes.versions_size == sum(one.size for one in naive.artifacts if one.oid is not None)
    assert sizes.versions_size == sizes.deduplicated + sizes.compressed + sizes.stored - sizes.lists
    assert sizes.lists == sum(file.stored_size for file in files.values() if file.compression == "chunks")
    packed = [file for file in files.values() if file.start is not None]
    assert (sizes.packed_count, sizes.packed_size) == (len(packed), sum(file.stored_size for file in packed))
    assert sizes.compressed == sum(
        naive.sizes[oid] - file.stored_size for oid, file in files.items() if file.compression == "lz4"
    )
    assert sizes.shared == sum(files[oid].stored_size for oid, holders in held.items() if holders - naive.infos.keys())
    for one in space.sessions:
        own = [oid for oid, holders in held.items() if holders == {one.id}]
        shared = [oid for oid, holders in held.items() if one.id in holders and len(holders) > 1]
        assert one.own == sum(files[oid].stored_size for oid in own)
        assert one.shared == sum(files[oid].stored_size for oid in shared)
        assert one.log == os.path.getsize(os.path.join(path, "sessions", one.id, "log"))
    assert {one.id for one in space.sessions} == naive.infos.keys()
    places = {place.purpose: place for place in space.places}
    for purpose, is_shared in (("content of one session", False), ("content of several sessions", True)):
        some = [naive.blobs[oid] for oid, holders in naive.holders.items() if (len(holders) > 1) == is_shared]
        assert (places[purpose].count, places[purpose].size) == (len(some), sum(file.stored_size for file in some))
    seen = {path: os.lstat(path)} | {
        os.path.join(above, name): os.lstat(os.path.join(above, name))
        for above, directories, names in os.walk(path)
        for name in (*directories, *names)
    }
    assert space.size == sum(status.st_size for status in seen.values())
    assert space.allocated == sum(status.st_blocks * 512 for status in seen.values())
    assert all(place.size >= 0 for place in space.places), space.places


def check_tree(members, naive):
    assert sorted(member.id for member in members) == sorted(naive.all)
    above = []
    for member in members:
        del above[member.depth :]
        parent = naive.all[member.id].parent
        if above:
            assert parent == above[-1]
        elif parent in naive.all:  # a circle: it was made anew, as a child of its own child
            assert is_in_circle(member.id, naive.all)
        above.append(member.id)


def is_in_circle(session_id, infos):
    seen, at = [], session_id
    while at in infos and at not in seen:
        seen.append(at)
        at = infos[at].parent
    return at in seen


def check_timelines(store, naive):
    for session_id in naive.infos:
        timeline = store.timeline(session_id)
        json.dumps(timeline.to_dict())
        first = timeline.sessions[0]
        assert (first.id, first.depth) == (session_id, 0)
        counts = Counter()
        for lane in first.lanes:
            counts[lane.kind] += lane.count
            assert sum(span.count for span in lane.spans) == (lane.count if lane.kind in KINDS_OF_CALLS.values() else 0)
            for span in lane.spans:
                assert timeline.axis.begin_ns <= span.begin_ns <= span.end_ns <= timeline.axis.end_ns
        events = [event for event in naive.events if event.session == session_id]
        for event_type, kind in KINDS_OF_CALLS.items():
            assert counts[kind] == sum(event.type == event_type for event in events)
        assert counts["error"] == sum(event.type == "error.occurred" for event in events)


KINDS_OF_CALLS = {"tool.invoked": "tool", "agent.executed": "agent", "workflow.completed": "workflow"}
