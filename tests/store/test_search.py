"""Looking into contents: patterns and words, in stores that change, are damaged, or are shared."""

from __future__ import annotations

import multiprocessing
import os
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sessionfs
from sessionfs import api
from sessionfs.durable.read_only import ReadOnlyDisk
from sessionfs.errors import Conflict, Denied, DiskFault, InvalidInput, NoSpace, NotFound
from sessionfs.index import keeper
from sessionfs.query import parse_query
from sessionfs.search import fill
from sessionfs.search.blocks import Content
from sessionfs.search.grep import How
from sessionfs.search.pattern import Pattern, SlowPattern
from sessionfs.store.store import Store


@pytest.fixture
def store(tmp_path):
    with sessionfs.open(tmp_path / "store", create=True, background_sync=False) as store:
        session = store.sessions.create(id="one", name="First", tags=["nightly"])
        session.artifacts.put("a/report.txt", "All is well.\nSales rose.\n", tags=["draft"])
        session.artifacts.put("b.csv", "region,total\nnorth,3\n", description="By region")
        yield store


def text_file(store):
    return Path(store.path) / "index.sqlite.text"


def lines(matched):
    return [(line.artifact.path, line.number, line.text) for line in matched]


def paths(hits):
    return sorted(hit.artifact.path for hit in hits if hit.artifact is not None)


# Patterns


def test_grep_gives_lines_with_their_artifacts(store):
    (line,) = store.grep("S.les")
    assert isinstance(line.artifact, sessionfs.FoundArtifact)
    assert (line.artifact.session, line.artifact.path, line.number, line.text) == (
        "one",
        "a/report.txt",
        2,
        "Sales rose.",
    )
    assert line.spans == ((0, 5),)
    assert lines(store.grep("o", "name:*.csv")) == [("b.csv", 1, "region,total"), ("b.csv", 2, "north,3")]
    assert lines(store.grep("o", name="*.csv", max_count=1)) == [("b.csv", 1, "region,total")]
    assert lines(store.grep("NORTH", ignore_case=True, before=1))[0] == ("b.csv", 1, "region,total")
    assert lines(store.grep("nothing")) == []


def test_long_lines_are_given_few_at_a_time(store):
    store.sessions["one"].artifacts.put("long", ("x" * 300_000 + "\n") * 8)
    given = [len(some.lines) for some in store.grep_contents(Pattern("x$"), How(), parse_query("name:long"))]
    assert sum(given) == 8 and max(given) < 5


def test_grep_looks_at_any_moment(store):
    session = store.sessions["one"]
    session.artifacts.put("b.csv", "north,4\n")
    session.artifacts.delete("a/report.txt")
    store.sessions.create(id="two").artifacts.put("x", "north,5\n")
    before = session.checkpoints.create("then").seq
    session.artifacts.put("b.csv", "south\n")
    assert lines(store.grep("north")) == [("x", 1, "north,5")]
    assert lines(store.grep("well|north", "session:one@{3}")) == [
        ("a/report.txt", 1, "All is well."),
        ("b.csv", 2, "north,3"),
    ]
    assert lines(store.grep("north", at="then", session="one")) == [("b.csv", 1, "north,4")]
    assert lines(store.grep("north", f"session:one@{{{before}}},two")) == [("b.csv", 1, "north,4"), ("x", 1, "north,5")]
    assert lines(store.grep("north", at=3)) == [("b.csv", 2, "north,3")]
    assert lines(store.grep("north", "tag:nothing", at="now")) == []
    with pytest.raises(NotFound):
        list(store.grep("north", session="one", at="no-such-checkpoint"))
    for query, at in (
        ("versions:all", 2),
        ("session:one@{2}", 2),
        ("session:@{2}", None),
        ("session:one@{2} versions:all", None),
    ):
        with pytest.raises(InvalidInput):
            list(store.grep("north", query, at=at))


def test_what_was_there_once_is_searched_each_content_once(store, monkeypatch):
    read = []
    monkeypatch.setattr(
        "sessionfs.search.grep.Content", lambda pieces, **how: read.append(None) or Content(pieces, **how)
    )
    session = store.sessions["one"]
    for text in ("x\n", "region,total\nnorth,3\n", "y\n"):
        session.artifacts.put("b.csv", text)
    session.artifacts.put("copy.csv", "y\n")
    assert lines(store.grep("north", versions=True)) == [("b.csv", 2, "north,3")]
    assert len(read) == 4
    del read[:]
    assert lines(store.grep("north")) == []
    assert len(read) <= 3  # what was begun together is read together


def test_an_exploding_pattern_is_stopped_and_named(store):
    store.sessions["one"].artifacts.put("as", "a" * 100)
    with pytest.raises(SlowPattern, match=r"one/as.*fewer ways"):
        list(store.grep("(a|aa)+$(?<=b)", time_limit=0.05))


def test_a_content_that_is_lost_does_not_hide_the_others(store):
    oid = store.sessions["one"].artifacts["a/report.txt"].oid
    os.unlink(Path(store.path) / "objects" / oid[:2] / oid[2:])
    with pytest.raises(sessionfs.Corrupt, match="is lost"):
        list(store.grep("north|well"))
    failed = []
    found = lines(store.grep("north|well", on_error=lambda artifact, failure: failed.append(artifact.path)))
    assert (found, failed) == ([("b.csv", 2, "north,3")], ["a/report.txt"])
    assert paths(store.search("north")) == ["b.csv"]
    store.sessions["one"].artifacts.put("again.txt", "All is well.\nSales rose.\n")
    assert paths(store.search("sales")) == ["a/report.txt", "again.txt"]


def test_whoever_stops_asking_does_not_wait_for_the_rest(store):
    for number in range(300):
        store.sessions["one"].artifacts.put(f"many/{number}", f"line {number}\n" * 2000)
    matched = store.grep("line")
    assert next(matched).text == "line 0"
    matched.close()
    assert len(lines(store.grep("line 299$"))) == 2000


def test_reads_are_audited(tmp_path):
    with sessionfs.open(tmp_path / "audited", create=True, background_sync=False) as store:
        (Path(store.path) / "config.toml").write_text("[events]\naudit_reads = true\n")
    with sessionfs.open(tmp_path / "audited", background_sync=False) as store:
        store.sessions.create(id="one").artifacts.put("a", "word")
        assert lines(store.grep("word")) == [("a", 1, "word")]
        assert [event.type for event in store.events("artifact.retrieved")] == ["artifact.retrieved"]


def test_the_readmes_example(store, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = re.search(r"<!-- searching -->\n```python\n(.*?)```", readme, re.DOTALL)[1]
    session = store.sessions.create(id="q4")
    session.artifacts.put("sum.py", "Total = 3\n")
    session.artifacts.put("r.md", "The Annual Report.\n", tags=["q4"])
    exec(code, {"store": store})
    first, second = capsys.readouterr().out.splitlines()
    assert first == "q4 sum.py 1 Total = 3"
    assert second.endswith("artifact q4 r.md The Annual Report.")


# Words


def test_words_are_found_wherever_they_are(store):
    store.sessions["one"].record("tool.invoked", {"error": {"text": "connection refused"}, "n": 3})
    (hit,) = store.search("SALES")
    assert (hit.kind, hit.artifact.path, hit.artifact.read_text()[:3]) == ("artifact", "a/report.txt", "All")
    assert [hit.snippet[start:end] for start, end in hit.spans] == ["Sales"]
    assert paths(store.search("report sales")) == ["a/report.txt"]  # one in the name, one in the content
    assert paths(store.search("draft")) == ["a/report.txt"]
    assert paths(store.search("region")) == ["b.csv"]
    assert [hit.session for hit in store.search("first nightly") if hit.info] == ["one"]
    (hit,) = store.search('"connection refused"')
    assert (hit.kind, hit.event.seq, hit.event.type) == ("event", 4, "tool.invoked")
    assert list(store.search("refused", kinds=["artifact"])) == []
    assert list(store.search("refused", "tag:draft")) == []
    assert paths(store.search("sales", "tag:draft type:document")) == ["a/report.txt"]
    assert paths(store.search("sales", no_tags="draft")) == []
    with pytest.raises(InvalidInput, match="artifact, session and event"):
        store.search("a", kinds=["things"])


def test_the_best_come_first_and_as_many_as_wanted(store):
    session = store.sessions["one"]
    session.artifacts.put("long.txt", "well " + "something else " * 500)
    session.artifacts.put("well.txt", "nothing")
    found = list(store.search("well"))
    assert [hit.artifact.path for hit in found] == ["well.txt", "a/report.txt", "long.txt"]
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert [hit.artifact.path for hit in store.search("well", limit=1)] == ["well.txt"]


def test_what_is_asked_for_in_an_impossible_way_is_refused(store):
    for limit in (-1, "1", 1.5, True):
        with pytest.raises(InvalidInput, match="limit is"):
            store.search("sales", limit=limit)
    with pytest.raises(InvalidInput, match="kinds"):
        store.search("sales", kinds=["artefact"])


def test_a_stray_byte_ends_a_word(store):
    store.sessions["one"].artifacts.put("caf\udce9", "coffee", description="caf\u00e9")
    assert paths(store.search("caf\udce9 OR sales")) == ["a/report.txt", "caf\udce9"]
    assert paths(store.search("cafe\udce9")) == ["caf\udce9"]
    assert paths(store.search("sales NOT caf\udce9")) == ["a/report.txt"]


def test_it_follows_what_is_done(store):
    session = store.sessions["one"]
    assert paths(store.search("well")) == ["a/report.txt"]
    session.artifacts.rename("a/report.txt", "c.txt")
    session.artifacts.update("b.csv", description="It went well")
    assert paths(store.search("well")) == ["b.csv", "c.txt"]
    assert paths(store.search("report")) == []
    session.artifacts.tag("c.txt", remove=["draft"])
    assert paths(store.search("draft")) == []
    session.artifacts.put("c.txt", "Badly.\n")
    session.artifacts.delete("b.csv")
    assert paths(store.search("well")) == []
    assert paths(store.search("well", versions=True)) == ["b.csv", "c.txt"]
    fork = session.fork(id="two")
    assert sorted(hit.session for hit in store.search("badly")) == ["one", "two"]
    fork.record("tool.invoked", {"text": "unusual"})
    store.sessions.delete("two")
    assert [hit.session for hit in store.search("badly OR unusual")] == ["one"]


def test_a_content_is_read_once_whoever_has_it(store, monkeypatch):
    session = store.sessions["one"]
    assert paths(store.search("well")) == ["a/report.txt"]
    read = []
    extract = fill.extract
    monkeypatch.setattr(fill, "extract", lambda pieces, *more: read.append(None) or extract(pieces, *more))
    for number in range(5):
        session.artifacts.put(f"copy{number}", "All is well.\nSales rose.\n")
    session.fork(id="two")
    assert len(paths(store.search("well"))) == 12
    store.index.rebuild()
    assert len(paths(store.search("well"))) == 12
    assert read == []
    session.artifacts.put("new", "well, well")
    assert len(paths(store.search("well"))) == 13
    assert len(read) == 1


def test_it_is_made_anew_when_it_is_gone_damaged_or_of_another_version(store):
    def answers():
        with sessionfs.open(store.path, background_sync=False) as other:
            return paths(other.search("well OR north"))

    expected = ["a/report.txt", "b.csv"]
    assert answers() == expected
    assert store.texts.standing().text_count == 2
    text_file(store).write_bytes(b"garbage" * 10_000)
    assert answers() == expected
    data = bytearray(text_file(store).read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    text_file(store).write_bytes(data)
    assert answers() == expected
    assert paths(store.search("well OR north")) == expected
    assert store.texts.drop() and not store.texts.drop() and not text_file(store).exists()
    assert paths(store.search("well OR north")) == expected
    store.texts.rebuild()
    assert store.texts.standing().content_count == 2
    os.unlink(text_file(store))
    assert paths(store.search("well")) == ["a/report.txt"]
    assert store.index.standing().is_there  # nothing of this was taken for damage of the other index


@pytest.mark.parametrize(
    ("code", "error"),
    [(sqlite3.SQLITE_IOERR, DiskFault), (sqlite3.SQLITE_BUSY, Conflict), (sqlite3.SQLITE_FULL, NoSpace)],
)
def test_it_is_not_made_anew_for_what_is_no_damage_of_it(store, monkeypatch, code, error):
    def fail(connection, asked):
        failure = sqlite3.OperationalError("as it were")
        failure.sqlite_errorcode = code
        raise failure
        yield

    assert paths(store.search("sales")) == ["a/report.txt"]
    before = text_file(store).stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr("sessionfs.search.texts.matches", fail)
        with pytest.raises(error):
            store.search("sales")
    assert text_file(store).stat().st_ino == before
    assert paths(store.search("sales")) == ["a/report.txt"]


def test_a_log_that_was_cut_is_read_again(store):
    session = store.sessions["one"]
    session.record("tool.invoked", {"text": "before"})
    session.record("tool.invoked", {"text": "lost"})
    assert [hit.event.seq for hit in store.search("lost")] == [5]
    store.close()
    log = Path(store.path) / "sessions" / "one" / "log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    with sessionfs.open(store.path, background_sync=False) as again:
        again.sessions["one"].record("tool.invoked", {"text": "instead"})
        assert [(hit.event.seq, hit.snippet) for hit in again.search("lost OR before OR instead")] == [
            (5, "instead"),
            (4, "before"),
        ]


def test_it_can_be_turned_off_and_limited(store):
    config = Path(store.path) / "config.toml"
    config.write_text("[search]\ndocument_limit = 8\n")
    with sessionfs.open(store.path, background_sync=False) as limited:
        assert paths(limited.search("all")) == ["a/report.txt"]
        assert paths(limited.search("sales")) == []
    config.write_text("[search]\nenabled = false\n")
    with (
        sessionfs.open(store.path, background_sync=False) as off,
        pytest.raises(Denied, match=r"search\.enabled = false"),
    ):
        off.search("all")


def test_documents_that_nothing_could_read_are_read_when_something_can(store, monkeypatch):
    store.sessions["one"].artifacts.put("a.pdf", b"%PDF-1.4 as it were")
    monkeypatch.setattr("sessionfs.search.documents.can_read", lambda: False)
    assert paths(store.search("portable")) == []
    assert store.texts.standing().waiting_count == 1
    monkeypatch.setattr("sessionfs.search.documents.can_read", lambda: True)
    monkeypatch.setattr("sessionfs.search.documents.read_pdf", lambda data, limit: "portable words")
    with sessionfs.open(store.path, background_sync=False) as other:
        assert paths(other.search("portable")) == ["a.pdf"]
        assert other.texts.standing().waiting_count == 0


def _search(place, number, queue):
    with sessionfs.open(place, background_sync=False) as store:
        for step in range(3):
            store.sessions["one"].artifacts.put(f"{number}/{step}", f"process{number} step{step} all")
            found = paths(store.search(f"process{number} all"))
            if found != [f"{number}/{one}" for one in range(step + 1)]:
                queue.put((number, step, found))
    queue.put(None)


def test_several_processes_bring_it_up_to_date_together(store):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    running = [context.Process(target=_search, args=(store.path, number, queue)) for number in range(2)]
    for process in running:
        process.start()
    assert [queue.get(timeout=60) for _ in running] == [None, None]
    for process in running:
        process.join()
    assert len(paths(store.search("step2"))) == 2


def test_what_another_process_took_in_first_is_found(store, monkeypatch):
    monkeypatch.setattr(keeper, "_LOOKING_SECONDS", 0.0)
    assert paths(store.search("sales")) == ["a/report.txt"]
    with sessionfs.open(store.path, background_sync=False) as other:
        other.sessions["one"].artifacts.put("c.txt", "No sales.")
        assert len(list(other.find())) == 3
    assert paths(store.search("sales")) == ["a/report.txt", "c.txt"]
    generation = store.index.generation
    assert paths(store.search("sales")) == ["a/report.txt", "c.txt"]
    assert store.index.generation == generation


def test_several_threads_search_an_index_in_memory(store, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    read_only = api.Store(Store(store.path, disk=ReadOnlyDisk()), background_sync=False)
    for number in range(50):
        store.sessions["one"].record("custom.x", {"said": f"well {number}"})
    begun = iter(read_only.find())
    next(begun)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: next(read_only.search("well")).session, range(24)))
    assert set(found) == {"one"}
    assert len(list(begun)) == 1
    assert read_only.texts.standing().path is None


def test_a_read_only_store_is_searched_from_the_cache(store, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    read_only = api.Store(Store(store.path, disk=ReadOnlyDisk()), background_sync=False)
    assert paths(read_only.search("well")) == ["a/report.txt"]
    (found,) = (tmp_path / "cache").glob("sessionfs/*.text")
    assert re.fullmatch(r"[0-9a-f]+\.sqlite\.text", found.name) and not text_file(store).exists()
