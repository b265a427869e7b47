"""Counting requests: what it says, and what it costs."""

from __future__ import annotations

import inspect
import timeit
from pathlib import Path
from time import perf_counter_ns

import pytest
from commands import Commands

from sessionfs.mount.operations import Operations
from sessionfs.mount.stats import KINDS, Stats, kind_of


class Clock:
    now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns


def test_counting() -> None:
    clock = Clock()
    stats = Stats(clock)
    assert stats.document() == {"since": "1970-01-01T00:00:01.000000000Z", "requests": {}}
    for _ in range(3):
        stats.count(kind_of("lookup"), perf_counter_ns() - 5_000_000)
    stats.count(kind_of("getattr"), perf_counter_ns())
    requests = stats.document()["requests"]
    assert list(requests) == ["LOOKUP", "GETATTR"]
    assert requests["LOOKUP"]["count"] == 3 and 15_000 <= requests["LOOKUP"]["total_us"] < 1_000_000
    assert requests["GETATTR"]["count"] == 1
    clock.now_ns += 1_000_000_000
    stats.reset()
    assert stats.document() == {"since": "1970-01-01T00:00:02.000000000Z", "requests": {}}


def test_every_handler_has_a_kind() -> None:
    """A handler that is new must be given a kind."""
    coroutines = {name for name, found in vars(Operations).items() if inspect.iscoroutinefunction(found)}
    handlers = {name for name in coroutines if not name.startswith("_")}
    assert {name.upper() for name in handlers} <= set(KINDS)


def test_counting_costs_less_than_three_tenths_of_a_microsecond() -> None:
    stats = Stats(Clock())
    kind = kind_of("getattr")

    def counted() -> None:
        started_ns = perf_counter_ns()
        stats.count(kind, started_ns)

    def empty() -> None:
        pass

    def cost(function: object) -> float:
        return min(timeit.repeat(function, number=20_000, repeat=20)) / 20_000  # type: ignore[arg-type]

    assert cost(counted) - cost(empty) < 0.3e-6


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "mnt"
    path.mkdir()
    return path


def test_what_a_mount_was_asked(command: Commands, point: Path) -> None:
    command.ok("mount", point)
    command.ok("mount", "--stats", "--reset", point)
    for number in range(5):
        (point / f"sessions/one/artifacts/f{number}").write_text("x")
    document = command.json("mount", "--stats", point)
    assert document["mountpoint"] == str(point)
    counted = {record["request"]: record for record in document["requests"]}
    assert counted["CREATE"]["count"] == counted["WRITE"]["count"] == 5
    assert counted["CREATE"]["mean_us"] == round(counted["CREATE"]["total_us"] / 5, 1)
    totals = [record["total_us"] for record in document["requests"]]
    assert totals == sorted(totals, reverse=True)
    lines = command.ok("mount", "--stats", "--reset", point).stdout.splitlines()
    assert f"CREATE\t5\t{counted['CREATE']['total_us']}\t{counted['CREATE']['mean_us']}" in lines
    again = command.json("mount", "--stats", point)
    assert "CREATE" not in {record["request"] for record in again["requests"]}
    assert again["since"] > document["since"]
    listed = command.shell(f"getfattr -d -m - {point}").stdout
    assert "user.sessionfs.pid" in listed and "stats" not in listed
    assert "no store is mounted on" in command.fails(3, "mount", "--stats", point.parent)
    command.ok("umount", point)


def test_a_read_only_mount_is_counted_and_reset_too(command: Commands, point: Path) -> None:
    command.ok("mount", "--read-only", point)
    (point / "sessions/one/status").read_text()
    assert command.json("mount", "--stats", "--reset", point)["requests"]
    kinds = {record["request"] for record in command.json("mount", "--stats", point)["requests"]}
    assert "OPEN" not in kinds
    command.ok("umount", point)
