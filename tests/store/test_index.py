"""The index as a file: made, kept up to date by many processes, lost, damaged, or not allowed in the store."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import sessionfs
from sessionfs import sessions
from sessionfs.artifacts.events import Updated
from sessionfs.durable.read_only import ReadOnlyDisk
from sessionfs.errors import InvalidInput, NoSpace
from sessionfs.fsck import check
from sessionfs.index import Index, database
from sessionfs.query import Page, Subject, parse_query
from sessionfs.query.order import make_page
from sessionfs.store.store import Store

_NOBODY = 65534

README = Path(__file__).parents[2] / "README.md"
EVERYTHING = parse_query("")


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "store", create=True, background_sync=False) as store:
        session = store.sessions.create(id="one", name="One", tags=["s"])
        session.artifacts.put("a/b.csv", b"hello", type="tool_result", tags=["raw"], metadata={"n": 3})
        session.artifacts.put("c.md", b"# c")
        yield store


def paths(found):
    return [one.path for one in found]


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


def deeper(frames, call):
    """Call from so much deeper on the stack."""
    return call() if not frames else deeper(frames - 1, call)


def index_file(store):
    return Path(store.path) / "index.sqlite"


# What is found


@pytest.mark.parametrize(
    ("keyword", "value", "count"),
    [
        ("session", "one", 2), ("name", "c.md", 1), ("name", "b.*", 1), ("name", "a/b.csv", 1), ("iname", "C*", 1),
        ("type", "tool_result", 1), ("any_tags", "raw", 1), ("tags", "raw", 0), ("no_tags", "raw", 1),
        ("kind", "file", 2),
    ],
)  # fmt: skip
def test_any_of_a_thousand_values_will_do(store, keyword, value, count):
    values = [value] * 1_100 if keyword == "kind" else [value, *(f"{number}{value}" for number in range(1_100))]
    assert len(list(store.find("size:>0", limit=5, **{keyword: values}))) == count
    assert store.find(**{keyword: values}).count() == count


def test_any_of_a_thousand_sessions_will_do(store):
    values = ["one", *(f"s{number}" for number in range(1_100))]
    assert [one.id for one in store.find_sessions(id=values)] == ["one"]
    assert [one.id for one in store.find_sessions(any_tags=["s", *values])] == ["one"]
    assert [one.id for one in store.find_sessions(no_tags=values, name=["O*", *values])] == ["one"]
    assert list(store.find_sessions(tags=values)) == []


def test_what_is_nested_too_deeply_is_refused(store):
    session = store.sessions["one"]
    for refused in (
        lambda: session.record("custom.x", {"v": nested(100)}),
        lambda: session.artifacts.put("d", b"d", metadata={"v": nested(100)}),
        lambda: session.state.set("k", nested(101)),
    ):
        with pytest.raises(InvalidInput, match="more than 100 deep"):
            refused()
    session.record("custom.x", {"v": nested(99)})


def test_what_was_nested_too_deeply_before_is_no_harm_to_the_rest(store):
    deep = {"v": nested(800), "word": "deepest"}
    for name, type, data in [
        ("events", "custom.x", deep),
        ("artifacts", "artifact.updated", Updated(path="a", metadata=deep)),
        ("sessions", "session.updated", sessions.Updated(metadata=deep)),
    ]:
        session = store.sessions.create(id=name)
        session.artifacts.put("a", b"sound")
        with session.core.writing():
            session.core.append(type, data)
        session.artifacts.put("b", b"sound")
    expected = sorted(["a", "b"] * 3 + ["a/b.csv", "c.md"])
    assert sorted(paths(store.find())) == expected
    assert len(list(store.search("sound"))) == 6
    store.sessions["artifacts"].state.set("k", nested(3))
    assert sorted(paths(store.find())) == expected
    assert len(list(store.find_sessions())) == 4
    with store.sessions["events"].core.writing():
        store.sessions["events"].core.append("custom.x", deep)
    # With less room than who wrote it had, nothing can be said of such a session, and of the others everything.
    assert {"a/b.csv", "c.md"} <= set(deeper(400, lambda: paths(store.find())))
    store.index.rebuild()
    assert sorted(paths(store.find())) == expected
    assert deeper(400, lambda: paths(store.find(session="one"))) == ["a/b.csv", "c.md"]
    assert len(list(deeper(400, lambda: store.search("hello")))) == 1


def test_what_is_found_can_be_read(store):
    (found,) = store.find("tag:raw", name="*.csv", metadata={"n": 3})
    assert isinstance(found, sessionfs.FoundArtifact)
    assert (found.session, found.path, found.read_bytes(), found.is_live) == ("one", "a/b.csv", b"hello", True)
    expected = store.sessions["one"].artifacts["a/b.csv"].to_dict()
    assert found.to_dict() == {"session": "one", "is_live": True, **expected}
    assert "one" in repr(found)


def test_versions_are_found_as_they_were_last(store):
    artifacts = store.sessions["one"].artifacts
    artifacts.update("c.md", tags=["x"])
    artifacts.put("c.md", b"# d")
    artifacts.rename("c.md", "d.md")
    artifacts.delete("d.md")
    assert paths(store.find("name:*.md")) == []
    found = list(store.find("name:*.md", versions=True, sort="name"))
    assert [(one.path, one.version, one.is_live, one.read_bytes()) for one in found] == [
        ("c.md", 1, False, b"# c"),
        ("d.md", 2, False, b"# d"),
    ]
    assert [one.tags for one in found] == [("x",), ("x",)]
    assert store.find("name:*.md versions:all").count() == 2


def test_sessions_are_found_without_being_opened(store):
    store.sessions.create(id="two", parent="one", metadata={"k": {"l": 1}})
    assert [info.id for info in store.find_sessions("tag:s")] == ["one"]
    assert [info.id for info in store.find_sessions(parent="one", metadata={"k.l": 1})] == ["two"]
    assert [info.id for info in store.find_sessions(has="tag:raw")] == ["one"]
    assert list(store.find_sessions()) == store.core.sessions()


def test_pages_go_on_where_the_last_one_ended(store):
    session = store.sessions["one"]
    for number in range(7):
        session.artifacts.put(f"n{number}", b"x" * (number % 3))
    found, cursor = [], None
    for _ in range(9):
        page = store.find("name:n?", sort="size", reverse=True, limit=2, cursor=cursor)
        found += [one.path for one in page]
        cursor = page.cursor
        session.artifacts.put(f"before{len(found)}", b"x" * 9)  # shifts nothing
        if cursor is None:
            break
    assert found == ["n5", "n2", "n4", "n1", "n6", "n3", "n0"]


def test_what_cannot_be_asked(store):
    for wrong in ({"query": "sizee:1"}, {"sort": "nothing"}, {"kind": "fiel"}, {"cursor": "x"}, {"limit": -1}):
        with pytest.raises(InvalidInput):
            store.find(**wrong)
    with pytest.raises(InvalidInput, match="cannot be found by 'nothing'"):
        store.find(nothing=1)


def test_the_readmes_example(store, tmp_path, monkeypatch, capsys):
    code = re.search(r"<!-- finding -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    with sessionfs.open("runs", create=True) as runs:
        session = runs.sessions.create(id="q4")
        session.artifacts.put("t.csv", b"1,2\n", type="tool_result", tags=["sales"])
        session.artifacts.put("t.log", b"went wrong", type="log")
        session.fail("it went wrong")
    exec(code, {})
    assert capsys.readouterr().out == "q4 t.csv 4\n1 ['q4']\n"


# Keeping up


def test_a_fork_that_cannot_be_read_is_looked_at_again_when_its_parent_grows(store):
    parent = store.sessions["one"]
    parent.record("tool.invoked", {})
    parent.fork(id="two")
    parent.fork(id="three", at=1)
    store.close()
    log = Path(store.path) / "sessions" / "one" / "log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-3]))
    with sessionfs.open(store.path, background_sync=False) as after:
        three, two = after.find_sessions("id:t*", sort="id")
        assert three.damage is None and two.damage == _damage(store.path, "two") is not None
        after.sessions["one"].record("tool.invoked", {})  # where the fork began is a record again, but another one
        (again,) = after.find_sessions("id:two")
        assert again.damage == _damage(store.path, "two") != two.damage


def _damage(place, session_id):
    with sessionfs.open(place, background_sync=False) as fresh:
        return next(info.damage for info in fresh.core.sessions() if info.id == session_id)


def test_what_others_do_is_found_at_once(store):
    assert len(list(store.find())) == 2
    other = sessionfs.open(store.path, background_sync=False)
    for number in range(5):
        other.sessions["one"].artifacts.put(f"n{number}", b"")
        assert store.find().count() == 3 + number
    other.sessions.create(id="two").artifacts.put("x", b"")
    assert paths(store.find("session:two")) == ["x"]
    other.sessions.delete("two")
    assert paths(store.find("session:two")) == []
    other.sessions.create(id="two").artifacts.put("y", b"")
    assert paths(store.find("session:two")) == ["y"]
    other.close()


def test_nothing_is_read_when_nothing_is_new(store, monkeypatch):
    list(store.find())
    other = Index(store.core)
    monkeypatch.setattr("sessionfs.index.logs.read_on", None)
    assert other.count(EVERYTHING) == store.find().count() == 2
    other.close()


def test_only_new_records_are_read(store, monkeypatch):
    list(store.find())
    store.sessions["one"].artifacts.put("new", b"")
    seen = []
    from sessionfs.index import logs

    def read_on(disk, path, start):
        for batch in original(disk, path, start):
            seen.extend(batch.records)
            yield batch

    original = logs.read_on
    monkeypatch.setattr(logs, "read_on", read_on)
    assert store.find().count() == 3
    assert [record.type for record in seen] == ["artifact.stored"]


def test_a_long_log_is_read_in_portions(store, monkeypatch):
    monkeypatch.setattr("sessionfs.index.logs._READ_BYTES", 700)
    monkeypatch.setattr("sessionfs.index.live._MAX_ROWS", 3)
    session = store.sessions["one"]
    for number in range(30):
        session.artifacts.put(f"d{number % 4}/n{number}", b"", description="x" * 50)
    with session.core.writing():
        session.core.append_all([("custom.x", {"n": number}) for number in range(20)])  # longer than a portion
    session.artifacts.delete("d0", recursive=True)
    expected = sorted(artifact.path for artifact in session.artifacts.list())
    assert sorted(paths(store.find())) == expected
    store.index.rebuild()
    assert sorted(paths(store.find())) == expected
    assert store.index.standing().event_count == 20


def test_a_cut_off_append_counts_for_nothing(store):
    session = store.sessions["one"]
    with session.core.writing():
        session.core.append_all([("custom.x", {"n": number}) for number in range(3)])
    log = Path(store.path) / "sessions/one/log"
    whole = log.read_bytes()
    store.close()
    log.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    assert store.find_sessions().count() == 1
    assert next(iter(store.find_sessions())).event_count == 4
    assert store.index.standing().event_count == 0
    log.write_bytes(whole)
    os.utime(Path(store.path) / "changed/one")
    assert next(iter(store.find_sessions())).event_count == 7


def test_what_a_reader_has_begun_stays_as_it_was(store):
    session = store.sessions["one"]
    for number in range(10):
        session.artifacts.put(f"n{number}", b"")
    found = iter(store.find("name:n?"))
    assert next(found).path == "n0"
    session.artifacts.delete("n5")
    assert store.find("name:n?").count() == 9
    assert len(list(found)) == 9


def test_a_thread_for_each_question(store):
    session = store.sessions["one"]
    failures = []

    def ask():
        try:
            for _ in range(20):
                assert len(list(store.find("tag:raw"))) == 1
                assert store.find().count() >= 2
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):
        session.artifacts.put(f"n{number}", b"")
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.find().count() == 22


def test_a_child_process_asks_for_itself(store):
    assert store.find().count() == 2
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def ask():
        store.sessions["one"].artifacts.put("from a child", b"")
        answers.put(store.find().count())

    child = context.Process(target=ask)
    child.start()
    child.join()
    assert answers.get() == 3
    assert store.find().count() == 3


_ASKING = """
import sys, sessionfs
store = sessionfs.open(sys.argv[1], background_sync=False)
session = store.sessions["one"]
for number in range(15):
    session.artifacts.put(f"{sys.argv[2]}-{number}", b"", tags=[sys.argv[2]])
    assert store.find(tags=sys.argv[2]).count() == number + 1
    if number == 7 and sys.argv[2] == "p0":
        store.index.rebuild()
    if number == 9 and sys.argv[2] == "p1":
        store.index.drop()
store.close()
"""


def test_many_processes_catch_up_rebuild_and_drop_together(store):
    started = [
        subprocess.Popen([sys.executable, "-c", _ASKING, store.path, f"p{number}"], stderr=subprocess.PIPE)
        for number in range(3)
    ]
    failures = [process.communicate()[1].decode() for process in started]
    assert failures == ["", "", ""]
    assert store.find().count() == 47
    assert sorted(paths(store.find())) == sorted(store.sessions["one"].artifacts)
    with sqlite3.connect(index_file(store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Losing it


@pytest.mark.parametrize("content", [b"", b"garbage" * 2000, None])
def test_a_damaged_index_is_made_again(store, content):
    list(store.find())
    store.close()
    if content is None:  # one page of many
        data = bytearray(index_file(store).read_bytes())
        data[4096:8192] = b"\xff" * 4096
        content = bytes(data)
    index_file(store).write_bytes(content)
    assert paths(store.find(sort="path")) == ["a/b.csv", "c.md"]
    assert store.index.standing().artifact_count == 2


def test_an_index_of_another_format_is_made_again(store):
    list(store.find())
    store.close()
    with sqlite3.connect(index_file(store)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DELETE FROM artifacts")
    connection.close()
    assert store.find().count() == 2


def test_an_index_that_is_removed_in_use_is_made_again(store):
    list(store.find())
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        list(store.find())
        with contextlib.suppress(FileNotFoundError):
            (Path(store.path) / name).unlink()
        assert len(list(store.find())) == 2


def test_an_index_without_the_journal_that_another_process_has_open_is_made_again(store):
    list(store.find())
    store.sessions["one"].artifacts.put("d", b"in the journal")
    assert len(list(store.find())) == 3
    (Path(store.path) / "index.sqlite-wal").unlink()
    count = f"import sessionfs; print(sessionfs.open({store.path!r}).find().count())"
    other = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=False)
    assert other.stdout == "3\n", other.stderr
    store.sessions["one"].artifacts.put("e", b"")
    assert len(list(store.find())) == 4


def test_who_takes_what_is_found_hears_when_the_index_is_damaged_meanwhile(store):
    with store.sessions["one"].operation():
        for number in range(3000):
            store.sessions["one"].artifacts.put(f"many/{number}", b"", tags=["raw"])
    list(store.find())
    store.close()  # nothing of it is in this process's memory
    found = iter(store.find("tag:raw"))
    assert next(found).path == "a/b.csv"
    os.truncate(index_file(store), index_file(store).stat().st_size // 2)
    with pytest.raises(sessionfs.Corrupt, match="while it was read"):
        list(found)
    assert store.find().count() == 3002


def test_a_killed_rebuild_leaves_what_there_was(store, monkeypatch):
    list(store.find())
    monkeypatch.setattr("sessionfs.index.catch_up.Filler.fill", lambda *_: os.kill(os.getpid(), 9))
    child = multiprocessing.get_context("fork").Process(target=store.index.rebuild)
    child.start()
    child.join()
    assert child.exitcode == -9
    monkeypatch.undo()
    assert (Path(store.path) / "index.sqlite.new").exists()
    assert store.find().count() == 2
    store.index.rebuild()
    assert not (Path(store.path) / "index.sqlite.new").exists()
    assert store.find().count() == 2


def test_progress_is_told(store):
    told = []
    store.index.rebuild(lambda done, total: told.append((done, total)))
    size = (Path(store.path) / "sessions/one/log").stat().st_size
    assert told == [(size, size)]
    store.sessions["one"].artifacts.put("x", b"")
    store.index.refresh(lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > size


def test_after_a_power_cut_places_are_looked_at_again(store, monkeypatch):
    log = Path(store.path) / "sessions/one/log"
    list(store.find())
    store.close()
    content, status = log.read_bytes(), log.stat()
    # The end of the log is zeros, and neither its length nor its times tell.
    log.write_bytes(content[:-50] + bytes(50))
    os.utime(log, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Index(store.core).count(EVERYTHING) == 2
    monkeypatch.setattr("sessionfs.index.keeper._boot_id", lambda: "another")
    assert Index(store.core).count(EVERYTHING) == 1


def test_a_copy_without_its_index_and_marks_works(store, tmp_path):
    list(store.find())
    store.close()
    copied = tmp_path / "copy"
    shutil.copytree(store.path, copied, ignore=shutil.ignore_patterns("index.sqlite*", "changed", "tmp"))
    (copied / "tmp").mkdir()
    with sessionfs.open(copied) as copy:
        assert paths(copy.find(sort="path")) == ["a/b.csv", "c.md"]
        copy.sessions["one"].artifacts.put("new", b"")
        assert copy.find().count() == 3


def test_an_index_that_was_copied_is_not_believed(store, tmp_path):
    list(store.find())
    store.close()
    copied = tmp_path / "copy"
    shutil.copytree(store.path, copied)
    with sqlite3.connect(copied / "index.sqlite") as connection:  # as if it had been copied while somebody wrote to it
        connection.execute("UPDATE artifacts SET path = 'wrong'")
    connection.close()
    with sessionfs.open(copied) as copy:
        assert paths(copy.find(sort="path")) == ["a/b.csv", "c.md"]


def test_fsck_takes_no_offence(store):
    list(store.find())
    assert list(check(store.core)) == []


# Where it may not be written


def test_a_store_that_refuses_writes_is_indexed_in_the_cache(store, tmp_path):
    store.close()
    before = sorted(os.listdir(store.path))
    reader = Store(store.path, disk=ReadOnlyDisk())
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": "/nowhere"}
    index = Index(reader, env=env)
    assert index.count(EVERYTHING) == 2
    assert index.standing().path.startswith(str(tmp_path / "cache/sessionfs"))
    index.close()
    store.sessions["one"].artifacts.put("new", b"")
    again = Index(reader, env=env)
    assert again.standing().moved_count == 1
    assert again.count(EVERYTHING) == 3
    again.close()
    assert sorted(os.listdir(store.path)) == before


def test_without_any_place_it_is_in_memory(store, tmp_path):
    store.close()
    (tmp_path / "file").touch()
    reader = Store(store.path, disk=ReadOnlyDisk())
    index = Index(reader, env={"XDG_CACHE_HOME": str(tmp_path / "file"), "HOME": "/nowhere"})
    assert index.standing().path is None
    assert index.count(EVERYTHING) == 2
    found = index.find(EVERYTHING, Page())
    next(found)
    store.sessions["one"].artifacts.put("new", b"")
    assert index.count(EVERYTHING) == 3
    assert len(list(found)) == 1
    index.rebuild()
    assert index.count(EVERYTHING) == 3
    assert index.drop() and index.count(EVERYTHING) == 3
    index.close()
    assert index.count(EVERYTHING) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_without_rights_has_an_index_of_their_own(store):
    list(store.find())
    store.close()
    home = Path(tempfile.mkdtemp())  # pytest's own directories are root's alone
    home.chmod(0o755)
    shutil.copytree(store.path, home / "store")
    (home / "cache").mkdir()
    os.chown(home / "cache", _NOBODY, _NOBODY)

    def ask():
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        with contextlib.suppress(BaseException):
            index = Index(Store(str(home / "store")), env={"XDG_CACHE_HOME": str(home / "cache")})
            os._exit(0 if index.count(EVERYTHING) == 2 and "cache" in index.standing().path else 1)
        os._exit(2)

    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    child.join()
    shutil.rmtree(home)
    assert child.exitcode == 0


def test_a_full_disk_is_said_to_be_full(store, monkeypatch):
    def full(*_):
        failure = sqlite3.OperationalError("database or disk is full")
        failure.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise failure

    list(store.find())
    store.sessions["one"].artifacts.put("new", b"")
    monkeypatch.setattr(database, "in_transaction", full)
    with pytest.raises(NoSpace, match="free space"):
        store.find().count()
    monkeypatch.undo()
    assert store.find().count() == 3


# What is looked up


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("tag:raw", "walk through tag"),
        ("type:tool_result", "walk through type"),
        ("name:*.csv", "walk through name"),
        ("meta.n:3", "walk through n"),
        ("size:>100", "look up size"),
        ("oid:abcd", "look up OidIs"),
        ("session:two", "look up session"),
        ("session.status:failed", "look up OfSession"),
        ("tag:none type:tool_result", "tag"),
        ("", "walk through all by created"),
        ("NOT tag:raw", "walk through all by created"),
    ],
)
def test_the_way_to_an_answer(store, text, way):
    session = store.sessions["one"]
    for number in range(50):
        session.artifacts.put(f"n{number}.csv", b"", type="tool_result", tags=["raw"], metadata={"n": 3})
    explained = store.index.explain(parse_query(text), make_page(Subject.ARTIFACTS, limit=10))
    assert way in explained[0]
    assert not any(re.match("SCAN [at]", line) for line in explained), explained


def test_a_text_with_nul_in_it_is_compared_to_its_end(store):
    store.sessions["one"].artifacts.put("d", b"", description="ab\0cd")
    for query in ("description:*cd", "description:ab*d", 'description:"ab?cd"', "CD"):
        assert paths(store.find(query)) == ["d"]
    for query in ("description:*b", "description:ab"):
        assert paths(store.find(query)) == []
