"""The command line of tools/torture."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NoReturn

from torturing import sequence
from torturing.accepted import REFUSALS
from torturing.choose import Chooser
from torturing.machine import (
    Failure,
    Found,
    Machine,
    errno_name,
    find_refused,
    read_record,
    run_chosen,
    unaccepted,
)
from torturing.shrink import reproduce, shrink
from torturing.sides import Ext4Failed, SideFailed, Sides

_PROGRESS_SECONDS = 10.0
_FEWEST_CHANGES_PER_RECORD = 1.0

Say = Callable[[str], None]


def main(argv: Sequence[str]) -> int:
    """Torture; returns 0 when nothing differs, 1 when something does, 2 when it cannot be done."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _stop)
    if os.geteuid() != 0:
        print("tools/torture: it mounts an image and acts as other users, so it must be root", file=sys.stderr)
        return 2
    try:
        return _jobs(options) if options.jobs > 1 and not options.replay else _job(options, options.seed, "")
    except SideFailed as failure:
        print(f"tools/torture: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/torture", description="Random operations on a mount and on ext4 in step, compared one by one."
    )
    parser.add_argument("--operations", type=_positive, default=1_000_000, metavar="N", help="default 1,000,000")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed chooses the same operations")
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="so many at once, with seeds of their own"
    )
    parser.add_argument(
        "--remount-every", type=_positive, default=20_000, metavar="N", help="operations; default 20,000"
    )
    parser.add_argument("--replay", metavar="FILE", help="do the operations in FILE instead")
    parser.add_argument(
        "--shrink", action="store_true", help="after a difference, look for fewer operations that show it"
    )
    parser.add_argument(
        "--go-on", action="store_true", help="after a difference, go on with empty trees; name each once"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="ASPECT",
        help="do not compare this ('nlink', 'ctime moved'), or of one kind ('directory nlink'); once for each",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="keep the store and the ext4 image")
    parser.add_argument("--coverage", action="store_true", help="print how often each operation ended how on ext4")
    parser.add_argument("--output", metavar="DIR", default=".", help="where sequences that show differences go")
    parser.add_argument("--dir", metavar="DIR", help="where the store and the image go; removed afterwards")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _jobs(options: argparse.Namespace) -> int:
    options.operations = -(-options.operations // options.jobs)
    children = [_fork(options, options.seed + number) for number in range(options.jobs)]
    try:
        return _wait(children)
    except KeyboardInterrupt:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        _wait(children)
        raise


def _fork(options: argparse.Namespace, seed: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 2
    try:
        code = _job(options, seed, f"[{seed}] ")
    except KeyboardInterrupt:
        code = 130
    except SideFailed as failure:
        print(f"tools/torture: {failure}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(children: list[int]) -> int:
    """Return the worst exit code, when all have ended; *children* are those that have not."""
    worst = 0
    while children:
        code = os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])
        worst = max(worst, code if code >= 0 else 2)
        children.pop(0)
    return worst


def _job(options: argparse.Namespace, seed: int, prefix: str) -> int:
    def say(text: str) -> None:
        for line in text.splitlines():
            print(prefix + line, flush=True)

    sides = Sides(options.dir, keep=options.keep)
    try:
        return Job(options, seed, sides, say).run()
    finally:
        sides.remove()
        if options.keep:
            say(f"kept: {sides.directory}; unmount its ext4 when you are done")


class Job:
    """One run from one seed."""

    def __init__(self, options: argparse.Namespace, seed: int, sides: Sides, say: Say) -> None:
        self._options, self._seed, self._sides, self._say = options, seed, sides, say
        self._refused = find_refused(sides)
        self._ignored = frozenset(options.ignore)
        self._found: Counter[object] = Counter()
        self._outcomes: Counter[tuple[str, int]] = Counter()
        self._began = time.monotonic()
        self._told = self._began
        self._done = 0

    def run(self) -> int:
        """Return the exit code."""
        self._say(f"seed {self._seed}, in {self._sides.directory}")
        self._say_refused()
        if self._options.replay:
            return self._replay()
        while self._done < self._options.operations and (not self._found or self._options.go_on):
            self._chapter()
        self._finish()
        return 1 if self._found else 0

    def _say_refused(self) -> None:
        for name in sorted(self._refused & REFUSALS.keys()):
            self._say(f"accepted: the mount refuses {name}: {REFUSALS[name]}")
        for name in unaccepted(self._refused):
            self._say(f"DIFFERENCE: the mount refuses {name}")
            self._found[name] += 1
        if unaccepted(self._refused):
            self._options.go_on = True

    def _chapter(self) -> None:
        """Go on until a difference is found, or to the end."""
        record_path = self._sides.directory / "operations"
        start = self._done
        with record_path.open("wb") as record:
            machine = Machine(self._sides, self._refused, record, self._ignored)
            try:
                chooser = Chooser(self._seed * 1_000_003 + start)
                rest = self._options.operations - start
                run_chosen(
                    machine, chooser, rest, self._options.remount_every, lambda done: self._progress(start + done)
                )
                self._check_log(machine)
                found = []
            except Found as failure:
                found = [failure.failure, *self._close(machine)]
            except Ext4Failed:
                self._say("ext4 has aborted its journal (see dmesg); going on with another one")
                found = []
            finally:
                self._outcomes += machine.outcomes
                machine.end()
        self._done = max(self._done, start + sum(machine.outcomes.values()))
        for one in found:
            self._report(one, str(record_path))

    def _close(self, machine: Machine) -> list[Failure]:
        """After a difference: see whether everything can at least be closed."""
        try:
            machine.abandon()
        except Found as found:
            return [found.failure]
        return []

    def _progress(self, done: int) -> None:
        self._done = done
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            self._say(
                f"{done:,} operations, {done / (now - self._began):,.0f} a second, {len(self._found)} differences"
            )

    def _report(self, failure: Failure, record_path: str) -> None:
        self._found[failure.signature] += 1
        if self._found[failure.signature] > 1:
            return
        operations = read_record(record_path)
        if failure.operation in operations:
            operations = operations[: len(operations) - operations[::-1].index(failure.operation)]
        os.makedirs(self._options.output, exist_ok=True)
        path = os.path.join(self._options.output, f"torture-{self._seed}-{len(self._found)}.ops")
        self._say(f"\nDIFFERENCE after {len(operations):,} operations\n{failure}")
        sequence.write(path, operations, str(failure).splitlines())
        self._say(f"the operations are in {path}; tools/torture --replay {path}")
        if self._options.shrink:
            self._shrink(operations, failure, path)

    def _shrink(self, operations: list[sequence.Operation], failure: Failure, path: str) -> None:
        shrunk = shrink(self._sides, self._refused, operations, failure, self._say, self._ignored)
        if shrunk is None:
            self._say("it did not happen again")
            return
        operations, failure = shrunk
        sequence.write(path, operations, str(failure).splitlines())
        self._say(f"\n{len(operations)} operations are enough:")
        for operation in operations:
            self._say(f"    {sequence.short(operation)}")
        self._say(f"{failure}")

    def _replay(self) -> int:
        operations = sequence.read(self._options.replay)
        failure = reproduce(self._sides, self._refused, operations, self._ignored)
        if failure is None:
            self._say(f"no difference in {len(operations):,} operations")
            return 0
        self._say(str(failure))
        if self._options.shrink:
            self._shrink(operations, failure, self._options.replay + ".shrunk")
        return 1

    def _check_log(self, machine: Machine) -> None:
        """Check that the session's log has at most one record for each change.

        Raises:
            SideFailed: It has more.
        """
        records = [record for record in self._sides.records() if record["type"] != "session.saved"]
        self._say(f"{len(records):,} records for {machine.changes_count:,} changes, {machine.remounts_count} remounts")
        if not 0 < len(records) <= machine.changes_count / _FEWEST_CHANGES_PER_RECORD + 1:
            raise SideFailed("these are too many records, or none")

    def _finish(self) -> None:
        seconds = time.monotonic() - self._began
        self._sides.unmount()
        log = self._sides.server_log()
        if log:
            self._say(f"DIFFERENCE: the mount has logged\n{log[-4000:]}")
            self._found["log"] += 1
        try:
            self._sides.fsck()
        except SideFailed as failure:
            self._say(f"DIFFERENCE: {failure}")
            self._found["fsck"] += 1
        if self._options.coverage:
            self._say(_coverage(self._outcomes))
        for signature, count in self._found.most_common():
            self._say(f"{count} times: {signature}")
        done = self._done
        self._say(f"{done:,} operations in {seconds:,.0f} s, {done / seconds:,.0f} a second: "
                  f"{len(self._found) or 'no'} differences")  # fmt: skip


def _coverage(outcomes: Counter[tuple[str, int]]) -> str:
    verbs: dict[str, Counter[int]] = {}
    for (verb, number), count in outcomes.items():
        verbs.setdefault(verb, Counter())[number] += count
    return "\n".join(
        f"{verb:16} " + "  ".join(f"{errno_name(number)} {count}" for number, count in verbs[verb].most_common())
        for verb in sorted(verbs)
    )
