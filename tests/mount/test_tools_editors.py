"""Editors: how they save, what else they leave beside the file for a while, and what they do after a crash."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from programs import PROGRAMS, needs, told
from servers import PATIENCE_SECONDS, Mount, eventually

# By default no backups are made below /tmp.
VIM = ("vim", "-es", "-N", "-u", "NONE", "-i", "NONE", "--cmd", "set backupskip=")

VIM_SETTINGS = (
    "",
    "set nobackup nowritebackup",
    "set backup backupcopy=no",  # the file is renamed, and another one made
    "set backup backupcopy=yes",
    "set undofile fsync swapsync=fsync",
)


@pytest.fixture
def file(mounted: Mount) -> Path:
    """A file with a mode of its own and a text of some lines."""
    path = mounted.artifacts / "text"
    path.write_text("".join(f"line {number}\n" for number in range(200)))
    path.chmod(0o640)
    return path


def left_beside(file: Path) -> set[str]:
    return set(os.listdir(file.parent)) - {file.name}


@needs("vim")
def test_vim(mounted: Mount, file: Path) -> None:
    before = file.read_text()
    for number, settings in enumerate(VIM_SETTINGS):
        command = f"%s/line {number}$/saved {number}/"
        after = before.replace(f"line {number}\n", f"saved {number}\n")
        told(*VIM, "-c", settings, "-c", command, "-c", "wq", file)
        assert file.read_text() == after
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert len(mounted.stored("text")) == number + 2
        left = left_beside(file)
        if settings.startswith("set backup"):
            assert left == {"text~"}
            assert (file.parent / "text~").read_text() == before
            (file.parent / "text~").unlink()
        else:
            assert left == ({".text.un~"} if "undofile" in settings else set())
        before = after


@needs("vim")
def test_vim_in_a_terminal_killed_and_recovered(mounted: Mount, file: Path) -> None:
    swap = file.parent / ".text.swp"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("vim", ["vim", "-N", "-u", "NONE", "-i", "NONE", str(file)], {**os.environ, "TERM": "xterm"})
    try:
        assert becomes(terminal, lambda: swap.exists())
        os.write(terminal, b":set ut=100\r")
        os.write(terminal, b"Goadded at the end\033")
        os.write(terminal, b":preserve\r")
        assert becomes(terminal, lambda: b"added at the end" in swap.read_bytes())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert left_beside(file) == {".text.swp"}
    told(*VIM, "-r", file, "-c", "wq!")
    assert file.read_text().endswith("line 199\nadded at the end\n")


@needs("ex")
def test_ex(mounted: Mount, file: Path) -> None:
    told("ex", "-s", file, input="1,190d\n$a\nmore\n.\nw\nw! copy\nq\n", cwd=file.parent)
    assert file.read_text() == "".join(f"line {number}\n" for number in range(190, 200)) + "more\n"
    assert (file.parent / "copy").read_text() == file.read_text()
    assert mounted.session().tree.resolve("text").version == 2


@needs("nano")
@pytest.mark.parametrize("options", [[], ["--backup"], ["--locking", "--backup"]], ids=["", "backup", "locking"])
def test_nano(mounted: Mount, file: Path, options: list[str]) -> None:
    before = file.read_text()
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "TERM": "xterm"}
        os.execvpe("nano", ["nano", "--ignorercfiles", *options, str(file)], environment)
    try:
        shown = b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"line 3" not in shown and time.monotonic() < deadline:
            shown += read_from(terminal)
        if "--locking" in options:
            assert ".text.swp" in left_beside(file)
        os.write(terminal, b"typed\r")
        os.write(terminal, b"\x0f\r")  # write it out, under that name
        assert becomes(terminal, lambda: file.read_text() == "typed\n" + before)
        os.write(terminal, b"\x18")  # exit
        assert becomes(terminal, lambda: os.waitpid(pid, os.WNOHANG)[0])
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)
    assert file.read_text() == "typed\n" + before
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert mounted.session().tree.resolve("text").version == 2
    assert left_beside(file) == ({"text~"} if options else set())
    if options:
        assert (file.parent / "text~").read_text() == before


def becomes(terminal: int, condition: Callable[[], Any]) -> Any:
    """Wait until *condition* is true, while a program prints what nobody wants to see."""
    return eventually(lambda: (read_from(terminal), condition())[1], seconds=PATIENCE_SECONDS)


def read_from(terminal: int) -> bytes:
    """Return what a program has printed since; it stops when nobody reads."""
    shown = b""
    while select.select([terminal], [], [], 0.02)[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # it has ended
            break
    return shown


SAVES = (
    "rename-over",
    "backup-and-rename",
    "exclusive-temporary",
    "link-and-unlink",
    "exchange",
    "in-place",
    "two-temporaries",
)


def test_ways_to_save(mounted: Mount, file: Path) -> None:
    """As sshfs, Emacs, gedit, VS Code and others do it."""
    for way in SAVES:
        for number in range(2):
            before = contents_in(mounted)
            text = f"saved {number} by {way}\n" * 500
            told(sys.executable, PROGRAMS / "save.py", way, file, text)
            assert file.read_text() == text, way
            assert stat.S_IMODE(file.stat().st_mode) == 0o640, way
            assert len(contents_in(mounted) - before) == 1, way  # each save is kept, and nothing half done
        assert left_beside(file) <= {"text~"}, way
    mounted.stop()
    mounted.start()
    assert file.read_text() == text


def contents_in(mounted: Mount) -> set[str]:
    return {record["data"]["oid"] for record in mounted.records() if "oid" in record["data"]}


def test_who_has_it_open_keeps_the_old_text_until_opening_it_again(mounted: Mount, file: Path) -> None:
    old = file.read_text()
    reading = subprocess.Popen(
        ["sh", "-c", 'exec 3<"$1"; echo open; read go; cat <&3', "sh", file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reading.stdout is not None and reading.stdout.readline() == "open\n"
    told(sys.executable, PROGRAMS / "save.py", "rename-over", file, "new\n")
    assert reading.communicate("go\n")[0] == old
    assert file.read_text() == "new\n"
