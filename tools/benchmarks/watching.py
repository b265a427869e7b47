"""What watching and collecting cost: how late a watcher in another process is, or a mount, and how fast a directory is
taken in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from blake3 import blake3

from benchmarks import material
from benchmarks.api import SMALL_BYTES, let_go, make_fan_out, open_session, raw_put_large
from benchmarks.measure import MILLISECONDS, Row, Side, Skipped, at_least_part, at_most, megabytes_per_second
from benchmarks.mount.filesystems import lacking_fuse, mounted_store
from sessionfs.collect import Collector

FILES_COUNT = 2_000
SESSIONS_COUNT = 1_000
EVENTS_PER_SECOND = 2_000
_EVENTS = 200
_PAUSE_SECONDS = 0.01  # so that each finds a watcher that waits
_LOOK_SECONDS = 0.0001

# Each writes a byte for each event that it was waiting for.
_WATCHER = """
import os, sys
import sessionfs

with sessionfs.open(sys.argv[1]).watch("custom.probe") as watch:
    os.write(1, b"!")
    for event in watch:
        os.write(1, b".")
"""

_RAW_WATCHER = """
import os, select, sys
from sessionfs.watch.inotify import Constants, Inotify

inotify = Inotify()
inotify.add(sys.argv[1], Constants.IN_MODIFY)
poller = select.poll()
poller.register(inotify.fd, select.POLLIN)
os.write(1, b"!")
while True:
    poller.poll()
    for told in inotify.read():
        os.write(1, b".")
"""

_WRITER = """
import sys, time
import sessionfs

store = sessionfs.open(sys.argv[1])
per_second = int(sys.argv[2])
sessions = [session for session in store.sessions.values() if session.id != "bench"]
begin = time.perf_counter()
number = 0
while True:
    sessions[number % len(sessions)].record("custom.other")
    number += 1
    time.sleep(max(0.0, begin + number / per_second - time.perf_counter()))
"""


# A watcher's delay


def watch_event(place: str, *, busy: bool = False) -> Side:
    """Append an event, until a watcher of the whole store, in another process, has told of it.

    With *busy*, a third process appends 2,000 events a second to 1,000 other sessions meanwhile.
    """
    store, session = open_session(place)
    if busy:
        for number in range(SESSIONS_COUNT):
            store.sessions.create(id=f"other-{number}")
    watcher = _start(_WATCHER, store.path)
    writer = _start(_WRITER, store.path, str(EVENTS_PER_SECOND), wait=False) if busy else None
    done = partial(_read_byte, watcher)

    def close() -> None:
        _end(watcher, writer)
        let_go(store)

    return Side(lambda _: done(session.record("custom.probe")), arguments=_with_pauses, close=close)


def raw_watch_event(place: str) -> Side:
    """By hand: write 300 bytes, until another process that waits for inotify says so."""
    path = f"{place}/log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    watcher = _start(_RAW_WATCHER, path)

    def close() -> None:
        _end(watcher, None)
        os.close(fd)

    done = partial(_read_byte, watcher)
    return Side(lambda _: done(os.write(fd, b"x" * 300)), arguments=_with_pauses, close=close)


# A mount's delay


def see_in_mount(place: str) -> Side:
    """Store a version in this process, until the mount, which has been asked for its size before, shows the new one."""
    if (why := lacking_fuse()) is not None:
        raise Skipped(why)
    store, session = open_session(place)
    point = f"{place}/mnt"
    os.mkdir(point)
    stack = ExitStack()
    root = stack.enter_context(mounted_store(store.path, point, session.id)).root
    path = f"{root}/f"

    def see(number: int) -> None:
        session.artifacts.put("f", b"x" * number)
        while not os.path.exists(path) or os.stat(path).st_size != number:
            time.sleep(_LOOK_SECONDS)

    def close() -> None:
        stack.close()
        let_go(store)

    return Side(see, arguments=_with_pauses, close=close)


def raw_see(place: str) -> Side:
    """By hand: write a file, until it has its new size."""
    path = f"{place}/f"

    def see(number: int) -> None:
        with open(path, "wb") as file:
            file.write(b"x" * number)
        while os.stat(path).st_size != number:
            time.sleep(_LOOK_SECONDS)

    return Side(see, arguments=_with_pauses)


def percentile(percent: int) -> Callable[[Iterable[float]], float]:
    """Return what gives the value below which *percent* of some lie."""

    def value(values: Iterable[float]) -> float:
        in_order = sorted(values)
        return in_order[len(in_order) * percent // 100]

    return value


def _with_pauses(calls: int) -> Iterator[int]:
    for number in range(calls):
        time.sleep(_PAUSE_SECONDS)
        yield number


def _start(script: str, *arguments: str, wait: bool = True) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE)
    if wait:
        _read_byte(process)
    return process


def _read_byte(process: subprocess.Popen[bytes], _: Any = None) -> None:
    assert process.stdout is not None
    if not os.read(process.stdout.fileno(), 1):
        raise RuntimeError("the process has ended")


def _end(*processes: subprocess.Popen[bytes] | None) -> None:
    for process in processes:
        if process is not None:
            process.kill()
            process.communicate()


# Taking a directory in


def collect_files(place: str, *, make: Callable[[Path], None]) -> Side:
    """Take a directory into an empty session."""
    store, session = open_session(place)
    work = Path(place, "work")
    work.mkdir()
    make(work)

    def collect(_: int) -> None:
        with Collector(session, str(work)):
            pass

    return Side(collect, close=lambda: let_go(store))


def raw_collect_files(place: str) -> Side:
    """By hand, for each file: open, read, hash, write a temporary file, rename it, append 300 bytes."""
    work = Path(place, "work")
    work.mkdir()
    make_small_files(work)
    make_fan_out(place)
    log = os.open(f"{place}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def collect(_: int) -> None:
        for entry in os.scandir(work):
            with open(entry.path, "rb", buffering=0) as file:
                data = file.readall()
            oid = blake3(data).hexdigest()
            temporary = f"{place}/temporary"
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
            os.write(fd, data)
            os.close(fd)
            os.rename(temporary, f"{place}/{oid[:2]}/{oid[2:]}")
            os.write(log, b"x" * 300)

    return Side(collect, close=lambda: os.close(log))


def make_small_files(work: Path) -> None:
    """Make 2,000 files of 1 KiB, each different."""
    for number in range(FILES_COUNT):
        (work / f"file-{number}").write_bytes(os.urandom(SMALL_BYTES))


def make_large_file(work: Path) -> None:
    """Make one file of 100 MiB of text."""
    (work / "large").write_bytes(material.unique(material.text()))


_LATE = at_most(100, "100 ms")
_LARGE = megabytes_per_second(material.LARGE_BYTES)

# fmt: off
ROWS = (
    Row("watch: an event told in another process", watch_event, raw_watch_event, _LATE, MILLISECONDS, calls=_EVENTS),
    Row("watch: the same, 99 of 100", watch_event, raw_watch_event, _LATE, MILLISECONDS, calls=_EVENTS,
        average=percentile(99)),
    Row("watch: among 2,000 events a second in 1,000 sessions", partial(watch_event, busy=True), raw_watch_event,
        _LATE, MILLISECONDS, calls=_EVENTS),
    Row("watch: the same, 99 of 100, among 2,000 a second", partial(watch_event, busy=True), raw_watch_event,
        _LATE, MILLISECONDS, calls=_EVENTS, average=percentile(99)),
    Row("mount: a version of another process seen", see_in_mount, raw_see, _LATE, MILLISECONDS, calls=_EVENTS),
    Row("mount: the same, 99 of 100", see_in_mount, raw_see, _LATE, MILLISECONDS, calls=_EVENTS,
        average=percentile(99)),
    Row("collect 2,000 files of 1 KiB", partial(collect_files, make=make_small_files), raw_collect_files,
        operations=FILES_COUNT),
    Row("collect a file of 100 MiB of text", partial(collect_files, make=make_large_file),
        partial(raw_put_large, content=material.text), at_least_part(0.5), _LARGE),
)
# fmt: on
