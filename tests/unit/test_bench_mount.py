"""tools/bench mount: its rows on plain files, and what its table says. The real mounts are its own business."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from benchmarks import material
from benchmarks.measure import MILLISECONDS, Skipped, at_most_times
from benchmarks.mount import amplification, caches, processes, report, serving, verdict, work
from benchmarks.mount.filesystems import KINDS, Kind, plain_files
from benchmarks.mount.rows import ROWS, Row
from benchmarks.mount.table import Cell, Table, measure_table
from benchmarks.mount.tools import Command, CommandFailed
from benchmarks.mount.work import Ground, Round, Work
from benchmarks.scratch import Scratch, scratch_in


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # rows go elsewhere; afterwards we are where we were
    with scratch_in(str(tmp_path)) as made:
        yield made


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every dropping of the kernel's caches, which would slow down whoever else is on this machine."""
    times: list[str] = []
    monkeypatch.setattr(caches, "drop", lambda: times.append("dropped"))
    return times


def nothing(_: Work):
    return lambda: None


def refuse(_: Work):
    def link() -> None:
        raise PermissionError(1, "Operation not permitted")

    return link


# The rows


def test_names_of_rows_are_unique():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees and shared directories of a few files, so that everything takes a moment."""

    def write_tree(directory: str, *, whole: bool, stamp: str) -> None:
        os.makedirs(f"{directory}/package")
        for number in range(5):
            Path(directory, "package", f"{number}.py").write_text(f"# {stamp}: class A(metaclass=ABCMeta)\n")

    monkeypatch.setattr(material, "write_tree", write_tree)
    monkeypatch.setattr(work, "SHARED_FILES_COUNT", 20)


@pytest.mark.slow
def test_every_row_works_on_plain_files(scratch: Scratch, dropped: list[str], small: None):
    table = measure_table(
        {"plain": plain_files(scratch)}, ROWS, scratch, rounds=1, divisor=1000, progress=lambda text: None
    )
    assert {key: cell.failure for key, cell in table.cells.items() if cell.failure} == {}
    assert all(ns > 0 for cell in table.cells.values() for ns in cell.ns.values())
    assert dropped
    assert verdict.common_rows(table) == list(ROWS)


def test_a_row_has_a_directory_of_its_own_and_shares_what_it_enters(scratch: Scratch, small: None):
    ground = Ground(plain_files(scratch), Round(scratch))
    seen = []
    for _ in range(2):
        row_work = Work("a row", ground, 3)
        with row_work.at_end:
            seen.append(os.getcwd())
            assert os.listdir(".") == []
            assert row_work.enter_files() == ["000000", "000001", "000002"]
            seen.append(os.getcwd())
            assert len(os.listdir(".")) == 20
        assert os.getcwd() == "/"
    assert seen[0] != seen[2]
    assert seen[1] == seen[3]


def test_trees_differ_in_every_file(scratch: Scratch):
    one = Round(scratch)
    first, second = Path(one.tree("first")), Path(one.tree("second"))
    files = [path.relative_to(first) for path in first.rglob("*.py")]
    assert 400 < len(files) < 700
    assert one.tree("first") == str(first)
    assert not [path for path in files if (first / path).read_bytes() == (second / path).read_bytes()]


def test_a_command_that_fails_says_why(tmp_path: Path):
    with pytest.raises(CommandFailed, match=r"ls exited with 2: .*/missing"):
        Command("ls", f"{tmp_path}/missing")()


# The table


def test_what_one_refuses_and_what_fails_is_in_no_mean(scratch: Scratch, capsys: pytest.CaptureFixture[str]):
    def fail(_: Work):
        raise OSError(5, "Input/output error")

    rows = (Row("nothing", nothing), Row("hard link", refuse), Row("broken", fail))
    filesystems = {"plain": plain_files(scratch), "other": plain_files(scratch)}
    table = measure_table(filesystems, rows, scratch, 1, 1, lambda text: None)
    assert verdict.common_rows(table) == [rows[0]]
    report.print_table(table, ["a note"])
    printed = capsys.readouterr().out
    assert "not over: hard link; broken." in printed
    assert "plain, broken: OSError: [Errno 5] Input/output error\n" in printed
    assert "plain, hard link" not in printed
    assert "a note" in printed


def table_of(**ns_of_rows: tuple[float, ...]) -> Table:
    """Return a table of plain files, sessionfs and s3ql."""
    names = ("plain", "sessionfs", "s3ql")
    rows = tuple(Row(name, nothing, bar=at_most_times(2) if name == "kept" else None) for name in ns_of_rows)
    cells = {
        (row, name): Cell({0: ns}) if ns else Cell(refused=True)
        for row, all_ns in ns_of_rows.items()
        for name, ns in zip(names, all_ns, strict=True)
    }
    return Table(rows, names, cells)


def test_means_bars_and_the_peer():
    table = table_of(kept=(1e6, 1.5e6, 6e6), slow=(1e6, 6e6, 1.5e6), link=(1e6, 0, 2e6))
    assert verdict.means(table) == pytest.approx({"sessionfs": 3.0, "s3ql": 3.0})
    assert [(one.text, one.met) for one in verdict.decide(table)] == [
        ("geometric mean", True),
        ("geometric mean, the mark to aim at", False),
        ("kept", True),
    ]
    slower = verdict.slower_than_peer(table)
    assert slower is not None
    assert [(row.name, times) for row, times in slower] == [("slow", pytest.approx(4.0))]


def test_a_ratio_is_taken_within_a_round():
    row = Row("row", nothing)
    cells = {("row", "plain"): Cell({0: 1.0, 1: 5.0, 2: 9.0}), ("row", "other"): Cell({0: 2.0, 2: 9.0, 3: 7.0})}
    assert Table((row,), ("plain", "other"), cells).ratio(row, "other") == 1.5


def test_without_the_peer_nothing_is_said_of_it():
    table = table_of(kept=(1e6, 1.5e6, 6e6))
    assert verdict.slower_than_peer(Table(table.rows, table.names[:2], table.cells)) is None


def test_the_table_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]):
    table = table_of(kept=(2e6, 3e6, 8e6), link=(2e6, 0, 4e6))
    report.print_table(table, [])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["kept", "2", "ms", "1.50", "4.00"]
    assert lines[3].split() == ["link", "2", "ms", "refused", "2.00"]
    document = report.table_to_dict(table, [])
    assert document["rows"][0]["filesystems"]["sessionfs"] == {"rounds": [3.0], "ratio": 1.5}
    assert document["rows"][1]["filesystems"]["sessionfs"] == {"rounds": [], "ratio": None, "refused": True}
    assert document["rows"][0]["unit"] == MILLISECONDS.name


# Those it is compared with


def test_what_is_missing_is_named_with_how_to_get_it():
    other = Kind("otherfs", KINDS[0].mounted, ("sh", "mount.otherfs"), "apt-get install otherfs")
    assert other.missing() == (
        "otherfs is left out: there is no mount.otherfs here; to get it: apt-get install otherfs"
    )
    assert Kind("shellfs", KINDS[0].mounted, ("sh",)).missing() is None


def test_a_server_that_does_not_mount_is_named_by_what_it_said(tmp_path: Path):
    says_why = pytest.raises(Skipped, match=r"did not mount .*: no such cipher\.")
    with says_why, serving.serving(["sh", "-c", "echo no such cipher >&2"], str(tmp_path)):
        pytest.fail("nothing is mounted")


def test_a_server_is_ended_when_somebody_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serving, "is_mounted", lambda point: False)
    monkeypatch.setattr(serving, "_wait_for_mount", lambda process, point, served: None)
    with pytest.raises(KeyboardInterrupt), serving.serving(["sleep", "1000"], str(tmp_path)) as served:
        raise KeyboardInterrupt
    assert not os.path.exists(f"/proc/{served.pid}")


def test_a_directory_is_no_mountpoint(tmp_path: Path):
    assert not serving.is_mounted(str(tmp_path))
    assert serving.is_mounted("/proc")


# Processes and the disk


def test_what_proc_says_of_a_process():
    pid = os.getpid()
    before_ns = processes.cpu_ns(pid)
    end = time.process_time() + 0.01
    while time.process_time() < end:
        pass
    assert processes.cpu_ns(pid) - before_ns > 5_000_000
    assert 0 < processes.memory(pid).now_bytes <= processes.memory(pid).peak_bytes
    assert processes.descriptors(pid) > 2
    assert processes.written_bytes(pid) <= 1 << 60


def test_a_process_that_has_gone_used_nothing():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert processes.cpu_ns(ended.pid) == 0


def test_sleepers_are_quiet():
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        caches.wait_until_quiet([sleeper.pid])
        sleeper.kill()


def test_what_a_store_occupies_is_what_du_says(tmp_path: Path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").write_bytes(b"x" * 10_000)
    du = subprocess.run(["du", "-s", "-B1", str(tmp_path)], capture_output=True, text=True, check=True)
    assert amplification._occupied_bytes(str(tmp_path)) == int(du.stdout.split()[0])


def test_what_may_be_written():
    kept = amplification.Written("a", user_bytes=1000, written_bytes=1100, stays_bytes=5000, allowed_bytes=1100.0)
    assert kept.met
    assert not amplification.Written("a", 1000, 1101, 0, 1100.0).met
