"""SQLite in its journal modes, with several processes, also killed ones."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from programs import PROGRAMS, needs, told
from servers import Mount, eventually

WRITER = PROGRAMS / "sqlite_writer.py"

# The journal's mode, and how many bytes of the database are mapped.
MODES = [("delete", 0), ("persist", 0), ("wal", 0), ("delete", 1 << 28), ("wal", 1 << 28)]


def modes(tested: list[tuple[str, int]]) -> pytest.MarkDecorator:
    names = [f"{journal}-mmap" if mapped else journal for journal, mapped in tested]
    return pytest.mark.parametrize(("journal", "mapped"), tested, ids=names)


def made(path: Path, journal: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute(f"pragma journal_mode = {journal}").fetchone() == (journal,)
        database.execute("create table t (who text, n integer, filler blob)")
        database.execute("create index i on t (who, n)")
        database.commit()
    return path


def check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]


def writer(path: Path, who: str, journal: str, mapped: int, count: int) -> subprocess.Popen[str]:
    """Start a process that says each number after it was committed."""
    command = [sys.executable, WRITER, path, who, journal, str(mapped), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@modes(MODES)
def test_two_processes_write_and_read(mounted: Mount, journal: str, mapped: int) -> None:
    path = made(mounted.artifacts / "data.db", journal)
    writers = [writer(path, who, journal, mapped, 8) for who in "ab"]
    for each in writers:
        assert each.communicate()[0].split() == [str(n) for n in range(8)]
        assert each.returncode == 0
    check(path)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select who, n, length(filler) from t order by who, n").fetchall()
        assert rows == [(who, n, 3000 + n) for who in "ab" for n in range(8)]
        database.execute("delete from t where n < 5")
        database.rollback()
        database.execute("vacuum")
        assert database.execute("select count(*) from t").fetchone() == (16,)
    mounted.stop()
    mounted.start()
    check(path)
    assert os.listdir(mounted.artifacts) == ["data.db"]


@modes([("delete", 0), ("wal", 0), ("wal", 1 << 28)])
def test_a_killed_writer_loses_nothing_that_was_committed(mounted: Mount, journal: str, mapped: int) -> None:
    path = made(mounted.artifacts / "data.db", journal)
    committed = -1
    for round_ in range(4):
        process = writer(path, f"round {round_}", journal, mapped, 10_000)
        assert process.stdout is not None
        for _ in range(4 + round_):
            committed = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        committed = int(rest[-1]) if rest else committed
        check(path)
        with closing(sqlite3.connect(path)) as database:
            rows = [n for (n,) in database.execute("select n from t where who = ? order by n", (f"round {round_}",))]
        # It may have died between the commit and saying so.
        assert rows == list(range(len(rows))) and len(rows) in (committed + 1, committed + 2)


@modes([("delete", 0), ("wal", 0)])
def test_a_killed_mount_loses_nothing_that_was_committed(mounted: Mount, journal: str, mapped: int) -> None:
    path = made(mounted.artifacts / "data.db", journal)
    process = writer(path, "a", journal, mapped, 10_000)
    assert process.stdout is not None
    for _ in range(5):
        committed = int(process.stdout.readline())
    mounted.kill()
    committed = int((process.stdout.read().split() or [committed])[-1])
    process.wait()
    process.stdout.close()
    mounted.start()
    check(path)
    with closing(sqlite3.connect(path)) as database:
        rows = [n for (n,) in database.execute("select n from t order by n")]
    assert rows == list(range(len(rows))) and len(rows) in (committed + 1, committed + 2)


@needs("sqlite3")
@modes([("delete", 0), ("wal", 0), ("wal", 1 << 28)])
def test_the_command_line_beside_a_process(mounted: Mount, journal: str, mapped: int, tmp_path: Path) -> None:
    path = made(mounted.artifacts / "data.db", journal)
    process = writer(path, "python", journal, mapped, 10)
    setting = f".timeout 60000\npragma mmap_size = {mapped};\n"
    insert = "begin immediate; insert into t select 'cli', count(*), zeroblob(5000) from t where who = 'cli'; commit;\n"
    for _ in range(5):
        told("sqlite3", path, input=setting + insert)
    assert process.communicate()[0].split() == [str(n) for n in range(10)]
    counts = told(
        "sqlite3", path, "select who, count(*), max(n) from t group by who order by who; pragma integrity_check;"
    )
    assert counts == "cli|5|4\npython|10|9\nok\n"
    dump = told("sqlite3", path, ".dump")
    told("sqlite3", mounted.artifacts / "second.db", input=dump)
    told("sqlite3", path, f".backup {tmp_path}/backup.db")
    for copy in (mounted.artifacts / "second.db", tmp_path / "backup.db"):
        assert told("sqlite3", copy, ".dump") == dump
        check(copy)


def test_a_reader_keeps_its_view_while_another_process_writes(mounted: Mount) -> None:
    path = made(mounted.artifacts / "data.db", "wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        assert reader.execute("select count(*) from t").fetchone() == (0,)
        assert writer(path, "a", "wal", 0, 5).communicate()[0].split()[-1] == "4"
        assert reader.execute("select count(*) from t").fetchone() == (0,)
        reader.execute("commit")
        assert reader.execute("select count(*) from t").fetchone() == (5,)


def test_locks_are_those_of_the_file(mounted: Mount) -> None:
    path = made(mounted.artifacts / "data.db", "delete")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('select * from t')"
        told(sys.executable, "-c", program, path, code=1)
        waiting = writer(path, "a", "delete", 0, 1)
        assert eventually(lambda: waiting.poll() is not None, seconds=0.3) is False
        holder.execute("commit")
        assert waiting.communicate()[0] == "0\n"
