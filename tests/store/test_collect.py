"""Collecting a directory: what becomes of what people and programs do there."""

from __future__ import annotations

import errno
import inspect
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from descriptors import count_descriptors

import sessionfs
from sessionfs import Session
from sessionfs.collect import Change, CollectingThread, Collector, Shown, Timing, polled, run, storing, told, tree
from sessionfs.collect.claim import AlreadyCollected, BadDirectory, NoDirectory
from sessionfs.collect.looking import is_open_for_writing
from sessionfs.collect.tree import DirectoryGone
from sessionfs.hooks import Cancel, HookCall, Modify
from sessionfs.store.session import SessionNotWritable

AT_ONCE = Timing(0.0, 0.0, 0.0)
PATIENT = Timing(0.0, 0.0, 3600.0)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    store = sessionfs.open(tmp_path / "store", create=True, background_sync=False)
    return store.sessions.create(id="s")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


class Collecting:
    """Collectors of one directory, one after the other."""

    def __init__(self, session: Session, work: Path) -> None:
        self.session = session
        self.work = work
        self.changes: list[Change] = []
        self.complaints: list[tuple[str, str]] = []

    def collector(self, timing: Timing = AT_ONCE, **options: Any) -> Collector:
        return Collector(
            self.session,
            str(self.work),
            timing=timing,
            complain=lambda path, why: self.complaints.append((path, why)),
            **{"tell": self.changes.append, **options},
        )

    def once(self, **options: Any) -> None:
        with self.collector(**options):
            pass

    def sh(self, script: str) -> None:
        subprocess.run(["sh", "-ec", script], cwd=self.work, check=True)

    def told(self) -> list[str]:
        """Return what was recorded since the last call, as lines."""
        told = [
            " ".join(str(word) for word in (change.what, change.path, change.to, change.version) if word is not None)
            for change in self.changes
        ]
        self.changes.clear()
        return told

    def versions(self) -> dict[str, int]:
        return {artifact.path: artifact.version for artifact in self.session.artifacts.list()}


@pytest.fixture
def collecting(session: Session, work: Path) -> Iterator[Collecting]:
    found = Collecting(session, work)
    yield found
    assert found.complaints == []


@pytest.fixture
def complaining(session: Session, work: Path) -> Collecting:
    return Collecting(session, work)


# What is there


def test_what_is_there_is_taken_in(collecting: Collecting) -> None:
    collecting.sh("mkdir -p a/empty .git; echo one >a/f; ln -s nowhere l; chmod 750 a; chmod 711 a/f; touch .f.swp f~")
    os.utime(collecting.work / "a/f", ns=(5, 5))
    (collecting.work / os.fsdecode(b"\xff")).write_bytes(b"x")
    os.mkfifo(collecting.work / "fifo")
    collecting.once(type="code")
    session = collecting.session
    assert collecting.versions() == {"a/f": 1, "l": 1, "\udcff": 1}
    file = session.artifacts["a/f"]
    assert (file.read_bytes(), file.mode, file.mtime_ns, file.type) == (b"one\n", 0o711, 5, "code")
    assert session.artifacts["a"].mode == 0o750 and session.artifacts["a/empty"].kind == "directory"
    assert session.artifacts["l"].target == "nowhere"


def test_what_was_taken_is_not_taken_again(collecting: Collecting) -> None:
    collecting.sh("mkdir d; echo one >d/f; ln -s f d/l")
    collecting.once()
    count = collecting.session.event_count
    collecting.once()
    assert collecting.session.event_count == count


def test_a_place_in_the_session_and_globs(collecting: Collecting) -> None:
    collecting.sh("mkdir -p src/build doc; touch src/a.py src/build/b.py doc/c.md doc/d.py top.py")
    collecting.once(to="in/here", include=["*.py"], exclude=["build/"])
    assert list(collecting.versions()) == ["in/here/doc/d.py", "in/here/src/a.py", "in/here/top.py"]
    with collecting.collector(to="in/here", include=["*.py"], exclude=["build/"]) as collector:
        collecting.sh("mv src/a.py src/a.txt; mv doc/c.md doc/c.py; rm -r doc/d.py; mkdir new; touch new/x")
        collector.take_in()
    assert list(collecting.versions()) == ["in/here/doc/c.py", "in/here/top.py"]
    assert "in/here/new" not in collecting.session.artifacts


def test_what_the_session_has_already_is_no_new_version(collecting: Collecting) -> None:
    collecting.session.artifacts.put("f", b"same\n", tags=["mine"])
    collecting.session.artifacts.put("g", b"other\n")
    collecting.sh("echo same >f; echo new >g")
    collecting.once()
    assert collecting.versions() == {"f": 1, "g": 2}
    assert collecting.session.artifacts["f"].tags == ("mine",)


# What happens


def test_changes_renames_and_deletions(collecting: Collecting) -> None:
    collecting.sh("mkdir -p d/e; echo 1 >d/e/f; echo 2 >g; echo 3 >h; ln -s g l")
    with collecting.collector() as collector:
        collecting.told()
        for script, told in (
            ("echo more >>g", ["stored g 2"]),
            ("mv g d/g", ["renamed g d/g"]),
            ("mv d x; echo more >>x/e/f", ["renamed d x", "stored x/e/f 2"]),
            ("mv x/g t; mv h x/g; mv t h", ["renamed h x/g", "renamed x/g h"]),
            ("chmod 600 h", ["updated h"]),
            ("touch -d @5 h", ["updated h"]),
            ("ln -sf h l", ["deleted l", "stored l"]),
            ("rm -r x", ["deleted x"]),
            ("rm h; mkdir h; touch h/i", ["deleted h", "stored h", "stored h/i 1"]),
            ("mkdir -p n/m; touch n/m/o; mv n p; rm p/m/o", ["stored p", "stored p/m"]),
            ("touch short; rm short", []),
        ):
            collecting.sh(script)
            collector.take_in()
            assert sorted(line for line in collecting.told() if not line.startswith("deleted l")) == sorted(
                line for line in told if not line.startswith("deleted l")
            ), script
    assert collecting.session.artifacts["l"].target == "h"


def test_ways_in_which_editors_save_make_versions(collecting: Collecting) -> None:
    collecting.sh("echo 1 >f")
    with collecting.collector() as collector:
        for number, script in enumerate(
            (
                "echo 2 >f.tmp; mv f.tmp f",
                "mv f f~; echo 3 >f",
                "mv f f.old; echo 4 >f.new; mv f.new f; rm f.old",
                "rm f; echo 5 >f",
                "cp f .f.swp; echo 6 >f; rm .f.swp",
            ),
            start=2,
        ):
            collecting.sh(script)
            collector.take_in()
            assert collecting.versions() == {"f": number}, script


def test_what_leaves_and_what_comes(collecting: Collecting, tmp_path: Path) -> None:
    collecting.sh("mkdir out; touch out/f; mkdir ../in; touch ../in/g")
    with collecting.collector() as collector:
        collecting.sh("mv out ..; mv ../in .")
        collector.take_in()
        assert list(collecting.versions()) == ["in/g"]
        (tmp_path / "out/later").touch()
        collecting.sh("touch in/later")
        collector.take_in()
    assert list(collecting.versions()) == ["in/g", "in/later"]


def test_one_burst_is_one_operation(collecting: Collecting) -> None:
    collecting.sh("mkdir d; touch d/f g; ln -s g l")
    with collecting.collector() as collector:
        first = collecting.session.event_count
        collecting.sh("mv d e; rm g; echo x >e/f; echo y >h; chmod 700 e")
        collector.take_in()
        events = list(collecting.session.events(start=first))
    assert {event.operation for event in events} == {first}
    assert {event.type for event in events} > {"artifact.stored", "artifact.renamed", "artifact.deleted"}


def test_directories_deleted_with_what_others_have_put_there(collecting: Collecting) -> None:
    collecting.sh("mkdir -p d/e d/g; touch d/e/f d/g/h")
    with collecting.collector() as collector:
        collecting.session.artifacts.put("d/e/foreign", b"x")
        collecting.sh("rm -r d")
        collector.take_in()
    assert list(collecting.versions()) == ["d/e/foreign"]
    assert "d/g" not in collecting.session.artifacts


def test_what_others_remove_from_the_session_stays_removed(collecting: Collecting) -> None:
    collecting.sh("touch f g")
    collecting.once()
    collecting.session.artifacts.delete("f")
    collecting.session.artifacts.put("g", b"from elsewhere")
    collecting.once()
    assert collecting.versions() == {"g": 2}
    collecting.sh("echo changed >f; rm g")
    collecting.once()
    assert collecting.versions() == {"f": 1}


# What is still being written


def test_half_written_files_are_waited_for(collecting: Collecting) -> None:
    with collecting.collector(PATIENT) as collector:
        with (collecting.work / "f").open("wb", buffering=0) as file:
            file.write(b"half")
            collector.take_in()
            assert collecting.versions() == {}
            file.write(b" and half")
            collector.take_in()
        collector.take_in()
        assert collecting.told() == ["stored f 1"]
    assert collecting.session.artifacts.read("f") == b"half and half"


def test_one_that_was_begun_before_is_waited_for_too(collecting: Collecting) -> None:
    with (collecting.work / "f").open("wb", buffering=0) as file, (collecting.work / "other").open("wb"):
        with collecting.collector(PATIENT) as collector:
            assert collecting.versions() == {}
            file.write(b"x")
            collector.take_in()
            assert collecting.versions() == {}
        assert collecting.versions() == {"f": 1, "other": 1}  # at the end there is no later


def test_one_that_nobody_closes_is_taken_when_it_is_stable(collecting: Collecting) -> None:
    with collecting.collector(Timing(0.0, 0.0, 0.5)) as collector:
        thread = CollectingThread(collector)
        thread.start()
        with (collecting.work / "f").open("wb", buffering=0) as file:
            for _ in range(5):
                file.write(b"x")
                time.sleep(0.02)
            assert eventually(lambda: collecting.versions() == {"f": 1})
        thread.join()
    assert collecting.session.artifacts.read("f") == b"xxxxx"


def test_whether_a_file_is_open(work: Path) -> None:
    with (work / "f").open("wb") as file, (work / "f").open("rb") as reading:
        assert is_open_for_writing(reading.fileno()) is True
        file.close()
        assert is_open_for_writing(reading.fileno()) is False


def test_a_file_that_changes_while_it_is_read(collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    path = collecting.work / "f"
    path.write_bytes(b"first")
    objects = collecting.session.store.objects
    put_bytes = objects.put_bytes

    def put_and_change(data: bytes) -> Any:
        monkeypatch.undo()
        path.write_bytes(b"second")
        return put_bytes(data)

    monkeypatch.setattr(objects, "put_bytes", put_and_change)
    with collecting.collector() as collector:
        assert collecting.versions() == {}
        collector.take_in()
        assert collecting.told() == ["stored f 1"]
    assert collecting.session.artifacts.read("f") == b"second"


def test_bursts(collecting: Collecting) -> None:
    """What happens without a pause is recorded together, and what goes on for long in between."""
    with collecting.collector(Timing(1.0, 3600.0, 2.0)) as collector:
        thread = CollectingThread(collector)
        thread.start()
        for number in range(20):
            (collecting.work / f"f{number}").write_bytes(b"x")
            time.sleep(0.01)
        assert eventually(lambda: len(collecting.versions()) == 20)
        thread.join()
    stored = list(collecting.session.events("artifact.stored"))
    assert len(stored) == 20 and len({event.operation for event in stored}) == 1


def test_a_long_burst_is_recorded_on_the_way(collecting: Collecting) -> None:
    stopped = threading.Event()

    def write() -> None:
        number = 0
        while not stopped.wait(0.005):
            (collecting.work / f"f{number}").write_bytes(b"x")
            number += 1

    with collecting.collector(Timing(0.05, 0.2, 2.0)) as collector:
        thread, writer = CollectingThread(collector), threading.Thread(target=write)
        thread.start()
        writer.start()
        assert eventually(lambda: len(collecting.versions()) > 3)
        stopped.set()
        writer.join()
        thread.join()
    assert len(collecting.versions()) == len(os.listdir(collecting.work))


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_what_has_gone_is_watched_no_more(collecting: Collecting) -> None:
    collecting.sh("mkdir ../out a b c; touch a/f")
    with collecting.collector() as collector:
        before = watches()
        collecting.sh("mkdir d e e/f; touch e/f/g")
        collector.take_in()
        assert watches() == before + 3
        collecting.sh("rm -r d; mv e ../out")
        collector.take_in()
        assert watches() == before
    assert collecting.versions() == {"a/f": 1}


def watches() -> int:
    """Return how many watches of inotify this process has."""
    infos = (Path("/proc/self/fdinfo", fd) for fd in os.listdir("/proc/self/fdinfo"))
    return sum(info.read_text().count("inotify wd:") for info in infos if info.exists())


@pytest.fixture
def shallow_stack() -> Iterator[None]:
    """Python's stack is less deep than :data:`DEEP`."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + len(DEEP.split("/")))
    yield
    sys.setrecursionlimit(limit)


DEEP = "/".join(["a"] * 150)


@pytest.mark.usefixtures("shallow_stack")
def test_a_tree_that_is_deeper_than_the_stack(collecting: Collecting) -> None:
    collecting.sh(f"mkdir -p {DEEP}; touch {DEEP}/f.txt")
    with collecting.collector(include=["a/**/*.txt"]) as collector:
        assert collecting.versions() == {f"{DEEP}/f.txt": 1}
        collecting.session.artifacts.put(f"{DEEP}/foreign", b"x")
        collecting.sh("rm -r a")
        collector.take_in()
    assert collecting.versions() == {f"{DEEP}/foreign": 1}


# Nobody looked


def test_renames_are_found_by_inode_and_by_content(collecting: Collecting) -> None:
    collecting.sh("mkdir d; echo one >d/f; echo two >g; echo three >h")
    collecting.once()
    collecting.told()
    collecting.sh("mv d e; mv g e/g; cp h i; rm h; echo new >j")
    collecting.once()
    assert sorted(collecting.told()) == [
        "renamed d e", "renamed g e/g", "renamed h i", "stored j 1", "updated i",
    ]  # fmt: skip


def test_renames_among_many_of_the_same_length(collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those with the same content the one with the same name; and the work grows with the files, not their pairs."""
    (collecting.work / "d").mkdir()
    for number in range(60):
        (collecting.work / f"d/{number:02}").write_bytes(b"same" if number < 5 else b"1%03d" % number)
    collecting.once()
    collecting.told()
    collecting.sh("mkdir e; cp d/0[0-5] e; rm -r d")
    for number in range(60):
        (collecting.work / f"e/new{number}").write_bytes(b"2%03d" % number)
    found = []
    find = storing.Storing.find
    monkeypatch.setattr(storing.Storing, "find", lambda self, path: found.append(path) or find(self, path))
    collecting.once()
    assert sorted(line for line in collecting.told() if line.startswith("renamed")) == [
        f"renamed d/0{number} e/0{number}" for number in range(6)
    ]
    assert len(found) < 1000


def test_it_catches_up_after_it_was_killed(collecting: Collecting) -> None:
    collecting.sh("mkdir d; echo 1 >d/f; echo 2 >g; echo 3 >h")
    killed = collecting.collector()
    with pytest.raises(KeyboardInterrupt), killed:
        collecting.sh("echo more >>d/f")
        raise KeyboardInterrupt
    collecting.sh("mv d e; rm g; echo 4 >>h; touch -d @9 e/f")
    collecting.once()
    assert collecting.versions() == {"e/f": 2, "h": 2}
    assert collecting.session.artifacts["e/f"].mtime_ns == 9_000_000_000


def test_a_queue_that_was_too_short(collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "_MAX_WAITING", 5)
    with collecting.collector() as collector:
        collecting.sh("mkdir a b; for i in 1 2 3 4 5 6 7; do echo $i >a/$i; done; mv a/7 b/7; rm a/1")
        collector.take_in()
        collecting.sh("mv a c; rm c/2; for i in 1 2 3 4 5 6 7; do echo $i >>c/3; done")
        collector.take_in()
    assert collecting.versions() == {"b/7": 1, "c/3": 2, "c/4": 1, "c/5": 1, "c/6": 1}


@pytest.fixture
def two_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system lets nobody watch more than two directories."""
    added = []
    add = told.Inotify.add

    def add_two(self: told.Inotify, path: str, mask: int) -> int:
        if len(added) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        added.append(path)
        return add(self, path, mask)

    monkeypatch.setattr(told.Inotify, "add", add_two)


@pytest.mark.usefixtures("two_watches")
def test_too_many_directories(complaining: Collecting) -> None:
    complaining.sh("mkdir a; touch a/f")
    with complaining.collector() as collector:
        complaining.sh("mkdir b; touch b/g")
        collector.take_in()
        complaining.sh("rm a/f")
        collector.take_in()
    assert complaining.versions() == {"b/g": 1}
    assert [path for path, why in complaining.complaints if "max_user_watches" in why] == [""]


@pytest.mark.usefixtures("two_watches")
def test_too_many_directories_while_it_waits(complaining: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told before is recorded, and it waits between two looks, instead of looking all the time."""
    monkeypatch.setattr(polled, "INTERVAL_SECONDS", 0.1)
    looks = []
    apply = polled.Polled.apply
    monkeypatch.setattr(polled.Polled, "apply", lambda self, now: looks.append(now) or apply(self, now))
    complaining.sh("mkdir a")
    with complaining.collector() as collector:
        thread = CollectingThread(collector)
        thread.start()
        complaining.sh("mkdir b")
        assert eventually(lambda: "b" in complaining.session.artifacts)
        looks.clear()
        complaining.sh("touch b/g")
        assert eventually(lambda: complaining.versions() == {"b/g": 1})
        assert len(looks) < 30
        thread.join()


@pytest.mark.usefixtures("two_watches")
def test_one_directory_too_many_where_a_file_was(complaining: Collecting) -> None:
    """That is seen when it is recorded, before anything has told of it."""
    complaining.sh("mkdir a; touch f")
    with complaining.collector() as collector:
        node = collector._mirror.find("f")
        assert node is not None
        complaining.sh("rm f; mkdir f; touch f/g")
        collector._mirror.changed[node] = None  # as if told of before
        collector._bursts.record(collector._changes, 0.0, at_once=True)
    assert complaining.versions() == {"f/g": 1}
    assert len(complaining.complaints) == 1


def test_where_nobody_tells(collecting: Collecting) -> None:
    collecting.sh("mkdir d; touch d/f")
    with collecting.collector(poll=True) as collector:
        collecting.sh("mv d e; touch g")
        collector.take_in()
        assert collecting.versions() == {"e/f": 1, "g": 1}
        collecting.sh("rm -r e")
    assert collecting.versions() == {"g": 1}


def test_what_is_remembered_stays_short(collecting: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessionfs.collect.bursts._REPEATED_LEAST", 20)
    with collecting.collector() as collector:
        for number in range(50):
            (collecting.work / "f").write_bytes(b"%d" % number)
            collector.take_in()
    events = [event.data.get("whole", False) for event in collecting.session.events("custom.collected")]
    assert 2 <= sum(events) <= 6 and len(events) > 50


def test_what_cannot_be_told_is_recorded(collecting: Collecting) -> None:
    def refuse(change: Change) -> None:
        if change.path.startswith("n"):
            raise BrokenPipeError

    with collecting.collector(tell=refuse) as collector:
        for script in ("echo 1 >n1", "mkdir n2", "mv n1 n3", "rm n3"):
            collecting.sh(script)
            with pytest.raises(BrokenPipeError):
                collector.take_in()
        assert collecting.versions() == {} and "n2" in collecting.session.artifacts


# What cannot be taken


def test_what_cannot_be_looked_at(complaining: Collecting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails, a path that is too long: what is elsewhere is taken, and what was taken before stays."""
    complaining.sh("mkdir a b; touch a/f b/g")
    complaining.once()
    numbers = itertools.cycle([errno.EIO, errno.ENAMETOOLONG, errno.EPERM])
    list_directory, look = tree.list_directory, tree.look

    def refuse(path: str) -> None:
        if f"{path}/".startswith(f"{complaining.work}/a/"):
            number = next(numbers)
            raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(tree, "list_directory", lambda path: refuse(path) or list_directory(path))
    monkeypatch.setattr(tree, "look", lambda path: refuse(path) or look(path))
    complaining.sh("touch b/h; rm b/g")
    with complaining.collector() as collector:
        complaining.sh("touch a/i b/i")
        collector.take_in()
    assert complaining.versions() == {"a/f": 1, "b/h": 1, "b/i": 1}
    assert {path for path, _ in complaining.complaints} == {"a", "a/i"}


def test_a_hook_that_refuses_one(complaining: Collecting) -> None:
    def refuse(call: HookCall) -> Cancel | None:
        return Cancel("not this one") if call.action.path == "secret" else None  # type: ignore[attr-defined]

    complaining.session.store.hooks.on("pre-artifact-store", refuse)
    complaining.sh("echo a >a; echo s >secret; echo z >z")
    complaining.once()
    assert list(complaining.versions()) == ["a", "z"]
    assert [(path, "not this one" in why) for path, why in complaining.complaints] == [("secret", True)]


def test_a_hook_that_gives_other_names(collecting: Collecting) -> None:
    def rename(call: HookCall) -> Modify | None:
        path = call.action.path  # type: ignore[attr-defined]
        return Modify(name=f"{path}.txt") if path.startswith("note") else None

    collecting.session.store.hooks.on("pre-artifact-store", rename)
    with collecting.collector() as collector:
        collecting.sh("echo 1 >note; echo 1 >other")
        collector.take_in()
        assert collecting.versions() == {"note.txt": 1, "other": 1}
        collecting.sh("echo 2 >note")
        collector.take_in()
        collecting.sh("echo 3 >n; mv n note")
        collector.take_in()
        assert collecting.versions() == {"note.txt": 3, "other": 1}
        collecting.sh("mv note moved; rm other")
        collector.take_in()
        assert collecting.versions() == {"moved": 3}
        collecting.sh("echo 4 >note2")
        collector.take_in()
        collecting.sh("rm note2")
        collector.take_in()
    assert collecting.versions() == {"moved": 3}


def test_what_is_larger_than_is_allowed(complaining: Collecting) -> None:
    store = complaining.session.store
    Path(store.path, "config.toml").write_text('[limits]\nmax_artifact_size = "1KiB"\n')
    complaining.session = sessionfs.open(store.path).sessions["s"]
    complaining.sh("echo a >a; head -c 2000 /dev/zero >large")
    complaining.once()
    assert list(complaining.versions()) == ["a"]
    assert [(path, "limits.max_artifact_size" in why) for path, why in complaining.complaints] == [("large", True)]
    complaining.sh("head -c 10 /dev/zero >large")
    complaining.once()
    assert list(complaining.versions()) == ["a", "large"]


def test_the_exit_code_counts_whatever_becomes_of_collecting(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = told.Inotify.read

    def fail(self: told.Inotify) -> list[told.Told]:
        if (collecting.work / "begun").exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(self)

    monkeypatch.setattr(told.Inotify, "read", fail)
    said: list[str] = []
    code = run(
        collecting.session,
        ["sh", "-c", "touch begun; exit 3"],
        env=os.environ,
        cwd=str(collecting.work),
        shown=Shown(lambda data: None, lambda data: None),
        complain=said.append,
        collector=collecting.collector(),
    )
    assert code == 3
    assert said and all("Input/output error" in what for what in said)


def test_a_session_that_ends(collecting: Collecting) -> None:
    with pytest.raises(SessionNotWritable), collecting.collector() as collector:
        collecting.session.complete()
        collecting.sh("touch f")
        collector.take_in()
    with pytest.raises(SessionNotWritable):
        collecting.once()


def test_a_directory_that_goes(collecting: Collecting) -> None:
    collecting.sh("mkdir d; touch d/f g")
    with pytest.raises(DirectoryGone, match="the session keeps"), collecting.collector() as collector:
        shutil.rmtree(collecting.work)
        collector.take_in()
    assert collecting.versions() == {"d/f": 1, "g": 1}


def test_a_directory_that_becomes_a_link_elsewhere(collecting: Collecting, tmp_path: Path) -> None:
    """Nothing outside of the directory is read by way of it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/f").write_bytes(b"secret")
    collecting.sh("mkdir d; echo one >d/f")
    with collecting.collector() as collector:
        node = collector._mirror.find("d/f")
        assert node is not None
        shutil.rmtree(collecting.work / "d")
        os.symlink(tmp_path / "elsewhere", collecting.work / "d")
        collector._mirror.changed[node] = None  # as if told of before
        collector._bursts.record(collector._changes, 0.0, at_once=True)
        collector.take_in()
    contents = {version.read_bytes() for version in collecting.session.artifacts.list() if version.kind == "file"}
    assert contents == set()
    assert collecting.session.artifacts["d"].kind == "symlink"


def test_the_store_is_never_collected(session: Session, tmp_path: Path) -> None:
    collecting = Collecting(session, tmp_path)
    (tmp_path / "f").touch()
    collecting.once()
    assert collecting.versions() == {"f": 1}


def test_which_directories_cannot_be(session: Session, work: Path) -> None:
    (work / "file").touch()
    for path, kind, words in (
        (work / "none", NoDirectory, "no directory"),
        (work / "file", BadDirectory, "not a directory"),
        (Path(session.store.path, "objects"), BadDirectory, "a store"),
        (Path(session.store.path), BadDirectory, "a store"),
    ):
        with pytest.raises(kind, match=words):
            Collector(session, str(path))
    for options in ({"type": "no type"}, {"to": "../x"}, {"include": [""]}):
        with pytest.raises(sessionfs.InvalidInput):
            Collector(session, str(work), **options)  # type: ignore[arg-type]


def test_only_one_collects(collecting: Collecting) -> None:
    with collecting.collector(), pytest.raises(AlreadyCollected, match="another process"), collecting.collector():
        pass
    collecting.once(to="elsewhere")
    collecting.once()


def test_nothing_stays_open(collecting: Collecting) -> None:
    collecting.once()
    before = count_descriptors()
    collecting.once()
    with pytest.raises(AlreadyCollected), collecting.collector(), collecting.collector():
        pass
    assert count_descriptors() == before
