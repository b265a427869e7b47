"""What is recorded of what programs do through the mount: every type, on whose behalf, and what they read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Mount

import sessionfs
from sessionfs.events.reading import read
from sessionfs.store.store import Store

PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
os.mkdir("d")
with open("d/f", "w") as file:
    file.write("x")
os.chmod("d/f", 0o600)
os.setxattr("d/f", "user.sessionfs.tags", b"t")
os.link("d/f", "d/g")
os.symlink("f", "d/l")
os.mkfifo("d/p")
os.rename("d/f", "d/h")
os.truncate("d/h", 0)
with open("../state/k", "w") as file:
    file.write("1")
os.unlink("../state/k")
os.unlink("d/h")
for name in "glp":
    os.unlink("d/" + name)
os.rmdir("d")
os.setxattr("..", "user.sessionfs.name", b"named")
with open("../status", "w") as file:
    file.write("suspended")
"""


def run_python(program: str, *arguments: object, **env: str) -> None:
    environ = {**os.environ, **env}
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], env=environ, check=True)


def test_everything_is_recorded_on_behalf_of_the_program_that_does_it(mounted: Mount) -> None:
    (mounted.artifacts / "before").write_text("mine")
    run_python(PROGRAM, mounted.artifacts, SESSIONFS_CORRELATION_ID="work", SESSIONFS_CAUSE="one:0")
    first, *records = mounted.records()[1:]
    assert "correlation_id" not in first
    assert {record["type"] for record in records} == {
        "artifact.stored", "artifact.updated", "artifact.renamed", "artifact.deleted", "state.changed",
        "session.updated", "session.suspended",
    }  # fmt: skip
    assert {(record.get("correlation_id"), record.get("cause")) for record in records} == {("work", "one:0")}


def test_files_that_a_program_leaves_open_are_recorded_on_its_behalf_too(mounted: Mount) -> None:
    program = "import os, sys; fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(fd, b'x'); os._exit(0)"
    run_python(program, mounted.artifacts / "f", SESSIONFS_CORRELATION_ID="work")
    assert mounted.stored("f")[-1]["correlation_id"] == "work"


def test_an_environment_that_makes_no_sense_is_nobodys_business(mounted: Mount) -> None:
    run_python("open(__import__('sys').argv[1], 'w').close()", mounted.artifacts / "f", SESSIONFS_CAUSE="nothing")
    assert "correlation_id" not in mounted.stored("f")[-1]


def test_what_a_tool_writes_through_the_mount_was_made_by_it(mounted: Mount) -> None:
    with sessionfs.open(mounted.store_path, background_sync=False) as store:
        session = store.sessions["one"]
        session.artifacts.put("in", b"x")
        with session.tool("convert") as call:
            call.read("in")
            run_python(
                "import sys; open(sys.argv[1], 'w').write('y')", mounted.artifacts / "out", **sessionfs.environment()
            )
        (stored,) = session.events("artifact.stored", text="out")
        assert stored.data["made_by"] == {
            "type": "tool.invoked",
            "name": "convert",
            "block": call.id,
            "inputs": [session.artifacts["in"].id],
        }
        assert stored.cause == f"one:{call.id}"


@pytest.fixture
def audited(tmp_path: Path, start: Callable[..., Mount]) -> Mount:
    store = tmp_path / "store"
    Store.create(str(store))
    Store(str(store)).create_session(session_id="one")
    with open(store / "config.toml", "a") as file:
        file.write("[events]\naudit_reads = true\n")
    return start()


def test_each_opening_for_reading_is_one_event(audited: Mount) -> None:
    file = audited.artifacts / "f"
    file.write_bytes(b"x" * 1_000_000)
    id = audited.session().tree.resolve("f").id
    with open(file, "rb", buffering=0) as opened:
        while opened.read(10_000):
            pass
    os.stat(file)
    os.listdir(audited.artifacts)
    with open(file, "r+b") as opened:
        opened.read(1)
    with open(file, "ab") as opened:  # which cannot read
        opened.write(b"y")
    with open(file, "wb") as opened:
        opened.write(b"z")
    run_python("open(__import__('sys').argv[1]).read()", file, SESSIONFS_CORRELATION_ID="reader")
    events = list(read(audited.store(), "one"))
    retrieved = [event for event in events if event.type == "artifact.retrieved"]
    assert [event.data["path"] for event in retrieved] == ["f", "f", "f"]
    assert [event.data["id"] for event in retrieved] == [id, id, audited.session().tree.resolve("f").id]
    assert [event.correlation_id for event in retrieved] == [None, None, "reader"]


def test_reads_of_a_session_that_has_ended_are_recorded_too(audited: Mount) -> None:
    (audited.artifacts / "f").write_text("x")
    (audited.session_path / "status").write_text("completed")
    assert (audited.artifacts / "f").read_text() == "x"
    assert audited.records()[-1]["type"] == "artifact.retrieved"
    assert (audited.session_path / "status").read_text() == "completed\n"
