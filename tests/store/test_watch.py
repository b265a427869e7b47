"""Watching a store: what its iterators give, when they end, and what goes wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio
from descriptors import count_descriptors

import sessionfs
from sessionfs import Event, Session, Store
from sessionfs.errors import Corrupt, Error, NotFound
from sessionfs.events.event import LostData
from sessionfs.log import CorruptLog
from sessionfs.retention.shelve import shelve
from sessionfs.watch import LogRewritten, LostLog, Watch, notices
from sessionfs.watch.notices import Directories, Looking, Marks

WAIT_SECONDS = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return sessionfs.open(tmp_path / "store", create=True, background_sync=False)


@pytest.fixture
def session(store: Store) -> Session:
    return store.sessions.create(id="s")


@pytest.fixture(params=["told", "looking"])
def poll(request: pytest.FixtureRequest) -> bool | None:
    return True if request.param == "looking" else None


def take(watch: Watch[Event], count: int) -> list[str]:
    """Return the ids of the next events."""
    taken: list[Event] = []
    while len(taken) < count:
        events = watch.read(WAIT_SECONDS)
        assert events, f"only {taken} came"
        taken += events
    return [event.id for event in taken]


def soon(do: Callable[[], object]) -> threading.Thread:
    """Do something when somebody else waits."""
    thread = threading.Timer(0.02, do)
    thread.start()
    return thread


def test_what_happens_after_it_was_made(store: Store, session: Session, poll: bool | None) -> None:
    session.record("custom.before")
    with store.watch(poll=poll) as watch:
        assert watch.read(0) == []
        session.record("custom.after")
        store.sessions.create(id="new").state["x"] = 1
        events = [next(watch) for _ in range(3)]
    events.sort(key=lambda event: (event.session != "s", event.seq))
    assert [(event.id, event.type) for event in events] == [
        ("s:2", "custom.after"), ("new:0", "session.created"), ("new:1", "state.changed"),
    ]  # fmt: skip
    assert events[2].data == {"key": "x", "new": 1}


def test_only_what_is_asked_for(store: Store, session: Session) -> None:
    other = store.sessions.create(id="other")
    with (
        store.watch("custom.*", sessions=[session]) as watch,
        store.watch(sessions=["other"], start=0) as one,
        store.watch(text="NEEDLE", actor="uid:*") as searching,
    ):
        for each in (session, other):
            each.state["x"] = 1
            each.record("custom.x", {"hay": f"a needle for {each.id}"})
        assert take(watch, 1) == ["s:2"]
        assert take(one, 3) == ["other:0", "other:1", "other:2"]
        assert sorted(take(searching, 2)) == ["other:2", "s:2"]
        assert watch.read(0) == one.read(0) == []


def test_what_nothing_can_match_is_refused(store: Store) -> None:
    with pytest.raises(sessionfs.InvalidInput, match="no event has the type"):
        store.watch("artifact.sotred")
    with pytest.raises(sessionfs.NotFound, match="no session 'x'"):
        store.watch(sessions=["x"])


def test_from_a_number_on(store: Store, session: Session, poll: bool | None) -> None:
    for _ in range(4):
        session.record("custom.x")
    with store.watch(start=3, poll=poll) as watch:
        assert take(watch, 2) == ["s:3", "s:4"]
        store.sessions.create(id="new")
        assert take(watch, 1) == ["new:0"]
    with store.watch(start={"s": 4}, poll=poll) as watch:
        assert sorted(take(watch, 2)) == ["new:0", "s:4"]


def test_what_was_deleted_since_is_read_to_its_end(store: Store, session: Session, poll: bool | None) -> None:
    session.record("custom.x")
    session.delete()
    with store.watch(start={"s": 1}, poll=poll) as watch:
        assert take(watch, 2) == ["s:1", "s:2"]


# Ends


def test_a_named_session_is_watched_until_it_is_deleted(store: Store, session: Session, poll: bool | None) -> None:
    other = store.sessions.create(id="other")
    watch = store.watch(sessions=[session, other], poll=poll)
    session.delete()
    assert take(watch, 1) == ["s:1"] and not watch.has_ended
    deleting = soon(other.delete)
    assert [event.id for event in watch] == ["other:1"]
    assert watch.has_ended and watch.read() == []
    deleting.join()


def test_sessions_that_come_and_go_under_one_name(store: Store, poll: bool | None) -> None:
    with store.watch(poll=poll) as watch:
        for _ in range(3):
            store.sessions.create(id="s").record("custom.x")
            store.sessions.delete("s")
        assert take(watch, 9) == ["s:0", "s:1", "s:2"] * 3


def test_a_number_of_a_file_that_is_used_again(store: Store, poll: bool | None, tmp_path: Path) -> None:
    """As on ext4, once the trash is emptied."""
    layout = store.core.layout
    with store.watch(poll=poll) as watch:
        place = store.sessions.create(id="a").delete()
        assert take(watch, 2) == ["a:0", "a:1"]
        other = sessionfs.open(tmp_path / "other", create=True, background_sync=False)
        content = Path(other.sessions.create(id="b").core.log.path).read_bytes()
        (Path(place) / "log").write_bytes(content)
        os.rename(place, layout.session("b"))
        sessionfs.open(store.path, background_sync=False).sessions["b"].record("custom.x")
        assert take(watch, 2) == ["b:0", "b:1"]


@pytest.mark.parametrize("before", [True, False])
def test_a_session_that_comes_back_from_the_trash(store: Store, session: Session, before: bool) -> None:
    """It goes on where it was deleted: the record of that is not in its log any more."""
    session.record("custom.x")
    if before:
        session.delete()
    with store.watch() as watch:
        if not before:
            session.delete()
            assert take(watch, 1) == ["s:2"]
        store.trash.restore("s")
        assert [(event.id, event.type) for event in watch.read(WAIT_SECONDS)] == [("s:2", "session.recovered")]
        store.sessions["s"].record("custom.y")
        assert take(watch, 1) == ["s:3"]
        store.sessions.delete("s")
        assert take(watch, 1) == ["s:4"]
        assert watch.read(0) == []


def test_what_is_gone_for_good_is_forgotten(store: Store) -> None:
    with store.watch() as watch:
        for number in range(3):
            store.sessions.create(id=f"s{number}").delete()
        take(watch, 6)
        store.trash.empty()
        watch._logs.changed(None)
        assert watch._logs._ended == {}


@pytest.mark.parametrize("names", [None, ["s"]])
def test_a_store_without_a_trash(store: Store, session: Session, names: list[str] | None) -> None:
    """A copy may come without directories that are empty."""
    os.rmdir(store.core.layout.trash)
    with store.watch(sessions=names) as watch:
        session.record("custom.x")
        assert take(watch, 1) == ["s:1"]


def test_an_append_that_never_came_to_be(store: Store, session: Session, poll: bool | None) -> None:
    log = Path(session.core.log.path)
    with store.watch(poll=poll) as watch:
        with session.core.writing():
            session.core.append_all([("custom.x", {"n": number}) for number in range(4)])
        whole = log.read_bytes()
        log.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
        assert watch.read(0) == []
        other = sessionfs.open(store.path, background_sync=False).sessions["s"]
        other.record("custom.y")
        assert [(event.id, event.type) for event in watch.read(WAIT_SECONDS)] == [("s:1", "custom.y")]


def test_closing_ends_who_waits(store: Store, session: Session, poll: bool | None) -> None:
    watch = store.watch(poll=poll)
    closing = soon(watch.close)
    assert list(watch) == []
    closing.join()
    session.record("custom.x")
    assert watch.read() == [] and list(watch) == []
    watch.close()


def test_nothing_stays_open(store: Store, session: Session, poll: bool | None) -> None:
    before = count_descriptors()
    for _ in range(3):
        with store.watch(poll=poll), store.watch(sessions=[session], poll=poll):
            pass
        store.watch(poll=poll)  # nobody closes it
    assert count_descriptors() == before


# Tasks


async def first_ones(watch: AsyncIterator[Event], count: int) -> list[str]:
    found = []
    async for event in watch:
        found.append(event.id)
        if len(found) == count:
            break
    return found


def test_with_trio(store: Store, session: Session) -> None:
    async def main() -> None:
        with store.watch() as watch:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(record_soon)
                assert await first_ones(watch, 2) == ["s:1", "s:2"]
            with trio.move_on_after(0.01) as scope:
                await first_ones(watch, 1)
            assert scope.cancelled_caught
            session.record("custom.after")  # nothing was lost by that
            assert await first_ones(watch, 1) == ["s:3"]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(close_soon, watch)
                assert await first_ones(watch, 1) == []

    async def record_soon() -> None:
        await trio.sleep(0.01)
        session.record("custom.x")
        await trio.sleep(0.01)
        session.record("custom.x")

    async def close_soon(watch: Watch[Event]) -> None:
        await trio.sleep(0.01)
        watch.close()

    trio.run(main)


def test_with_asyncio(store: Store, session: Session) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with store.watch(sessions=[session]) as watch:
            loop.call_later(0.01, session.record, "custom.x")
            loop.call_later(0.03, session.record, "custom.x")
            assert await first_ones(watch, 2) == ["s:1", "s:2"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(first_ones(watch, 1), 0.01)
            session.record("custom.after")
            assert await first_ones(watch, 1) == ["s:3"]
            loop.call_later(0.01, session.delete)
            assert await first_ones(watch, 2) == ["s:4"]

    asyncio.run(main())


def test_tasks_take_turns_while_there_is_always_something(store: Store, session: Session) -> None:
    for _ in range(600):
        session.record("custom.x")
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        other = asyncio.create_task(count_turns())
        with store.watch(start=0) as watch:
            assert len(await first_ones(watch, 601)) == 601
        other.cancel()

    asyncio.run(main())
    assert turns > 1


def test_what_is_left_out_keeps_nobody_waiting(store: Store, session: Session) -> None:
    with session.core.writing():
        for _ in range(10):
            session.core.append_all([("custom.x", {})] * 1000)
    wanted = f"s:{session.record('custom.y')}"
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        other = asyncio.create_task(count_turns())
        with store.watch("custom.y", start=0) as watch:
            assert await first_ones(watch, 1) == [wanted]
        other.cancel()

    asyncio.run(main())
    assert turns > 5
    with store.watch("custom.y", start=0) as watch:
        assert [event.id for event in watch.read(0)] == [wanted]  # what is there, however far it is


# What goes wrong


def lose_data(session: Session) -> None:
    """Record an event whose data lie in an object, and lose that."""
    session.record("custom.large", {"text": "x" * 100_000})
    oid = list(session.events())[-1].record.data_oid
    assert oid is not None
    for path in Path(session.store.core.layout.objects, oid[:2]).glob(f"{oid[2:]}*"):
        path.unlink()


def test_an_event_that_cannot_be_made_does_not_take_others_with_it(store: Store, session: Session) -> None:
    session.record("custom.x", {"text": "one"})
    lose_data(session)
    session.record("custom.x", {"text": "one"})
    told: list[str] = []
    with store.watch(start=0, text="one", on_error=lambda id, failure: told.append(f"{id}: {failure}")) as watch:
        assert take(watch, 2) == ["s:1", "s:3"]
    assert len(told) == 1 and told[0].startswith("s: the data of event s:2 are lost")
    with store.watch(start=0, text="one") as watch:
        assert take(watch, 1) == ["s:1"]
        with pytest.raises(LostData, match="s:2"):
            watch.read(0)
        assert take(watch, 1) == ["s:3"]


def test_a_session_that_is_put_on_a_shelf(store: Store, session: Session) -> None:
    """Its directory goes, so nobody tells: it is looked at."""
    session.complete()
    session.archive()
    with store.watch(sessions=[session]) as watch:
        assert watch.read(0) == [] and watch._look_at is None
        assert shelve(store.core)
        assert watch.read(0) == []
        deleting = soon(lambda: sessionfs.open(store.path, background_sync=False).sessions.delete("s"))
        assert take(watch, 1) == ["s:3"]
        assert watch.has_ended
        deleting.join()


def test_a_session_whose_new_directory_cannot_be_watched(
    store: Store, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.watch(sessions=["s"]) as watch:

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        place = session.core.log.path.rpartition("/")[0]
        shutil.copytree(place, tmp_path / "copy")
        monkeypatch.setattr("sessionfs.watch.inotify.Inotify.add", refuse)
        shutil.rmtree(place)
        os.rename(tmp_path / "copy", place)
        assert watch.read(0) == []
        recording = soon(lambda: sessionfs.open(store.path, background_sync=False).sessions["s"].record("custom.y"))
        assert take(watch, 1) == ["s:1"]
        recording.join()
        monkeypatch.undo()
        watch.read(0)
        assert watch._next_look(0.0) is None  # told again


def damage(session: Session) -> None:
    path = session.core.log.path
    content = Path(path).read_bytes().replace(b'"first"', b'"fisrt"')
    Path(path).write_bytes(content)


def test_a_damaged_log_is_told_after_what_is_good(store: Store, session: Session) -> None:
    for word in ("good", "first", "second"):
        session.record("custom.x", {"word": word})
    damage(session)
    with store.watch(start=0) as watch:
        assert take(watch, 2) == ["s:0", "s:1"]
        with pytest.raises(CorruptLog, match="record 2"):
            watch.read()
        store.sessions.create(id="other")  # and the others go on
        assert take(watch, 1) == ["other:0"]


def test_the_others_are_watched_further(store: Store, session: Session, poll: bool | None) -> None:
    session.record("custom.x", {"word": "first"})
    session.record("custom.x", {"word": "second"})
    damage(session)
    told: list[tuple[str, Error]] = []
    with store.watch(start=0, poll=poll, on_error=lambda id, failure: told.append((id, failure))) as watch:
        assert take(watch, 1) == ["s:0"]
        store.sessions.create(id="other")
        assert take(watch, 1) == ["other:0"]
        assert watch.read(0.1) == []
    assert [(id, type(failure)) for id, failure in told] == [("s", CorruptLog)]  # once, however often it is looked at


def test_a_log_that_was_cut_back(store: Store, session: Session) -> None:
    session.record("custom.x")
    with store.watch() as watch:
        session.record("custom.y")
        assert take(watch, 1) == ["s:2"]
        path = Path(session.core.log.path)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
        sessionfs.open(store.path).sessions["s"].record("custom.z")
        with pytest.raises(LogRewritten, match="cut back to before record 3"):
            watch.read(WAIT_SECONDS)


def test_a_log_that_was_replaced_by_a_copy(store: Store, session: Session, poll: bool | None, tmp_path: Path) -> None:
    with store.watch(sessions=["s"], poll=poll) as watch:
        session.record("custom.x")
        assert take(watch, 1) == ["s:1"]
        place = session.core.log.path.rpartition("/")[0]
        shutil.copytree(place, tmp_path / "copy")
        shutil.rmtree(place)
        os.rename(tmp_path / "copy", place)
        sessionfs.open(store.path).sessions["s"].record("custom.y")
        assert take(watch, 1) == ["s:2"]


def test_a_log_that_was_removed_by_hand(store: Store, session: Session, poll: bool | None) -> None:
    with store.watch(sessions=["s"], poll=poll) as watch:
        session.record("custom.x")
        assert take(watch, 1) == ["s:1"]
        shutil.rmtree(session.core.log.path.rpartition("/")[0])
        with pytest.raises(LostLog, match="first 2 records"):
            watch.read(WAIT_SECONDS)
        assert watch.has_ended


def test_a_store_that_has_gone(store: Store, session: Session) -> None:
    with store.watch(poll=True) as watch:
        os.rename(store.path, f"{store.path}-moved")
        with pytest.raises(Error):
            for _ in range(100):
                watch.read(0.1)


def test_marks_that_were_removed_are_made_again(store: Store, session: Session) -> None:
    with store.watch() as watch:
        shutil.rmtree(store.core.layout.changed)
        other = sessionfs.open(store.path)
        other.sessions["s"].record("custom.x")
        other.sessions["s"].record("custom.y")
        assert take(watch, 2) == ["s:1", "s:2"]


def test_a_record_that_nobody_tells_of(store: Store, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer was killed before it touched the mark."""
    monkeypatch.setattr(notices, "_SWEEP_SECONDS", 0.02)
    with store.watch() as watch:
        session.core.log._touch_mark = lambda: None  # type: ignore[method-assign]
        session.record("custom.x")
        assert take(watch, 1) == ["s:1"]


@pytest.mark.parametrize("failure", [OSError(24, "Too many open files"), ImportError("no inotify")])
def test_where_nobody_tells_logs_are_looked_at(
    store: Store, session: Session, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise failure

    monkeypatch.setattr(Marks, "__init__", refuse)
    monkeypatch.setattr(Directories, "__init__", refuse)
    for sessions in (None, [session]):
        with store.watch(sessions=sessions) as watch:
            assert isinstance(watch._notices, Looking)
            session.record("custom.x")
            assert len(take(watch, 1)) == 1


def test_a_filesystem_that_does_not_tell(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "has_notification", lambda path: False)
    with store.watch() as watch:
        assert isinstance(watch._notices, Looking)


def test_waiting_costs_nothing(store: Store, session: Session) -> None:
    """Following a session: no timer, and what others do does not wake it."""
    other = store.sessions.create(id="other")
    with store.watch(sessions=[session]) as watch:
        watch.read(0)
        assert watch._next_look(0.0) is None
        other.record("custom.x")
        assert watch._notices.read() == []
    with store.watch() as watch:
        before = time.process_time()
        watch.read(0.2)
        assert time.process_time() - before < 0.1


def test_errors_have_kinds() -> None:
    assert issubclass(LostLog, NotFound) and issubclass(LogRewritten, sessionfs.Conflict)
    assert issubclass(CorruptLog, Corrupt)
