"""``tools/bench upkeep``: fsck beside b3sum, gc and repack, and copying a store of many small artifacts.

All of it is measured on one store of N artifacts of 1 to 4 KiB (Python source, which can be compressed; with
``--noise`` what cannot), once: a round would take minutes. What is beside it does the same work on the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import sessionfs
from benchmarks import material, output
from benchmarks.commandline import NothingMatches, matcher, new_parser, positive, progress_line, run_in_scratch
from benchmarks.measure import Bar, Progress, Result, at_least_part
from benchmarks.scratch import Scratch
from sessionfs.fsck import check
from sessionfs.fsck.parallel import usable_processors
from sessionfs.retention.gc import collect
from sessionfs.retention.repack import repack

_ARTIFACTS_COUNT = 100_000
_FORGOTTEN_SHARE = 4  # one of so many objects is needed by nobody
_LARGE_BYTES = 64 << 20
_FIVE_TIMES = Bar("<= 1/5", 0.2)
_DISK = Bar("<= 60%", 0.6)


class _Places(NamedTuple):
    """What is measured on."""

    store: str
    plain: str  # the same files, in directories
    scratch: Scratch


def main(argv: Sequence[str], root: str) -> int:
    """Measure and print; the exit code is 0 whatever the numbers are.

    Args:
        root: The repository.
    """
    parser = new_parser("tools/bench upkeep", "Measure fsck, gc, repack, and copying a store.", 1)
    parser.add_argument(
        "--artifacts", type=positive, default=_ARTIFACTS_COUNT, metavar="N", help=f"default {_ARTIFACTS_COUNT}"
    )
    parser.add_argument("--noise", action="store_true", help="artifacts that nothing compresses")
    options = parser.parse_args(argv)
    return run_in_scratch(options.dir, root, lambda scratch: _measure(options, scratch))


def _measure(options: argparse.Namespace, scratch: Scratch) -> None:
    machine = output.describe_machine(scratch.directory)
    if not options.json:
        output.print_machine(machine, 1)
    progress, matches = progress_line(), matcher(options.rows)
    progress("filling")
    places = _fill(scratch, options.artifacts, options.noise)
    results = [result for result in _results(places, options.artifacts, progress) if matches(result.name)]
    progress("")
    if not results:
        raise NothingMatches
    if options.json:
        rows = [result.to_dict() for result in results]
        print(json.dumps({"machine": machine, "rounds": 1, "rows": rows}, indent=2))
    else:
        output.print_results("Upkeep", ("ours", "beside"), results)


def _fill(scratch: Scratch, count: int, is_noise: bool) -> _Places:
    places = _Places(f"{scratch.new()}/store", scratch.new(), scratch)
    chosen = random.Random(1)
    with sessionfs.open(places.store, create=True, background_sync=False) as store:
        session = store.sessions.create(id="many")
        for number in range(count):
            size = chosen.randint(1 << 10, 4 << 10)
            content = os.urandom(size) if is_noise else material.new_text(size)
            directory = f"{number // 1000:03}"
            os.makedirs(f"{places.plain}/{directory}", exist_ok=True)
            with open(f"{places.plain}/{directory}/{number:06}", "wb") as file:
                file.write(content)
            session.artifacts.put(f"{directory}/{number:06}", content)
    _sync(places.store)
    return places


def _results(places: _Places, count: int, progress: Progress) -> Iterator[Result]:
    """Yield the rows in the order in which they have to be measured: each leaves the store as the next one needs it."""
    progress("fsck")
    yield _fsck(f"fsck of {count:,} small objects", places.store)
    large = f"{places.scratch.new()}/store"
    with sessionfs.open(large, create=True, background_sync=False) as store:
        session = store.sessions.create(id="large")
        for number in range(4):
            session.artifacts.put(f"{number}", os.urandom(_LARGE_BYTES))
    yield _fsck(f"fsck of 4 objects of {_LARGE_BYTES >> 20} MiB", large)
    progress("copying, loose")
    loose_disk, loose_seconds, loose_again = _disk_bytes(places.store), *_rsync(places, places.store)
    progress("gc")
    yield from _gc(places, count)
    progress("repack")
    yield _repack(places, count)
    progress("copying, packed")
    packed_disk, packed_seconds, packed_again = _disk_bytes(places.store), *_rsync(places, places.store)
    yield Result("rsync to nothing: packed / loose", packed_seconds, loose_seconds, "s", _FIVE_TIMES)
    yield Result("rsync of no change: packed / loose", packed_again, loose_again, "s")
    yield Result("disk: packed / loose", packed_disk / 1e6, loose_disk / 1e6, "MB", _DISK)
    yield _fsck("fsck, packed, beside b3sum of the plain files", places.store, beside=places.plain)
    progress("git")
    git_disk, git_seconds = _git(places)
    yield Result("rsync to nothing: packed / git's packs", packed_seconds, git_seconds, "s")
    yield Result("disk: packed / git's packs", packed_disk / 1e6, git_disk / 1e6, "MB")
    yield from _restic(places, packed_seconds, packed_disk)


def _fsck(name: str, path: str, *, beside: str | None = None) -> Result:
    """Return MB/s of stored content, both with everything in the page cache."""
    of = beside or f"{path}/objects"
    if shutil.which("b3sum") is None:
        return Result(name, None, None, "MB/s", note="there is no b3sum here (apt-get install b3sum)")
    size = _content_bytes(of)
    listed = "".join(f"{file}\n" for file in _files(of))
    hashing = _timed(lambda: _run(["xargs", "-d", "\n", "b3sum", "--no-names"], input=listed))
    checking = _timed(lambda: _expect_whole(path))
    return Result(name, size / 1e6 / checking, size / 1e6 / hashing, "MB/s", at_least_part(0.6))


def _expect_whole(path: str) -> None:
    with sessionfs.open(path, background_sync=False) as store:
        faults = list(check(store.core, jobs=usable_processors()))
    if faults:
        raise RuntimeError(f"the store is not whole: {faults[0]}")


def _gc(places: _Places, count: int) -> Iterator[Result]:
    with sessionfs.open(places.store, background_sync=False) as store:
        forgotten = [store.objects.put_bytes(os.urandom(2000)).oid for _ in range(count // _FORGOTTEN_SHARE)]
        moved = places.scratch.new()
        by_hand = [f"{places.plain}/{number // 1000:03}/{number:06}" for number in range(len(forgotten))]
        seconds = _timed(lambda: collect(store.core, grace_ns=0))
        hand = _timed(lambda: [os.rename(path, f"{moved}/{os.path.basename(path)}") for path in by_hand])
        for path in by_hand:
            os.rename(f"{moved}/{os.path.basename(path)}", path)
        name = f"gc: {count:,} objects, {len(forgotten):,} of them to the trash / as many renames"
        yield Result(name, seconds, hand, "s")
        seconds = _timed(lambda: collect(store.core, grace_ns=0))
        yield Result(f"gc of {count:,} objects with nothing to do", seconds, None, "s")
        collect(store.core, grace_ns=0, trash_grace_ns=0)


def _repack(places: _Places, count: int) -> Result:
    """Repack, beside putting the same files into one, syncing that, and removing them."""
    copy = places.scratch.new()
    shutil.copytree(places.plain, copy, dirs_exist_ok=True)
    _sync(copy)

    def by_hand() -> None:
        with open(f"{copy}/all", "wb") as target:
            for path in list(_files(copy)):
                if not path.endswith("/all"):
                    with open(path, "rb") as file:
                        target.write(file.read())
                    os.unlink(path)
            target.flush()
            os.fsync(target.fileno())

    hand = _timed(by_hand)
    with sessionfs.open(places.store, background_sync=False) as store:
        seconds = _timed(lambda: repack(store.core))
    return Result(f"repack of {count:,} objects / cat and unlink", seconds, hand, "s")


def _rsync(places: _Places, source: str) -> tuple[float, float]:
    """Return the seconds that a first copy takes, and one of no change."""
    target = f"{places.scratch.new()}/copy"
    _sync(source)

    def copy() -> None:
        _run(["rsync", "-a", f"{source}/", f"{target}/"])

    return _timed(copy), _timed(copy)


def _git(places: _Places) -> tuple[int, float]:
    """Return the bytes and the seconds of a git repository with the same files, packed."""
    directory = places.scratch.new()
    git = ["git", "-C", directory, "-c", "gc.auto=0", "-c", "user.name=bench", "-c", "user.email=bench"]
    _run(["git", "init", "--quiet", directory])
    worktree = f"--work-tree={places.plain}"
    _run([*git, worktree, "add", "."])
    _run([*git, worktree, "commit", "--quiet", "-m", "all"])
    _run([*git, "repack", "-a", "-d", "--quiet"])
    return _disk_bytes(directory), _rsync(places, directory)[0]


def _restic(places: _Places, packed_seconds: float, packed_disk: int) -> Iterator[Result]:
    name = "rsync to nothing: packed / a restic repository of the same files"
    if shutil.which("restic") is None:
        yield Result(name, None, None, "s", note="there is no restic here (apt-get install restic)")
        return
    directory = places.scratch.new()
    environment = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": directory}
    _run(["restic", "init", "--quiet"], env=environment)
    _run(["restic", "backup", "--quiet", "--no-scan", places.plain], env=environment)
    yield Result(name, packed_seconds, _rsync(places, directory)[0], "s")
    yield Result("disk: packed / restic", packed_disk / 1e6, _disk_bytes(directory) / 1e6, "MB")


# Looking


def _timed(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def _run(command: list[str], *, input: str | None = None, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, input=input, env=env, text=True, stdout=subprocess.DEVNULL, check=True)


def _sync(path: str) -> None:
    """Write everything out first, so that nobody pays for what another has made."""
    _run(["sync", "-f", path])


def _files(directory: str) -> Iterator[str]:
    for above, _, names in os.walk(directory):
        yield from (os.path.join(above, name) for name in names)


def _content_bytes(directory: str) -> int:
    return sum(os.stat(path).st_size for path in _files(directory))


def _disk_bytes(directory: str) -> int:
    """Return what ``du`` says: blocks, directories included."""
    blocks = sum(os.lstat(path).st_blocks for path in _files(directory))
    return 512 * (blocks + sum(os.lstat(above).st_blocks for above, _, _ in os.walk(directory)))
