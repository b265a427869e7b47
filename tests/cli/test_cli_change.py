"""artifact mv, cp, rm, tag, set."""

from __future__ import annotations

import pytest


@pytest.fixture
def tree(q4):
    q4.write("a.txt", "a")
    q4.write("dir/b.txt", "b")
    q4.ok("artifact", "put", "@", "a.txt", "dir", "--tag", "old", "--meta", "n=1")
    return q4


def paths(cli) -> list[str]:
    return cli.ok("artifact", "list", "@", "-R").lines


def show(cli, path):
    return cli.ok("artifact", "show", "@", path, "--json").json


def test_move(tree):
    assert tree.ok("artifact", "mv", "@", "a.txt", "new/c.txt").out == ""
    assert paths(tree) == ["dir/b.txt", "new/c.txt"]
    tree.ok("artifact", "mv", "@", "dir", "new")
    assert paths(tree) == ["new/c.txt", "new/dir/b.txt"]
    tree.ok("artifact", "mv", "@", "new/dir/b.txt", "else/where/")
    assert tree.ok("artifact", "mv", "@", "new/c.txt", ".", "--json").json["path"] == "c.txt"
    assert paths(tree) == ["c.txt", "else/where/b.txt"]
    tree.ok("artifact", "mv", "@", "c.txt", "else/where/b.txt")
    assert tree.ok("artifact", "cat", "@", "else/where/b.txt").raw == b"a"
    assert show(tree, "else/where/b.txt")["version"] == 2


def test_copy(tree):
    copied = tree.ok("artifact", "cp", "@", "a.txt", "dir", "--json").json
    assert (copied["path"], copied["parent"], copied["oid"]) == (
        "dir/a.txt",
        show(tree, "a.txt")["id"],
        show(tree, "a.txt")["oid"],
    )
    tree.ok("artifact", "cp", "@", "dir", "dir2")
    assert paths(tree) == ["a.txt", "dir/a.txt", "dir/b.txt", "dir2/a.txt", "dir2/b.txt"]
    assert tree.ok("status", "--json").json["objects"]["blob"] == 2


@pytest.mark.parametrize("verb", ["mv", "cp"])
def test_move_and_copy_refuse(tree, verb):
    assert "no artifact 'x'" in tree.fails(3, "artifact", verb, "@", "x", "y")
    assert "below itself" in tree.fails(2, "artifact", verb, "@", "dir", "dir/sub")
    assert "'..'" in tree.fails(2, "artifact", verb, "@", "a.txt", "../y")
    assert "TARGET is missing" in tree.fails(2, "artifact", verb, "@", "a.txt")
    message = tree.fails({"mv": 2, "cp": 5}[verb], "artifact", verb, "@", "dir", "a.txt")
    assert "'a.txt'" in message
    tree.ok("session", "suspend")
    assert "is suspended" in tree.fails(4, "artifact", verb, "@", "a.txt", "y")
    assert paths(tree) == ["a.txt", "dir/b.txt"]


def test_remove(tree):
    assert "is not empty; -r removes it" in tree.fails(5, "artifact", "rm", "@", "a.txt", "dir")
    assert "no artifact 'x'" in tree.fails(3, "artifact", "rm", "@", "a.txt", "x")
    assert paths(tree) == ["a.txt", "dir/b.txt"]
    gone = tree.ok("artifact", "rm", "-r", "@", "dir/b.txt", "dir", "dir/", "--json").json
    assert [artifact["path"] for artifact in gone] == ["dir/b.txt", "dir", "dir"]
    tree.ok("artifact", "rm", "@", "a.txt")
    assert paths(tree) == []


def test_remove_an_empty_directory_and_what_is_inside_another(tree):
    tree.ok("artifact", "rm", "@", "dir/b.txt")
    tree.ok("artifact", "rm", "@", "dir")
    tree.write("t/u/v", "x")
    tree.ok("artifact", "put", "@", "t")
    tree.ok("artifact", "rm", "-r", "@", "t", "t/u")
    assert paths(tree) == ["a.txt"]


def test_tag(tree):
    tree.ok("artifact", "tag", "@", "a.txt", "dir/b.txt", "--add", "new", "--add", "more", "--remove", "old")
    assert show(tree, "a.txt")["tags"] == show(tree, "dir/b.txt")["tags"] == ["new", "more"]
    tagged = tree.ok("artifact", "tag", "@", "a.txt", "--remove", "more", "--json").json
    assert [artifact["tags"] for artifact in tagged] == [["new"]]
    assert "nothing to change" in tree.fails(2, "artifact", "tag", "@", "a.txt")
    assert "is no tag" in tree.fails(2, "artifact", "tag", "@", "a.txt", "--add", "a,b")


def test_set(tree):
    changed = tree.ok(
        "artifact", "set", "@", "a.txt", "--type", "model", "--mime", "a/b", "--description", "d", "--meta", "s=t",
        "--unset-meta", "n", "--json",
    ).json  # fmt: skip
    wanted = {"type": "model", "mime_type": "a/b", "description": "d", "metadata": {"s": "t"}, "version": 1}
    assert {field: changed[0][field] for field in wanted} == wanted
    tree.ok("artifact", "set", "@", "a.txt", "--type", "", "--mime", "", "--description", "")
    after = show(tree, "a.txt")
    assert (after["type"], after["mime_type"], after["description"]) == ("document", "text/plain", None)
    assert after["metadata"] == {"s": "t"}


def test_set_is_all_or_nothing(tree):
    assert "no artifact 'x'" in tree.fails(3, "artifact", "set", "@", "a.txt", "x", "--type", "model")
    assert "is no type" in tree.fails(2, "artifact", "set", "@", "a.txt", "--type", "a b")
    assert "nothing to change" in tree.fails(2, "artifact", "set", "@", "a.txt")
    assert show(tree, "a.txt")["type"] == "document"
