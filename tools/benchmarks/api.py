"""The rows of DESIGN section 11: what the API costs, beside the same work by hand.

Each function sets up one side in an empty directory; its docstring says what one call is. What it costs to sync in
the background is left out, except in the row that says so.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from statistics import fmean
from typing import Any

import lz4.block
from blake3 import blake3

import sessionfs
from benchmarks import material
from benchmarks.measure import (
    MILLISECONDS,
    Make,
    Row,
    Side,
    Skipped,
    at_least_part,
    at_most,
    at_most_times,
    megabytes_per_second,
)
from benchmarks.program import console_script
from sessionfs.api import Artifact, Session, Store
from sessionfs.objects.frame import BLOCK_BYTES

RECORD = b"x" * 299 + b"\n"
"""What an event of ours is about as long as."""

EVENT = {"gen_ai.tool.name": "search", "arguments": {"query": "x" * 40}, "duration_ms": 12}
SMALL_BYTES = 1 << 10

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_THREADS = (4, 16)
_EACH = 8  # operations per thread and call

# Sessions


def create_session(place: str) -> Side:
    """Create a session in an open store."""
    store = open_store(place)
    return Side(lambda _: store.sessions.create(), close=lambda: let_go(store))


def raw_create_session(place: str) -> Side:
    """By hand: mkdir, create a file in it, write 300 bytes, close."""

    def create(number: int) -> None:
        os.mkdir(f"{place}/{number}")
        fd = os.open(f"{place}/{number}/log", _APPEND)
        os.write(fd, RECORD)
        os.close(fd)

    return Side(create)


def append_event(place: str, *, full: bool = False) -> Side:
    """Append an event of about 300 bytes to an open session."""
    store, session = open_session(place, full=full)
    return Side(lambda _: session.record("tool.invoked", EVENT), close=lambda: let_go(store))


def append_correlated_event(place: str) -> Side:
    """Append the same inside a block of work: with a correlation id, a cause and a traceparent."""
    store, session = open_session(place)
    inside = ExitStack()
    inside.enter_context(sessionfs.correlate(trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    inside.enter_context(session.agent("bench"))

    def close() -> None:
        inside.close()
        let_go(store)

    return Side(lambda _: session.record("tool.invoked", EVENT), close=close)


def record_block(place: str) -> Side:
    """Record a call of a tool by a block around it."""
    store, session = open_session(place)

    def call(_: int) -> None:
        with session.tool("search", {"query": "x" * 40}) as running:
            running.result = "y" * 40

    return Side(call, close=lambda: let_go(store))


def read_last_events(place: str) -> Side:
    """Read the last 10 of 10,000 events."""
    store, session = open_session(place)
    _write_ten_thousand(session)
    return Side(lambda _: list(session.events(reverse=True, limit=10)), close=lambda: let_go(store))


def raw_read_last_events(place: str) -> Side:
    """By hand: open the log, read its last 64 KiB, decode the last 10 lines, close."""
    store, session = open_session(place)
    _write_ten_thousand(session)

    def read(_: int) -> list[Any]:
        fd = os.open(session.core.log.path, os.O_RDONLY | os.O_CLOEXEC)
        lines = os.pread(fd, 64 << 10, os.lseek(fd, 0, os.SEEK_END) - (64 << 10)).splitlines()
        os.close(fd)
        return [json.loads(line) for line in lines[-10:]]

    return Side(read, close=lambda: let_go(store))


def _write_ten_thousand(session: Session) -> None:
    with session.core.writing():
        for _ in range(9_999):
            session.record("tool.invoked", EVENT)
    session.save()


def raw_append_event(place: str, *, full: bool = False) -> Side:
    """By hand: flock, write 300 bytes, unlock, on a descriptor that is kept; fdatasync in full mode."""
    fd = os.open(f"{place}/log", _APPEND)

    def append(_: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, RECORD)
        fcntl.flock(fd, fcntl.LOCK_UN)
        if full:
            os.fdatasync(fd)

    return Side(append, close=lambda: os.close(fd))


# Artifacts


def put_small(place: str, *, full: bool = False, background_sync: bool = False) -> Side:
    """Put new content of 1 KiB at a new path of an open session."""
    store, session = open_session(place, full=full, background_sync=background_sync)

    def put(argument: tuple[int, bytes]) -> Artifact:
        number, data = argument
        return session.artifacts.put(f"{number}.bin", data)

    return Side(put, arguments=_small_contents, close=lambda: let_go(store))


def raw_put_small(place: str, *, full: bool = False) -> Side:
    """By hand: hash, write a temporary file, rename it to its fan-out directory, append 300 bytes to a kept descriptor.

    In full mode with fsync of the file and its directory and fdatasync of the log, in DESIGN's order.
    """
    fd = os.open(f"{place}/log", _APPEND)
    make_fan_out(place)

    def put(argument: tuple[int, bytes]) -> None:
        number, data = argument
        oid = blake3(data).hexdigest()
        temporary = f"{place}/new-{number}"
        file = os.open(temporary, _NEW)
        os.write(file, data)
        if full:
            os.fsync(file)
        os.close(file)
        os.rename(temporary, f"{place}/{oid[:2]}/{oid[2:]}")
        if full:
            _sync_directory(f"{place}/{oid[:2]}")
        os.write(fd, RECORD)
        if full:
            os.fdatasync(fd)

    return Side(put, arguments=_small_contents, close=lambda: os.close(fd))


def put_large(place: str, *, content: Callable[[], bytes]) -> Side:
    """Put 100 MiB that are in memory."""
    store, session = open_session(place)

    def remove(artifact: Artifact) -> None:
        path = f"{store.path}/objects/{artifact.oid[:2]}/{artifact.oid[2:]}" if artifact.oid else ""
        os.unlink(path + (".lz4" if artifact.compression == "lz4" else ""))

    return Side(
        lambda data: session.artifacts.put("large.bin", data),
        arguments=_large_contents(content),
        after=remove,
        close=lambda: let_go(store),
    )


def raw_put_large(place: str, *, content: Callable[[], bytes]) -> Side:
    """By hand, in one pass and one thread: per 256 KiB hash, LZ4, write the smaller form; then rename."""

    def put(data: bytes) -> str:
        hasher = blake3()
        whole = memoryview(data)
        fd = os.open(f"{place}/temporary", _NEW)
        for start in range(0, len(whole), BLOCK_BYTES):
            block = whole[start : start + BLOCK_BYTES]
            hasher.update(block)
            packed = lz4.block.compress(block, store_size=False)
            smaller = packed if len(packed) < len(block) else block
            os.writev(fd, [len(smaller).to_bytes(4, "little"), smaller])
        os.close(fd)
        target = f"{place}/{hasher.hexdigest()}"
        os.rename(f"{place}/temporary", target)
        return target

    return Side(put, arguments=_large_contents(content), after=os.unlink)


# Opening


def open_log(place: str, *, write: Callable[[Session], object]) -> Side:
    """Open a session as a process does that has not seen it: nothing of it is cached but in the kernel."""
    store, session = open_session(place)
    write(session)

    def open_fresh(_: int) -> Any:
        opened = store.core.unread(session.id)
        opened.open()
        return opened

    return Side(open_fresh, after=lambda opened: opened.log.rest(), close=lambda: let_go(store))


def raw_read_log(place: str, *, write: Callable[[Session], object]) -> Side:
    """By hand: open the same log, read all of it, close."""
    store, session = open_session(place)
    write(session)
    path = store.core.layout.log(session.id)
    let_go(store)

    def read(_: int) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        data = os.pread(fd, os.lseek(fd, 0, os.SEEK_END), 0)
        os.close(fd)
        return data

    return Side(read)


def raw_read_snapshot(place: str, *, write: Callable[[Session], str]) -> Side:
    """By hand: open, read, close the end of the same log from where its snapshot stands, and the snapshot's object."""
    store, session = open_session(place)
    oid = write(session)
    base = session.core.log.newest_base()
    paths = ((store.core.layout.log(session.id), base), (f"{store.path}/objects/{oid[:2]}/{oid[2:]}.snapshot", 0))
    let_go(store)

    def read(_: int) -> None:
        for path, offset in paths:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.pread(fd, os.lseek(fd, 0, os.SEEK_END) - offset, offset)
            os.close(fd)

    return Side(read)


def _folded(write: Callable[[Session], object]) -> Callable[[Session], object]:
    """Return *write* without the snapshots that come by themselves: opening folds every record, at worst."""

    def write_folded(session: Session) -> None:
        session.core._next_snapshot_seq = sys.maxsize
        write(session)

    return write_folded


def _write_events(session: Session) -> None:
    for _ in range(999):  # the first is session.created
        session.record("tool.invoked", EVENT)


def _write_artifacts(session: Session) -> None:
    for number in range(999):
        session.artifacts.put(f"{number}.txt", b"the same content, so that writing them is quick")


def _write_snapshot_of_events(session: Session) -> str:
    for _ in range(999):
        session.record("tool.invoked", EVENT)
    oid = session.save()
    for _ in range(10):
        session.record("tool.invoked", EVENT)
    return oid


def _write_snapshot_of_artifacts(session: Session) -> str:
    _write_artifacts(session)
    oid = session.save()
    for number in range(10):
        session.artifacts.put(f"more-{number}.txt", b"the same content")
    return oid


# Whole processes


def hash_object(place: str) -> Side:
    """Run ``sessionfs hash-object FILE`` on 1 KiB."""
    path = f"{place}/file"
    with open(path, "wb") as file:
        file.write(os.urandom(SMALL_BYTES))
    return _process([console_script(), "hash-object", path])


def cat_file_size(place: str) -> Side:
    """Run ``sessionfs cat-file -s OID``."""
    store = open_store(place)
    oid = store.objects.put_bytes(os.urandom(SMALL_BYTES)).oid
    store.close()
    return _process([console_script(), "--store", store.path, "cat-file", "-s", oid])


def raw_python(place: str) -> Side:
    """Run ``python3 -c pass`` with the same interpreter."""
    return _process([sys.executable, "-c", "pass"])


def _process(command: list[str]) -> Side:
    # With bytecode, as a user has it: without, every import is compiled anew.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Skipped(f"{os.path.basename(command[0])} {' '.join(command[1:])} failed: {last}.")
    run = partial(subprocess.run, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, env=env)
    return Side(lambda _: run(command))


# Several threads


def threaded(make: Make, count: int) -> Make:
    """Return *make* with each call being eight operations in each of *count* threads, all on one session."""

    def make_threaded(place: str) -> Side:
        side = make(place)
        pool = ThreadPoolExecutor(count)
        turn = threading.Barrier(count)

        def work(arguments: list[Any]) -> None:
            turn.wait()  # so that each thread has one share, and all begin at once
            for argument in arguments:
                side.run(argument)

        def run(shares: list[list[Any]]) -> None:
            list(pool.map(work, shares))

        def arguments(calls: int) -> Iterator[list[list[Any]]]:
            for _ in range(calls):
                all_arguments = list(side.arguments(count * _EACH))
                yield [all_arguments[thread::count] for thread in range(count)]

        def close() -> None:
            pool.shutdown()
            if side.close is not None:
                side.close()

        return Side(run, arguments=arguments, close=close)

    return make_threaded


# Set-up


def open_store(place: str, *, full: bool = False, background_sync: bool = False) -> Store:
    """Make and open a store in *place*."""
    path = f"{place}/store"
    store = sessionfs.open(path, create=True, background_sync=background_sync)
    if not full:
        return store
    store.close()
    with open(store.core.layout.config, "w", encoding="utf-8") as file:
        file.write('[durability]\nmode = "full"\n')
    return sessionfs.open(path)


def open_session(place: str, *, full: bool = False, background_sync: bool = False) -> tuple[Store, Session]:
    """Make a store in *place* and a session in it."""
    store = open_store(place, full=full, background_sync=background_sync)
    return store, store.sessions.create(id="bench")


def let_go(store: Store) -> None:
    """Close a store of ours without syncing what is thrown away anyhow."""
    if store._sync_thread is not None:
        store.close()
    for session in store.core._open.values():
        session.log.rest()


def _small_contents(calls: int) -> list[tuple[int, bytes]]:
    return [(number, os.urandom(SMALL_BYTES)) for number in range(calls)]


def _large_contents(content: Callable[[], bytes]) -> Callable[[int], Iterator[bytes]]:
    return lambda calls: (material.unique(content()) for _ in range(calls))


def make_fan_out(place: str) -> None:
    for number in range(256):
        os.mkdir(f"{place}/{number:02x}")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fsync(fd)
    os.close(fd)


_LARGE = megabytes_per_second(material.LARGE_BYTES)
_append_full = partial(append_event, full=True)
_raw_append_full = partial(raw_append_event, full=True)
_put_full = partial(put_small, full=True)
_raw_put_full = partial(raw_put_small, full=True)

# fmt: off
ROWS = (
    Row("create a session", create_session, raw_create_session, at_most_times(2), calls=200),
    Row("append an event", append_event, raw_append_event, at_most_times(4), calls=2000),
    Row("append an event with correlation", append_correlated_event, raw_append_event, at_most_times(4), calls=2000),
    Row("record a block around a call", record_block, raw_append_event, calls=1000),
    Row("read the last 10 of 10,000 events", read_last_events, raw_read_last_events, calls=200),
    Row("append an event, mean: its share of snapshots too", append_event, raw_append_event, calls=2000,
        average=fmean),
    Row("put a 1 KiB artifact", put_small, raw_put_small, at_most_times(2), calls=500),
    Row("put a 1 KiB artifact, mean, synced in the background", partial(put_small, background_sync=True),
        raw_put_small, calls=500, average=fmean),
    Row("put 100 MiB of text", partial(put_large, content=material.text),
        partial(raw_put_large, content=material.text), at_least_part(0.7), _LARGE),
    Row("put 100 MiB of noise", partial(put_large, content=material.noise),
        partial(raw_put_large, content=material.noise), at_least_part(0.7), _LARGE),
    Row("open 1,000 events, all folded", partial(open_log, write=_folded(_write_events)),
        partial(raw_read_log, write=_folded(_write_events)), at_most(2000, "2 ms"), calls=20),
    Row("open 1,000 artifacts, all folded", partial(open_log, write=_folded(_write_artifacts)),
        partial(raw_read_log, write=_folded(_write_artifacts)), at_most(2000, "2 ms"), calls=20),
    Row("open 1,000 artifacts, with the snapshots that come by themselves", partial(open_log, write=_write_artifacts),
        partial(raw_read_log, write=_write_artifacts), at_most(2000, "2 ms"), calls=20),
    Row("open a snapshot and 10 events", partial(open_log, write=_write_snapshot_of_events),
        partial(raw_read_snapshot, write=_write_snapshot_of_events), at_most(50, "50 us"), calls=200),
    Row("open a snapshot of 1,000 artifacts and 10 more", partial(open_log, write=_write_snapshot_of_artifacts),
        partial(raw_read_snapshot, write=_write_snapshot_of_artifacts), calls=20),
    Row("process: hash-object FILE", hash_object, raw_python, at_most_times(4), MILLISECONDS, calls=10),
    Row("process: cat-file -s OID", cat_file_size, raw_python, at_most_times(4), MILLISECONDS, calls=10),
    Row("full: append, 1 thread", _append_full, _raw_append_full, calls=30),
    *(Row(f"full: append, {count} threads", threaded(_append_full, count), threaded(_raw_append_full, count),
          operations=count * _EACH) for count in _THREADS),
    Row("full: put 1 KiB, 1 thread", _put_full, _raw_put_full, calls=30),
    *(Row(f"full: put 1 KiB, {count} threads", threaded(_put_full, count), threaded(_raw_put_full, count),
          operations=count * _EACH) for count in _THREADS),
)
# fmt: on
