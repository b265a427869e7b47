"""``backup``, ``clone``, ``fetch`` and ``push``: what they print, how they end, and other machines by rsync."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from sessionfs.backup.remote import is_remote

# A remote shell that is this machine: what rsync asks for, after the options and the host.
RSH = '#!/bin/sh\nwhile case $1 in -*) true;; *) false;; esac; do shift; done\nshift\nexec sh -c "$*"\n'

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="there is no rsync here")


@pytest.fixture(autouse=True)
def few_directories(monkeypatch):
    """Stores are made without the directories for objects, which are made when they are needed: here are many."""
    monkeypatch.setattr("sessionfs.store.layout.FAN_OUT", [])


@pytest.fixture
def runs(q4):
    """A store with a session, its fork, and a file."""
    q4.ok("artifact", "put", "q4", "-", "--as", "a.txt", stdin=b"alpha\n")
    q4.ok("fork", "q4", "--id", "idea")
    return q4


def test_backup_verify_and_restore(runs):
    there = str(runs.cwd / "b")
    assert runs.ok("backup", "b").lines == ["new\tq4\t3", "new\tidea\t1", "copied\t1\t6"]
    assert runs.ok("backup", "create", "b", "--verify").lines == ["copied\t0\t0"]
    assert json.loads(runs.ok("--json", "backup", "b").out) == {
        "path": there, "session_count": 2, "record_count": 0, "object_count": 0, "size": 0, "whole": True,
        "sessions": [], "damaged": [],
    }  # fmt: skip
    assert runs.ok("backup", "verify", "b").lines == []
    runs("session", "delete", "idea")
    assert runs.ok("backup", "restore", "b", "idea").lines == ["unchanged\tq4\t0", "new\tidea\t1", "copied\t0\t0"]
    assert runs.ok("artifact", "cat", "idea", "a.txt").raw == b"alpha\n"
    assert runs.ok("--store", "r", "backup", "restore", "b").lines[0] == "new\tq4\t3"
    assert runs.ok("--store", "r", "artifact", "cat", "q4", "a.txt").raw == b"alpha\n"
    assert "not empty" in runs.fails(5, "backup", "restore", "b")
    (objects,) = [path for path in (runs.cwd / "b" / "objects").rglob("*") if path.is_file()]
    objects.chmod(0o644)
    objects.write_bytes(b"Alpha\n")
    assert runs("backup", "verify", "b").code == 1
    assert runs("--store", "d", "backup", "restore", "b").code == 1
    assert "damaged" in runs("backup", "b", "--verify").out


def test_clone_fetch_and_push(runs):
    runs.ok("clone", str(runs.store), "c")
    there = str(runs.cwd / "c")
    assert runs.ok("push", "c", "@").lines == ["unchanged\tq4\t0", "copied\t0\t0"]
    runs.ok("--store", there, "state", "set", "q4", "k", "1")
    assert runs.ok("fetch", "c", "q").lines == ["extended\tq4\t1", "copied\t0\t0"]
    runs.ok("state", "set", "q4", "k", "2")
    runs.ok("--store", there, "state", "set", "q4", "k", "3")
    refused = runs("fetch", "c", "q4", "idea")
    assert refused.code == 5 and [line.split("\t")[:2] for line in refused.lines[:2]] == [
        ["refused", "q4"],
        ["unchanged", "idea"],
    ]
    assert json.loads(runs("--json", "push", "c", "q4").out)["sessions"][0]["outcome"] == "refused"


def test_what_is_refused(runs):
    assert "there is no directory" in runs.fails(3, "clone", "nothing", "c")
    assert "is no sessionfs store" in runs.fails(3, "fetch", ".")
    assert "no session has the id" in runs.fails(3, "fetch", str(runs.store), "nobody")
    assert "the store itself" in runs.fails(2, "push", str(runs.store))
    assert "lies in the store" in runs.fails(2, "backup", str(runs.store / "b"))
    assert "is missing" in runs.fails(2, "backup", "create")
    assert runs("backup").code == 2 and "backup restore" in runs("backup", "--help").out
    assert "another machine" in runs.fails(7, "fetch", "host:c")


@needs_rsync
def test_a_backup_on_another_machine(runs, monkeypatch):
    shell = runs.write("rsh", RSH)
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    there = runs.cwd / "far" / "b"
    assert runs.ok("backup", f"host:{there}").lines == ["new\tq4\t3", "new\tidea\t1", "copied\t1\t6"]
    assert runs.ok("--store", str(there), "fsck").raw == b""
    runs.ok("artifact", "put", "q4", "-", "--as", "b.txt", stdin=b"beta\n")
    runs.ok("checkpoint", "q4", "before")
    assert runs.ok("backup", f"host:{there}").lines[:1] == ["extended\tq4\t2"]
    assert runs.ok("--store", str(there), "artifact", "cat", "q4@{before}", "b.txt").raw == b"beta\n"
    # What is damaged there is sent again when it is compared; what is damaged here is not sent.
    (file,) = [path for path in (there / "objects").rglob("*") if path.is_file() and path.read_bytes() == b"beta\n"]
    file.chmod(0o644)
    file.write_bytes(b"Beta\n")
    os.utime(file, ns=(0, 0))
    assert runs.ok("backup", f"host:{there}", "--verify").lines == ["copied\t1\t5"]
    assert runs.ok("--store", str(there), "fsck").raw == b""
    # Another history there is not replaced.
    runs.ok("--store", str(there), "state", "set", "q4", "k", "1")
    runs.ok("state", "set", "q4", "kk", "22")
    refused = runs("backup", f"host:{there}")
    assert refused.code == 5 and refused.lines[0].startswith("refused\tq4\t0\t")
    runs.ok("clone", f"host:{there}", "near")
    assert runs.ok("--store", "near", "state", "get", "q4", "k").out == "1\n"
    assert "is no backup of" in runs.fails(5, "--store", "near", "backup", f"host:{there}")
    assert "nothing at host:/nowhere" in runs.fails(3, "clone", "host:/nowhere", "x") and not (runs.cwd / "x").exists()


@needs_rsync
def test_another_session_of_the_same_id_is_not_taken_for_the_one_there(runs, monkeypatch):
    shell = runs.write("rsh", RSH)
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    there = f"host:{runs.cwd / 'b'}"

    def make(data):
        runs.ok("session", "create", "--id", "again")
        runs.ok("state", "set", "again", "k", data)
        runs.ok("session", "complete", "again")
        runs.ok("session", "archive", "again")
        return os.path.getsize(runs.store / "sessions" / "again" / "log")

    size = make("1")
    runs.ok("backup", there)
    runs("session", "delete", "again")
    assert make("2") == size
    runs.ok("repack")  # a shelf says when its log was written to
    # Links lead out of the store, or nowhere: what is no file of it is left out.
    hooks = runs.store / "hooks"
    (hooks / "d").mkdir()
    (hooks / "d" / "program").write_text("#!/bin/sh\n")
    os.symlink("/nowhere", hooks / "dangling")
    os.symlink(runs.cwd, hooks / "d" / "out")
    log = runs.cwd / "b" / "sessions" / "q4" / "log"
    os.utime(log, ns=(5, 5))
    (refused, _) = runs("backup", there).lines
    assert refused.startswith("refused\tagain\t0\tit has another history there")
    assert [path.name for path in sorted((runs.cwd / "b" / "hooks").rglob("*"))] == ["d", "program"]
    assert log.stat().st_mtime_ns != 5, "the same log with another time is found out, and then known"


def test_places_on_other_machines_are_told_from_paths():
    assert all(map(is_remote, ("host:path", "me@host:/p", "host::module/p", "rsync://host/p")))
    assert not any(map(is_remote, ("path", "./a:b", "/a:b", "dir/a:b")))


def test_a_clone_can_have_a_name_as_long_as_any(q4):
    q4.ok("clone", str(q4.store), "a" * 255)
    assert os.listdir(q4.cwd) == ["a" * 255]
    assert "File name too long" in q4.fails(2, "clone", str(q4.store), "a" * 256)
