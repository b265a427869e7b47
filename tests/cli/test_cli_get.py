"""artifact list, show, cat, get."""

from __future__ import annotations

import os
import stat

import pytest

from sessionfs.artifacts import events
from sessionfs.store.store import Store


@pytest.fixture
def tree(q4):
    """A session with a few files; the directory they came from is ``tree``."""
    q4.write("tree/a.txt", "a\n")
    q4.write("tree/sub/b.bin", b"\0\xff" * 10_000)
    (q4.cwd / "tree/sub/empty").mkdir()
    (q4.cwd / "tree/link").symlink_to("nowhere")
    (q4.cwd / "tree/a.txt").chmod(0o600)
    os.utime(q4.cwd / "tree/a.txt", ns=(0, 1_700_000_000_123_456_789))
    (q4.cwd / "tree/sub").chmod(0o500)
    q4.ok("artifact", "put", "@", "tree", "--as", "t")
    (q4.cwd / "tree/sub").chmod(0o755)
    q4.ok("artifact", "tag", "@", "t/a.txt", "--add", "x")
    return q4


def test_list(tree):
    assert tree.ok("artifact", "list", "@").out == "t\n"
    assert tree.ok("artifact", "list", "@", "t/").lines == ["t/a.txt", "t/link", "t/sub"]
    assert tree.ok("artifact", "list", "@", ".", "-R").lines == ["t/a.txt", "t/link", "t/sub/b.bin"]
    assert tree.ok("artifact", "list", "@", "-R", "--tag", "x").lines == ["t/a.txt"]
    assert tree.ok("artifact", "list", "@", "-R", "--type", "document").lines == ["t/a.txt"]
    assert tree.ok("artifact", "list", "@", "t/a.txt").lines == ["t/a.txt"]
    assert tree.ok("artifact", "list", "@", "-Rz").raw == b"t/a.txt\0t/link\0t/sub/b.bin\0"
    assert "no artifact 'x'" in tree.fails(3, "artifact", "list", "@", "x")


def test_list_long(tree):
    rows = [line.split("\t") for line in tree.ok("artifact", "list", "@", "t", "-l").lines]
    shown = tree.ok("artifact", "show", "@", "t/a.txt", "--json").json
    assert rows[0] == ["file", "0600", "1", "2", "2", shown["updated_at"], "document", shown["oid"], "t/a.txt"]
    assert [(row[0], row[1], row[8]) for row in rows[1:]] == [
        ("symlink", "0777", "t/link"),
        ("directory", "0500", "t/sub"),
    ]
    header, first, *_ = tree("artifact", "list", "@", "-lR", terminal=True, NO_COLOR="1").lines
    assert header.split()[:3] == ["KIND", "MODE", "VERSION"]
    assert shown["oid"][:12] in first and shown["oid"] not in first


def test_list_as_json(tree):
    listed = tree.ok("artifact", "list", "@", "-R", "--json").json
    assert [artifact["path"] for artifact in listed] == ["t/a.txt", "t/link", "t/sub/b.bin"]
    assert listed[2]["compression"] == "lz4" and listed[2]["stored_size"] < listed[2]["size"] == 20_000


def test_show(tree):
    lines = dict(line.split("\t") for line in tree.ok("artifact", "show", "@", "t/a.txt").lines)
    assert (lines["path"], lines["tags"], lines["mode"], lines["target"]) == ("t/a.txt", "x", "0600", "")
    assert "no artifact 'x'" in tree.fails(3, "artifact", "show", "@", "x")
    assert "'..'" in tree.fails(2, "artifact", "show", "@", "t/../x")


def test_cat(tree):
    assert tree.ok("artifact", "cat", "@", "t/a.txt", "t/sub/b.bin").raw == b"a\n" + b"\0\xff" * 10_000
    assert "is a directory, which has no content" in tree.fails(2, "artifact", "cat", "@", "t")
    assert "is a symlink, which has no content" in tree.fails(2, "artifact", "cat", "@", "t/link")
    assert "no artifact 'x'" in tree.fails(3, "artifact", "cat", "@", "t/a.txt", "x")


def test_get_a_file(tree):
    assert tree.ok("artifact", "get", "@", "t/a.txt").out == ""
    status = (tree.cwd / "a.txt").stat()
    assert (tree.cwd / "a.txt").read_text() == "a\n"
    assert stat.S_IMODE(status.st_mode) == 0o600 and status.st_mtime_ns == 1_700_000_000_123_456_789
    tree.ok("artifact", "get", "@", "t/a.txt", "other.txt")
    assert (tree.cwd / "other.txt").read_text() == "a\n"
    (tree.cwd / "dir").mkdir()
    tree.ok("artifact", "get", "@", "t/a.txt", "dir")
    assert (tree.cwd / "dir/a.txt").read_text() == "a\n"


def test_get_never_overwrites_without_force(tree):
    tree.write("a.txt", "mine")
    assert "a.txt: it is there already" in tree.fails(5, "artifact", "get", "@", "t/a.txt")
    assert (tree.cwd / "a.txt").read_text() == "mine"
    tree.ok("artifact", "get", "@", "t/a.txt", "--force")
    assert (tree.cwd / "a.txt").read_text() == "a\n"
    (tree.cwd / "into/a.txt").mkdir(parents=True)
    assert "it is there already" in tree.fails(5, "artifact", "get", "-f", "@", "t/a.txt", "into")


def test_get_replaces_a_link_and_not_what_it_points_to(tree):
    tree.write("precious", "mine")
    (tree.cwd / "a.txt").symlink_to("precious")
    tree.ok("artifact", "get", "@", "t/a.txt", "-f")
    assert (tree.cwd / "precious").read_text() == "mine" and not (tree.cwd / "a.txt").is_symlink()


def test_get_a_directory(tree):
    tree.ok("artifact", "get", "@", "t", "out")
    out = tree.cwd / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        "a.txt",
        "link",
        "sub",
        "sub/b.bin",
        "sub/empty",
    ]
    assert (out / "sub/b.bin").read_bytes() == b"\0\xff" * 10_000
    assert os.readlink(out / "link") == "nowhere"
    assert stat.S_IMODE((out / "sub").stat().st_mode) == 0o500
    (out / "sub").chmod(0o755)
    tree.ok("artifact", "get", "@", "t", "out")  # into it, since it is there now
    assert (out / "t/a.txt").exists()
    assert "out/t: it is there already" in tree.fails(5, "artifact", "get", "@", "t", "out")
    (out / "t/a.txt").write_text("changed")
    (out / "t/sub").chmod(0o755)
    tree.ok("artifact", "get", "@", "t", "out", "--force")
    assert (out / "t/a.txt").read_text() == "a\n"
    (out / "t/sub").chmod(0o755)


def test_get_the_whole_session(tree):
    tree.ok("artifact", "get", "@", ".")
    assert (tree.cwd / "q4/t/a.txt").exists()
    (tree.cwd / "q4/t/sub").chmod(0o755)
    listed = tree.ok("artifact", "get", "@", "/", "all", "--json").json
    assert [artifact["path"] for artifact in listed if artifact["kind"] != "directory"] == [
        "t/a.txt",
        "t/link",
        "t/sub/b.bin",
    ]
    (tree.cwd / "all/t/sub").chmod(0o755)


def test_get_refuses(tree):
    assert "no artifact 'x'" in tree.fails(3, "artifact", "get", "@", "x")
    assert "No such file or directory" in tree.fails(3, "artifact", "get", "@", "t/a.txt", "no/dir/a.txt")
    assert "artifact cat" in tree.fails(2, "artifact", "get", "@", "t/a.txt", "-")


def test_get_says_what_it_leaves_out(tree):
    store = Store(str(tree.store))  # only the mount makes sockets
    with store.session("q4").writing() as session:
        session.append("artifact.stored", events.Stored(path="t/sock", kind="socket", ino=1 << 51))
    store.close()
    result = tree("artifact", "get", "@", "t", "out")
    assert (result.code, result.err) == (1, "sessionfs: artifact get: left out 't/sock', a socket\n")
    assert (tree.cwd / "out/a.txt").exists() and not (tree.cwd / "out/sock").exists()
    (tree.cwd / "out/sub").chmod(0o755)


def test_a_damaged_object_is_never_given_out_as_a_file(tree):
    oid = tree.ok("artifact", "show", "@", "t/a.txt", "--json").json["oid"]
    path = tree.store / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"b\n")
    assert f"object {oid} is damaged" in tree.fails(6, "artifact", "get", "@", "t/a.txt")
    assert [path.name for path in tree.cwd.iterdir()] == ["tree"]
    result = tree("artifact", "cat", "@", "t/a.txt")
    assert result.code == 6 and f"object {oid} is damaged" in result.err
    path.unlink()
    assert f"object {oid} is missing" in tree.fails(6, "artifact", "cat", "@", "t/a.txt")


def test_what_has_a_long_name_comes_out_again(q4):
    for name in ("東" * 85, "a" * 255):
        q4.write(f"in/{name}", "1")
    q4.ok("artifact", "put", "@", "in")
    q4.ok("artifact", "get", "@", "in", "all")
    assert sorted(os.listdir(q4.cwd / "all")) == sorted(os.listdir(q4.cwd / "in"))


def test_a_place_where_nothing_can_be_is_named_as_it_was_asked_for(q4):
    q4.write("a", "1")
    q4.ok("artifact", "put", "@", "a")
    assert f"{q4.cwd}/none/x: No such file" in q4.fails(3, "artifact", "get", "@", "a", "none/x")
    assert f"{q4.cwd}/a/x: Not a directory" in q4.fails(3, "artifact", "get", "@", "a", "a/x")
    long = "b" * 256
    assert f"{q4.cwd}/{long}: File name too long" in q4.fails(2, "artifact", "get", "@", "a", long)
    assert os.listdir(q4.cwd) == ["a"]
