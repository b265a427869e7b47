"""fsck's options, gc, repack and the trash, from the command line."""

from __future__ import annotations

import os
import shutil
import time

import pytest


@pytest.fixture
def filled(q4):
    q4.write("report.txt", "all is well\n" * 3)
    q4.ok("artifact", "put", "@", str(q4.cwd / "report.txt"))
    q4.ok("session", "save")
    shutil.copytree(q4.store, q4.cwd / "backup")
    return q4


def damage(cli):
    oid = cli.ok("artifact", "show", "@", "report.txt", "--json").json["oid"]
    path = cli.store / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"something else\n")
    return oid


def test_fsck_says_what_damage_touches_and_where_a_copy_is(filled):
    oid = damage(filled)
    assert filled.ok("fsck", "--quick").out == ""
    result = filled("fsck", "--session", "q4", "--jobs", "2", "--from", "backup")
    kind, where, message, touched, copies = result.lines[0].split("\t")
    assert (result.code, kind, where) == (1, "damaged-object", f"objects/{oid[:2]}/{oid[2:]}")
    assert oid in message and touched.startswith("q4:1 report.txt, version 1; ")
    assert copies.startswith(str(filled.cwd / "backup/objects"))
    (fault,) = filled("fsck", "--json").json
    assert fault["oid"] == oid and fault["copies"] == []
    assert fault["touched"][0] == {"session_id": "q4", "seq": 1, "what": "report.txt, version 1"}


def test_fsck_repairs_and_a_dry_run_changes_nothing(filled):
    damage(filled)
    assert filled.ok("fsck", "--repair", "--dry-run", "--from", "backup").lines[0].startswith("restored\t")
    assert filled("fsck").code == 1
    assert filled.ok("fsck", "--repair", "--from", "backup").lines[0].startswith("restored\t")
    assert filled.ok("fsck", "--repair", "--json").json == []
    assert filled.ok("artifact", "cat", "@", "report.txt").out == "all is well\n" * 3


@pytest.mark.parametrize(
    "words", [["--jobs", "0"], ["--jobs", "x"], ["--repair", "--quick"], ["--repair", "--session", "q4"]]
)
def test_fsck_refuses_what_makes_no_sense(filled, words):
    filled.fails(2, "fsck", *words)


def test_fsck_of_a_session_that_is_not_here(filled):
    filled.fails(3, "fsck", "--session", "nobody")
    filled.fails(3, "fsck", "--from", "nowhere")


def test_gc_and_the_trash(filled):
    oid = filled.ok("hash-object", "-w", "--stdin", stdin=b"nobody needs this").out.strip()
    path = filled.store / "objects" / oid[:2] / oid[2:]
    os.utime(path, (time.time() - 10_000, time.time() - 10_000))
    assert filled.ok("gc").lines[0] == "trashed\t0\t0"
    result = filled("gc", "--grace", "1h", "--dry-run")
    assert (result.code, result.lines[0]) == (0, "trashed\t1\t17") and "would be free" in result.err
    assert path.exists()
    result = filled("gc", "--grace", "1h")
    assert "will be free when they have been in the trash for 14 days" in result.err and not path.exists()
    (trashed,) = filled.ok("trash", "list", "--json").json
    assert trashed["kind"] == "objects" and trashed["size"] == 17 and trashed["until"] > trashed["time"]
    assert filled.ok("trash", "restore", trashed["name"]).out.startswith("objects\t") and path.exists()
    filled("gc", "--grace", "0")
    assert filled.ok("trash", "empty", "--older-than", "1d").out == "deleted\t0\t0\n"
    assert filled.ok("trash", "empty").lines == ["deleted\t1\t17"]
    filled.fails(2, "gc", "--grace", "soon")
    filled.fails(3, "trash", "restore", "nothing")


def test_a_deleted_session_comes_back(filled):
    filled("session", "delete", "q4")
    assert filled.ok("trash", "list").lines[0].split("\t")[1] == "session"
    assert filled.ok("trash", "restore", "q4").out == "session\tq4\t1\n"
    assert filled.ok("artifact", "cat", "q4", "report.txt").out == "all is well\n" * 3
    assert filled.ok("fsck").out == ""


def test_repack(filled):
    count = filled.ok("repack", "--dry-run", "--json").json["object_count"]
    assert count > 2 and filled.ok("repack").lines[0].startswith(f"packed\t{count}\t")
    assert filled.ok("repack").lines == ["packed\t0\t0", "packs\t0\t0", "sessions\t0\t0"]
    assert filled.ok("artifact", "cat", "@", "report.txt").out == "all is well\n" * 3
    assert filled.ok("fsck").out == ""
