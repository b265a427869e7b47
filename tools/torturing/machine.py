"""The run: operations in batches through both workers, compared one by one; snapshots of both trees; remounts.

ext4 answers first and decides what comes next; the mount is a few batches behind, so that both sides work at once.
"""

from __future__ import annotations

import contextlib
import errno
import marshal
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, NamedTuple

from torturing.accepted import PROBES, REFUSALS, Difference, asks_for
from torturing.choose import Chooser
from torturing.compare import Comparer, same_after_remount
from torturing.sequence import short
from torturing.sides import Ext4Failed, SideFailed, Sides
from torturing.worker import ROOT, Hung, Operation, Outcome, Worker, WorkerDied

SNAPSHOT: Operation = ("snapshot", ROOT, (), ())
CLOSE: Operation = ("close all", ROOT, (), ())
REMOUNT: Operation = ("remount", ROOT, (), ())
_CONTROL = frozenset({"snapshot", "close all", "remount"})
_NOTHING: Operation = ("nothing", ROOT, (), ())

BATCH_COUNT = 16
SNAPSHOT_EVERY = 500
_MOST_WAITING = 4
_PATIENCE_SECONDS = 60.0

# What makes a record, or leads to one at a close: the log may not have more records than these that succeeded.
_CHANGING = frozenset(
    {"open", "write", "pwrite", "writev", "ftruncate", "truncate", "fallocate", "copy_file_range", "mmap_write",
     "mkdir", "rmdir", "unlink", "link", "symlink", "mknod", "rename", "chmod", "fchmod", "chown", "fchown", "utimens",
     "futimens", "setxattr", "fsetxattr", "removexattr"}
)  # fmt: skip
_SCAN_RECORDS_PER_ENTRY = 4


class Failure(NamedTuple):
    """Where the sides differ: the operation, and in what."""

    operation: Operation
    ext4: Any
    mount: Any
    differences: list[Difference]

    @property
    def signature(self) -> tuple[str, tuple[str, ...]]:
        """What is the same for two failures that have probably one cause."""
        return self.operation[0], tuple(sorted({one.aspect for one in self.differences}))

    def __str__(self) -> str:
        lines = [f"operation  {short(self.operation)}"]
        if self.operation[0] not in _CONTROL:
            lines += [f"ext4       {short(self.ext4)}", f"mount      {short(self.mount)}"]
        return "\n".join([*lines, *(f"differs    {difference}" for difference in self.differences[:12])])


class _Text(str):
    """Shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Found(Exception):
    """The sides differ."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Machine:
    """Both sides with their workers, beginning with two empty trees."""

    def __init__(
        self,
        sides: Sides,
        refused: frozenset[str],
        record: IO[bytes] | None = None,
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self._sides = sides
        self._refused = refused
        self._record = record
        sides.ensure_mounted()
        sides.ensure_ext4()
        sides.new_trees()
        self._ext4, self._mount = Worker(sides.ext4_root), Worker(sides.mount_root)
        self._comparer = Comparer(ignored)
        self._waiting: deque[tuple[list[Operation], list[bool], list[Outcome]]] = deque()
        self.tree: dict[bytes, int] = {}
        """What existed at the last snapshot, and of which mode."""
        self.outcomes: Counter[tuple[str, int]] = Counter()
        """How often each verb ended with each errno on ext4; 0 is success."""
        self.changes_count = 0
        self.remounts_count = 0

    def end(self) -> None:
        """Let the workers end."""
        for worker in (self._ext4, self._mount):
            worker.end()

    # Operations

    def run(self, operations: Iterable[Operation], told: Callable[[list[Outcome]], None] | None = None) -> None:
        """Do operations; *told* gets ext4's outcomes of each batch before the next is drawn.

        Raises:
            Found: The sides differ.
            Ext4Failed: ext4 has failed by itself.
        """
        for batch in _batches(operations):
            self.run_batch(batch, told)
        self.settle()

    def run_batch(self, batch: list[Operation], told: Callable[[list[Outcome]], None] | None = None) -> None:
        """Do one batch, or one snapshot or remount; what the mount says may be compared later."""
        if self._record is not None:
            self._record.write(marshal.dumps(batch))
        if batch[0] == SNAPSHOT:
            self.snapshot()
        elif batch[0] == CLOSE:
            self.close()
        elif batch[0] == REMOUNT:
            self.remount()
        else:
            outcomes = self._do(batch)
            if told is not None:
                told(outcomes)

    def _do(self, batch: list[Operation]) -> list[Outcome]:
        refused = [asks_for(operation) in self._refused for operation in batch]
        asked = [
            (*_NOTHING[:3], operation[3]) if no else operation for operation, no in zip(batch, refused, strict=True)
        ]
        self._mount.send("operations", batch)
        outcomes: list[Outcome] = self._ext4.ask("operations", asked, patience_seconds=_PATIENCE_SECONDS)
        if any(not outcome[0] and outcome[1] == errno.EROFS for outcome in outcomes):
            raise Ext4Failed
        self._waiting.append((batch, refused, outcomes))
        while len(self._waiting) > _MOST_WAITING:
            self._compare_oldest()
        for operation, outcome in zip(asked, outcomes, strict=True):
            self._count(operation, outcome)
        return outcomes

    def _count(self, operation: Operation, outcome: Outcome) -> None:
        verb = operation[0]
        self.outcomes[verb, 0 if outcome[0] else outcome[1]] += 1
        if outcome[0] and verb in _CHANGING:
            self.changes_count += 1
        elif verb == "scan":
            self.changes_count += _SCAN_RECORDS_PER_ENTRY * operation[2][3] + 2

    def settle(self) -> None:
        """Compare what is under way."""
        while self._waiting:
            self._compare_oldest()

    def _compare_oldest(self) -> None:
        batch, refused, ext4 = self._waiting.popleft()
        mount: list[Outcome] = self._ask_mount()
        for operation, no, left, right in zip(batch, refused, ext4, mount, strict=True):
            differences = self._comparer.operation(operation, left, right, refused=no)
            if differences:
                raise Found(Failure(operation, left, right, differences))

    def _ask_mount(self) -> Any:
        try:
            return self._mount.receive(_PATIENCE_SECONDS)
        except (Hung, WorkerDied) as failure:
            self._sides.kill()
            waiting = [operation for batch, _, _ in self._waiting for operation in batch]
            about = waiting[0] if waiting else SNAPSHOT
            raise Found(Failure(about, None, None, [Difference("answer", "", str(failure))])) from failure

    def abandon(self) -> None:
        """After a difference: let go of what is under way, and close everything."""
        if self._mount.ended:
            return
        while self._waiting:
            self._waiting.popleft()
            self._ask_mount()
        self.close()

    # Whole trees

    def snapshot(self) -> None:
        """Compare both trees."""
        self.settle()
        self._mount.send("snapshot")
        ext4 = self._ext4.ask("snapshot", patience_seconds=_PATIENCE_SECONDS)
        mount = self._ask_mount()
        self._check(SNAPSHOT, self._comparer.trees(ext4[0], mount[0], (ext4[1], mount[1])))
        self.tree = {path: one[0][0] for path, one in ext4[0].items()}

    def close(self) -> None:
        """Close everything; no close fails, and the mount has logged nothing."""
        self.settle()
        closed = [worker.ask("close", patience_seconds=_PATIENCE_SECONDS) for worker in (self._ext4, self._mount)]
        differences = [] if closed[0] == closed[1] else [Difference("closing everything", *closed)]
        log = self._sides.take_server_log()
        if log:
            differences.append(Difference("log", "", _Text(log)))
        self._check(CLOSE, [one for one in differences if not self._comparer.is_ignored(one)])

    def remount(self) -> None:
        """Close everything, compare, mount again; nothing that either side shows is another then."""
        self.close()
        self.snapshot()
        paths = sorted(self.tree)
        before = self._stats(paths)
        mask = self._mount.ask("umask", patience_seconds=_PATIENCE_SECONDS)
        self._mount.end()
        try:
            self._sides.unmount()
            self._sides.mount()
        except SideFailed as failure:
            self._check(REMOUNT, [Difference("remount", "", _Text(str(failure)))])
        self._mount = Worker(self._sides.mount_root)
        self._mount.ask("umask", mask, patience_seconds=_PATIENCE_SECONDS)
        after = self._stats(paths)
        differences = same_after_remount(before, after)
        self._check(REMOUNT, [one for one in differences if not self._comparer.is_ignored(one)])
        self._comparer.remounted(after.values())
        self.snapshot()
        self.remounts_count += 1

    def _stats(self, paths: list[bytes]) -> dict[bytes, Any]:
        shown = self._mount.ask("stats", paths, patience_seconds=_PATIENCE_SECONDS)
        return {path: _without_directory_size(seen) for path, seen in zip(paths, shown, strict=True)}

    def _check(self, operation: Operation, differences: list[Difference]) -> None:
        if differences:
            raise Found(Failure(operation, None, None, differences))


def _without_directory_size(seen: Any) -> Any:
    if isinstance(seen, int) or not stat.S_ISDIR(seen[0]):
        return seen
    return (*seen[:5], 0, *seen[6:])


def _batches(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    batch: list[Operation] = []
    for operation in operations:
        if operation[0] in _CONTROL:
            if batch:
                yield batch
            yield [operation]
            batch = []
        else:
            batch.append(operation)
            if len(batch) == BATCH_COUNT:
                yield batch
                batch = []
    if batch:
        yield batch


def run_chosen(
    machine: Machine, chooser: Chooser, operations_count: int, remount_every: int, progress: Callable[[int], None]
) -> None:
    """Let *chooser* choose so many operations, with snapshots and remounts in between.

    Raises:
        Found: The sides differ.
        Ext4Failed: ext4 has failed by itself.
    """
    done = 0
    while done < operations_count:
        count = min(SNAPSHOT_EVERY, operations_count - done, remount_every - done % remount_every)
        for _ in range(0, count, BATCH_COUNT):
            machine.run_batch([chooser.next() for _ in range(BATCH_COUNT)], chooser.learn)
        done += count
        if done % remount_every == 0 or done == operations_count:
            chooser.all_closed()
            machine.run_batch([REMOUNT])
        else:
            machine.run_batch([SNAPSHOT])
        chooser.exists(machine.tree)
        progress(done)


def find_refused(sides: Sides) -> frozenset[str]:
    """Ask the mount once for everything that it may refuse; returns the names of the probes that it does."""
    sides.new_trees()
    worker = Worker(sides.mount_root)
    try:
        return frozenset(worker.ask("probe", list(PROBES.items()), patience_seconds=_PATIENCE_SECONDS))
    finally:
        worker.end()


def unaccepted(refused: frozenset[str]) -> list[str]:
    """Return which refusals nobody has accepted."""
    return sorted(refused - REFUSALS.keys())


def read_record(path: str) -> list[Operation]:
    """Return the operations that a machine has recorded."""
    operations: list[Operation] = []
    with open(path, "rb") as file, contextlib.suppress(EOFError):
        while True:
            operations += marshal.load(file)
    return operations


def errno_name(number: int) -> str:
    """Return how an errno is called; "done" for success."""
    return errno.errorcode.get(number, str(number)) if number else "done"
