"""What is measured of the index: making it, keeping it up to date, asking it; beside ``sqlite3`` by hand.

By hand means: the statements that somebody would write for exactly this question, on the same file, with its rows
fetched as tuples, and nothing looked at first.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import Any

import sessionfs
from benchmarks.find.large_store import write_large_store
from benchmarks.measure import Bar, Progress, Result, at_most, time_call
from benchmarks.program import console_script
from benchmarks.scratch import Scratch
from sessionfs.api import Store

ARTIFACTS_EACH = 100

_MILLION = 1_000_000
_REBUILD_BAR = at_most(90, "90 s")
_PAGE_BAR = at_most(10, "10 ms")
_COUNT_BAR = at_most(50, "50 ms")
_VERB_BAR = at_most(150, "150 ms")
_PAGE = 100

# Questions: a query of ours, what it looks for by hand, and whether it is one indexed filter.
_BY_TAG = (
    "FROM tags t JOIN artifacts a ON a.key = t.artifact WHERE t.tag = '{}' AND t.standing = 1 ORDER BY t.created_ns"
)
_BY_META = (
    "FROM metadata t JOIN artifacts a ON a.key = t.artifact WHERE t.name = '{}' AND t.value = '{}' AND t.standing = 1 "
    "ORDER BY t.created_ns"
)
QUESTIONS: tuple[tuple[str, dict[str, Any], str, bool], ...] = (
    ("", {}, "FROM artifacts a WHERE standing = 1 ORDER BY created_ns", True),
    ("type:tool_result", {}, "FROM artifacts a WHERE type = 'tool_result' AND standing = 1 ORDER BY created_ns", True),
    ("tag:q4", {}, _BY_TAG.format("q4"), True),
    ("tag:rare", {}, _BY_TAG.format("rare"), True),
    ("name:*.csv", {}, "FROM artifacts a WHERE ending = 'csv' AND standing = 1 ORDER BY created_ns", True),
    ("size:>1M", {}, "FROM artifacts a WHERE standing = 1 AND size > 1048576 ORDER BY created_ns", True),
    (
        "size:>1M",
        {"sort": "size", "reverse": True},
        "FROM artifacts a WHERE standing = 1 AND size > 1048576 ORDER BY size DESC",
        True,
    ),
    ("meta.dept:sales", {}, _BY_META.format("dept", "sales"), True),
    ("meta.author:user7", {}, _BY_META.format("author", "user7"), True),
    (
        "session:s000077",
        {},
        "FROM artifacts a WHERE session = (SELECT key FROM sessions WHERE id = 's000077') AND standing = 1 "
        "ORDER BY created_ns",
        True,
    ),
    (
        "type:tool_result tag:q4 name:*.csv size:>1M meta.dept:sales",
        {},
        "FROM artifacts a WHERE type = 'tool_result' AND standing = 1 AND ending = 'csv' AND size > 1048576 AND EXISTS "
        "(SELECT 1 FROM tags WHERE tag = 'q4' AND artifact = a.key AND standing = 1 AND created_ns = a.created_ns) AND "
        "json_extract(metadata, '$.dept') = 'sales' ORDER BY created_ns",
        False,
    ),
)


def measure_size(
    scratch: Scratch, count: int, rounds: int, matches: Callable[[str], bool], progress: Progress
) -> Iterator[Result]:
    """Yield a result for each row at *count* artifacts."""

    def named(name: str) -> str:
        return f"{name}, {count:,} artifacts"

    queries = [(named(_question(text, more)), text, more, sql, one) for text, more, sql, one in QUESTIONS]
    counts = [
        (named(f"count {text or 'everything'}"), text, sql, one) for text, more, sql, one in QUESTIONS if not more
    ]
    verb, rebuild, event = named("sessionfs find tag:rare"), named("rebuild"), named("catch up with one event")
    wanted = [name for name in (rebuild, event, verb, *(row[0] for row in (*queries, *counts))) if matches(name)]
    if not wanted:
        return
    progress(f"writing the logs of {count:,} artifacts")
    place = os.path.join(scratch.new(), "store")
    write_large_store(place, session_count=max(1, count // ARTIFACTS_EACH), artifact_count=ARTIFACTS_EACH)
    bars = count >= _MILLION
    with sessionfs.open(place, background_sync=False) as store:
        progress(f"{rebuild}")
        seconds = time_call(store.index.rebuild) / 1e9
        database = sqlite3.connect(f"{place}/index.sqlite")
        if rebuild in wanted:
            by_hand = _insert_by_hand(database, scratch) / 1e9
            yield Result(rebuild, seconds, by_hand, "s", _REBUILD_BAR if bars else None)
        if event in wanted:
            yield _catch_up(event, store, scratch, rounds)
        for name, text, more, sql, one in queries:
            if name in wanted:
                progress(name)
                bar = _PAGE_BAR if bars and one else None
                yield _beside(name, rounds, partial(_page, store, text, more), partial(_select, database, sql), bar)
        for name, text, sql, one in counts:
            if name in wanted:
                progress(name)
                bar = _COUNT_BAR if bars and one else None
                yield _beside(name, rounds, store.find(text).count, partial(_count, database, sql), bar)
        if verb in wanted:
            progress(verb)
            yield _verb(verb, place, rounds, _VERB_BAR if bars else None)
        database.close()


def _question(text: str, more: dict[str, Any]) -> str:
    order = f", by {more['sort']}" if "sort" in more else ""
    return f"first {_PAGE} of {text or 'everything'}{order}"


def _beside(
    name: str, rounds: int, ours: Callable[[], object], by_hand: Callable[[], object], bar: Bar | None
) -> Result:
    """Measure two calls in turn, the first of each unmeasured: it fills the caches."""
    ns: dict[Callable[[], object], list[float]] = {ours: [], by_hand: []}
    for round in range(rounds + 1):
        for side in (ours, by_hand):
            taken = time_call(side)
            if round:
                ns[side].append(taken)
    return Result(name, median(ns[ours]) / 1e6, median(ns[by_hand]) / 1e6, "ms", bar)


def _page(store: Store, text: str, more: dict[str, Any]) -> None:
    list(store.find(text, limit=_PAGE, **more))


def _select(database: sqlite3.Connection, sql: str) -> None:
    database.execute(f"SELECT a.* {sql} LIMIT {_PAGE}").fetchall()


def _count(database: sqlite3.Connection, sql: str) -> None:
    database.execute(f"SELECT count(*) {sql.partition(' ORDER BY')[0]}").fetchone()


def _insert_by_hand(database: sqlite3.Connection, scratch: Scratch) -> float:
    """Copy the table of artifacts, and nothing else, into a new file, row by row."""
    columns = [row[1] for row in database.execute("PRAGMA table_info(artifacts)")]
    rows = database.execute("SELECT * FROM artifacts")
    copy = sqlite3.connect(os.path.join(scratch.new(), "copy.sqlite"), isolation_level=None)
    copy.execute("PRAGMA journal_mode = OFF").fetchall()
    copy.execute("PRAGMA synchronous = OFF")
    copy.execute(f"CREATE TABLE artifacts (key INTEGER PRIMARY KEY, {', '.join(columns[1:])})")
    taken = 0.0
    insert = f"INSERT INTO artifacts VALUES ({', '.join('?' * len(columns))})"
    copy.execute("BEGIN")
    while some := rows.fetchmany(10_000):
        taken += time_call(partial(copy.executemany, insert, some))
    taken += time_call(lambda: copy.execute("COMMIT"))
    copy.close()
    return taken


def _catch_up(name: str, store: Store, scratch: Scratch, rounds: int) -> Result:
    """Take in one event that was appended; by hand: insert a row in a transaction of its own (WAL, NORMAL)."""
    session = store.sessions[next(iter(store.core.session_ids()))]
    table = sqlite3.connect(os.path.join(scratch.new(), "one.sqlite"), isolation_level=None)
    table.execute("PRAGMA journal_mode = WAL").fetchall()
    table.execute("PRAGMA synchronous = NORMAL")
    table.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, type, name)")
    store.index.refresh()
    store.index.refresh()  # from the second time on, it is told what has moved
    ours, by_hand = [], []
    for _ in range(max(20, rounds)):
        session.record("tool.invoked", {"gen_ai.tool.name": "search"})
        ours.append(time_call(store.index.refresh))
        by_hand.append(time_call(lambda: table.execute("INSERT INTO events (type, name) VALUES ('tool.invoked', 'x')")))
    table.close()
    return Result(name, median(ours) / 1e6, median(by_hand) / 1e6, "ms")


def _verb(name: str, place: str, rounds: int, bar: Bar | None) -> Result:
    """Run the whole program; by hand: a Python that opens the file and asks for the same."""
    sql = f"SELECT a.* {_BY_TAG.format('rare')} LIMIT {_PAGE}"
    code = f"import sqlite3; sqlite3.connect({place + '/index.sqlite'!r}).execute({sql!r}).fetchall()"
    commands = {
        "ours": [console_script(), "find", "tag:rare", "--limit", str(_PAGE), "--store", place],
        "by hand": [sys.executable, "-c", code],
    }
    ns: dict[str, list[float]] = {side: [] for side in commands}
    for _ in range(rounds):
        for side, command in commands.items():
            started = perf_counter_ns()
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
            ns[side].append(perf_counter_ns() - started)
    return Result(name, median(ns["ours"]) / 1e6, median(ns["by hand"]) / 1e6, "ms", bar)
