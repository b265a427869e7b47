"""The stable verbs, named as in git."""

from __future__ import annotations

import json
import os

import pytest

from sessionfs.artifacts import node
from sessionfs.cli.ls_tree import OTHER_MODE, USUAL_MODES
from sessionfs.oid import hash_bytes

ZEROS = "0" * 64
HELLO = hash_bytes(b"hello\n")


@pytest.fixture
def tree(q4):
    q4.write("a.txt", "hello\n")
    q4.write("dir/b.txt", "b" * 20_000)
    (q4.cwd / "dir/link").symlink_to("b.txt")
    (q4.cwd / "dir/b.txt").chmod(0o755)
    q4.ok("artifact", "put", "@", "a.txt", "dir")
    return q4


# hash-object


def test_hash_object_needs_no_store(bare):
    bare.write("a.txt", "hello\n")
    bare.write("b", "")
    assert bare.ok("hash-object", "a.txt", "b").lines == [HELLO, hash_bytes(b"")]
    assert bare.ok("hash-object", "--stdin", "b", stdin=b"hello\n").lines == [HELLO, hash_bytes(b"")]
    assert bare.ok("hash-object", "--stdin-paths", stdin=b"b\na.txt\n").lines == [hash_bytes(b""), HELLO]
    assert bare.ok("hash-object", "a.txt", "--json").json == [HELLO]
    assert "is no sessionfs store" in bare.fails(3, "hash-object", "-w", "a.txt")


def test_hash_object_writes(cli):
    content = b"x" * 20_000
    assert cli.ok("hash-object", "-w", "--stdin", stdin=content).out == f"{hash_bytes(content)}\n"
    assert cli.ok("cat-file", "-p", hash_bytes(content)).raw == content
    assert [path.suffix for path in (cli.store / "objects" / hash_bytes(content)[:2]).iterdir()] == [".lz4"]


def test_hash_object_refuses(bare):
    assert "missing: No such file" in bare.fails(3, "hash-object", "missing")
    assert "Is a directory" in bare.fails(2, "hash-object", ".")
    assert "nothing to hash" in bare.fails(2, "hash-object")
    assert "both content and paths" in bare.fails(2, "hash-object", "--stdin", "--stdin-paths")


# cat-file


def test_cat_file(tree):
    assert tree.ok("cat-file", "-t", HELLO).out == "blob\n"
    assert tree.ok("cat-file", "-s", HELLO[:8]).out == "6\n"
    assert tree.ok("cat-file", "-p", HELLO[:4]).raw == b"hello\n"
    assert tree.ok("cat-file", "-s", "--json", HELLO).json == {"oid": HELLO, "kind": "blob", "size": 6}
    snapshot = tree.ok("session", "save").out.strip()
    assert tree.ok("cat-file", "-t", snapshot).out == "snapshot\n"
    content = tree.ok("cat-file", "-p", snapshot).raw
    assert hash_bytes(content) == snapshot
    assert tree.ok("cat-file", "-s", snapshot).out == f"{len(content)}\n"


def test_cat_file_exists(tree):
    assert tree.ok("cat-file", "-e", HELLO).out == ""
    for unknown in (ZEROS, "00000000", "no hex", "abc"):
        assert tree("cat-file", "-e", unknown) == (1, b"", "")


def test_cat_file_refuses(tree):
    assert "no object has the id" in tree.fails(3, "cat-file", "-t", ZEROS)
    assert "no object has the id" in tree.fails(3, "cat-file", "-p", "zzzz")
    assert "only one" in tree.fails(2, "cat-file", HELLO)
    assert "only one" in tree.fails(2, "cat-file", "-t", "-s", HELLO)
    assert "OID is missing" in tree.fails(2, "cat-file", "-t")


def test_an_ambiguous_prefix(cli):
    directory = cli.store / "objects/ab"
    for ending in ("0", "1"):
        (directory / ("cd" + ending * 60)).write_bytes(b"")
    message = cli.fails(2, "cat-file", "-t", "abcd")
    assert "could be 2 objects (abcd000000000000, abcd111111111111)" in message
    assert cli.ok("cat-file", "-t", "abcd0").out == "blob\n"


# rev-parse


def test_rev_parse(tree):
    assert "has no snapshot yet; write one with: sessionfs session save q4" in tree.fails(3, "rev-parse", "@")
    snapshot = tree.ok("session", "save").out.strip()
    tree.ok("update-ref", "@/first", snapshot)
    for name in ("@", "q4", "Fourth quarter", "q4:first", "@:first", snapshot, snapshot[:10]):
        assert tree.ok("rev-parse", name).out == f"{snapshot}\n"
    assert tree.ok("rev-parse", HELLO[:6], "@", "--json").json == [HELLO, snapshot]
    tree.ok("state", "set", "@", "k", "1")
    newer = tree.ok("session", "save").out.strip()
    assert tree.ok("rev-parse", "@", "@:first").lines == [newer, snapshot]


def test_rev_parse_refuses(tree):
    assert "no session has the id" in tree.fails(3, "rev-parse", "nothing")
    assert "no session has the id" in tree.fails(3, "rev-parse", ZEROS)
    assert "no session has the id" in tree.fails(3, "rev-parse", "nobody:first")
    assert "has no ref 'first'; see: sessionfs show-ref q4" in tree.fails(3, "rev-parse", "@:first")
    assert "no name for a ref" in tree.fails(2, "rev-parse", "@:../HEAD")
    tree.ok("session", "create", "--id", HELLO[:8])
    assert f"could be object {HELLO} or a session" in tree.fails(2, "rev-parse", HELLO[:8])


# ls-tree


def test_ls_tree_of_a_snapshot(tree):
    snapshot = tree.ok("session", "save").out.strip()
    sub = json.loads(tree.ok("cat-file", "-p", snapshot).raw)["root"]["tree"]
    big = hash_bytes(b"b" * 20_000)
    for name in (snapshot, sub):
        lines = tree.ok("ls-tree", name).lines
        assert lines[0] == f"0644\tfile\t{HELLO}\ta.txt"
        mode, kind, oid, path = lines[1].split("\t")
        assert (mode, kind, path) == ("0755", "directory", "dir")
        assert tree.ok("ls-tree", oid[:12], "-l").lines[0] == f"0755\tfile\t{big}\t20000\tb.txt"
        assert tree.ok("ls-tree", "-r", "-l", name).lines == [
            f"0644\tfile\t{HELLO}\t6\ta.txt",
            f"0755\tfile\t{big}\t20000\tdir/b.txt",
            "0777\tsymlink\t-\t-\tdir/link",
        ]


def test_ls_tree_of_a_session_is_its_live_tree(tree):
    tree.ok("session", "save")
    tree.ok("artifact", "mv", "@", "a.txt", "c.txt")
    assert tree.ok("ls-tree", "@").lines == [f"0644\tfile\t{HELLO}\tc.txt", "0755\tdirectory\t-\tdir"]
    listed = tree.ok("ls-tree", "-r", "q4", "--json").json
    assert listed[0] == {"mode": "0644", "kind": "file", "oid": HELLO, "size": 6, "path": "c.txt"}


def test_ls_tree_as_json_is_the_same_for_both(tree):
    live = tree.ok("ls-tree", "-r", "@", "--json").json
    assert tree.ok("ls-tree", "-r", tree.ok("session", "save").out.strip(), "--json").json == live


def test_ls_tree_of_a_large_directory_has_all_its_parts(tree, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(1200):
        (many / f"{number:04}").touch()
    tree.ok("artifact", "put", "@", str(many))
    snapshot = tree.ok("session", "save").out.strip()
    listed = [line.split("\t")[-1] for line in tree.ok("ls-tree", "-r", snapshot).lines]
    assert [path for path in listed if path.startswith("many/")] == [f"many/{number:04}" for number in range(1200)]
    assert tree.ok("ls-tree", "-r", "@", "--json").json == tree.ok("ls-tree", "-r", snapshot, "--json").json


def test_ls_tree_refuses(tree):
    assert "is a blob, neither a tree nor a snapshot" in tree.fails(2, "ls-tree", HELLO)
    assert "no session has the id" in tree.fails(3, "ls-tree", ZEROS)
    assert "TREE is missing" in tree.fails(2, "ls-tree")


def test_the_usual_modes_are_those_of_the_floor_below():
    assert (USUAL_MODES, OTHER_MODE) == (node.USUAL_MODES, node.OTHER_MODE)


# refs


def test_refs_move_by_compare_and_swap(tree):
    assert tree("show-ref") == (1, b"", "")
    one = tree.ok("session", "save").out.strip()
    tree.ok("state", "set", "@", "k", "1")
    two = tree.ok("session", "save").out.strip()
    assert tree.ok("update-ref", "@/best", one, ZEROS).out == ""
    assert tree.ok("show-ref").out == f"{one}\tq4/best\n"
    assert "is at" in tree.fails(5, "update-ref", "q4/best", two, ZEROS)
    assert "is at" in tree.fails(5, "update-ref", "q4/best", two, two)
    assert tree.ok("update-ref", "q4/best", two[:8], one[:8], "--json").json == {"name": "q4/best", "oid": two}
    tree.ok("update-ref", "@/best", one)
    assert tree.ok("show-ref", "@", "--json").json == [{"name": "q4/best", "oid": one}]
    assert "is at" in tree.fails(5, "update-ref", "-d", "@/best", two)
    tree.ok("update-ref", "-d", "@/best", one)
    assert tree("show-ref", "@").code == 1
    tree.ok("update-ref", "@/best", one, "")
    assert tree.ok("update-ref", "@/best", "", "--json").json == {"name": "q4/best", "oid": None}


def test_update_ref_refuses(tree):
    snapshot = tree.ok("session", "save").out.strip()
    assert "is a blob, and a ref names a snapshot" in tree.fails(2, "update-ref", "@/r", HELLO)
    assert "no object has the id" in tree.fails(3, "update-ref", "@/r", "abcdef")
    assert "is no ref: write SESSION/REF" in tree.fails(2, "update-ref", "r", snapshot)
    assert "no name for a ref" in tree.fails(2, "update-ref", "@/..", snapshot)
    assert "no session has the id" in tree.fails(3, "update-ref", "nobody/r", snapshot)
    assert "NEW is missing" in tree.fails(2, "update-ref", "@/r")
    assert "one argument too many" in tree.fails(2, "update-ref", "-d", "@/r", snapshot, snapshot)
    assert "no session has the id" in tree.fails(3, "show-ref", "nobody")
    assert tree("show-ref").code == 1


# cat-log


def test_cat_log_is_the_file(tree):
    log = (tree.store / "sessions/q4/log").read_bytes()
    assert tree.ok("cat-log", "@").raw == log
    assert tree.ok("cat-log", "q4", "--from", "2").raw == b"".join(log.splitlines(keepends=True)[2:])
    assert tree.ok("cat-log", "q4", "--from", "99").raw == b""
    records = tree.ok("cat-log", "q4", "--json").json
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert records[0]["type"] == "session.created"


def test_cat_log_refuses(tree):
    assert "no session has the id" in tree.fails(3, "cat-log", "nobody")
    assert "--from takes a number" in tree.fails(2, "cat-log", "@", "--from", "x")


# fsck


def test_fsck_of_a_whole_store(tree):
    assert tree.ok("fsck").out == ""
    assert tree.ok("fsck", "--json").json == []


def test_fsck_names_every_fault(tree):
    path = tree.store / "objects" / HELLO[:2] / HELLO[2:]
    path.chmod(0o644)
    path.write_bytes(b"other\n")
    (big,) = (tree.store / "objects").glob("*/*.lz4")
    big.unlink()
    result = tree("fsck")
    assert (result.code, result.err) == (1, "")
    kinds = [line.split("\t")[0] for line in result.lines]
    assert kinds == ["damaged-object", "missing-object"]
    assert result.lines[0].split("\t")[1] == f"objects/{HELLO[:2]}/{HELLO[2:]}"
    as_json = tree("fsck", "--json")
    assert as_json.code == 1 and [fault["kind"] for fault in as_json.json] == kinds


def test_fsck_only_notes_what_a_crash_leaves(tree):
    with open(tree.store / "sessions/q4/log", "ab") as log:
        log.write(b'{"seq":')
    result = tree("fsck")
    assert (result.code, result.raw) == (0, b"")
    assert result.err.startswith("sessionfs: fsck: note: torn-tail: q4:")


def test_plumbing_finds_sessions_as_porcelain_does(tree):
    tree.ok("session", "create", "--id", "q4-charts")
    for name in ("q4", "Fourth quarter", "@"):
        assert tree.ok("cat-log", name).raw == (tree.store / "sessions/q4/log").read_bytes()
    assert tree.ok("cat-log", "q4-").json["type"] == "session.created"
    assert "could be 2 sessions" in tree.fails(2, "cat-log", "q")
    tree.ok("use", "--none")
    assert "there is no current session" in tree.fails(3, "cat-log", "@")
    assert os.path.exists(tree.store / "sessions/q4-charts/log")
