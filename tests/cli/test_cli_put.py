"""artifact put: what is stored, where, and what is refused before anything is."""

from __future__ import annotations

import os

import pytest

from sessionfs.oid import hash_bytes

FIELDS = {
    "path", "name", "kind", "id", "oid", "version", "type", "mime_type", "description", "tags", "metadata", "size",
    "stored_size", "compression", "created_at", "updated_at", "mtime", "created_by", "parent", "mode", "uid", "gid",
    "links", "target",
}  # fmt: skip


def paths(cli) -> list[str]:
    return cli.ok("artifact", "list", "@", "-R").lines


def test_a_file(q4):
    path = q4.write("reports/final.txt", "hello\n")
    os.utime(path, ns=(5, 1_700_000_000_123_456_789))
    path.chmod(0o640)
    oid = hash_bytes(b"hello\n")
    assert q4.ok("artifact", "put", "@", "reports/final.txt").out == f"1\t6\t{oid}\tfinal.txt\n"
    [artifact] = q4.ok("artifact", "put", "@", "reports/final.txt", "--json").json
    assert set(artifact) == FIELDS
    wanted = {
        "path": "final.txt", "kind": "file", "oid": oid, "version": 2, "type": "document", "mime_type": "text/plain",
        "size": 6, "mode": "0640", "mtime": "2023-11-14T22:13:20.123456789Z", "description": None, "tags": [],
    }  # fmt: skip
    assert {field: artifact[field] for field in wanted} == wanted
    assert q4.ok("artifact", "cat", "@", "final.txt").raw == b"hello\n"


def test_attributes(q4):
    q4.write("a", b"\0")
    [artifact] = q4.ok(
        "artifact", "put", "q4", "a", "--type", "my_kind", "--tag", "x", "--tag", "y", "--meta", "n=1", "--meta", "s=t",
        "--mime", "application/x-thing", "--description", "a thing", "--as", "deep/er/b", "--json",
    ).json  # fmt: skip
    wanted = {
        "path": "deep/er/b", "name": "b", "type": "my_kind", "tags": ["x", "y"], "metadata": {"n": 1, "s": "t"},
        "mime_type": "application/x-thing", "description": "a thing",
    }  # fmt: skip
    assert {field: artifact[field] for field in wanted} == wanted


def test_standard_input(q4):
    content = os.urandom(100_000) * 3
    q4.ok("artifact", "put", "@", "-", "--as", "in/data.bin", stdin=content)
    assert q4.ok("artifact", "cat", "@", "in/data.bin").raw == content
    assert "give it one with --as" in q4.fails(2, "artifact", "put", "@", "-")
    assert "give it one with --as" in q4.fails(2, "artifact", "put", "@", "-", "--as", "dir/")


def test_a_directory(q4):
    q4.write("tree/a.txt", "a")
    q4.write("tree/sub/b.txt", "b")
    (q4.cwd / "tree/link").symlink_to("a.txt")
    (q4.cwd / "tree/empty").mkdir()
    lines = q4.ok("artifact", "put", "@", "tree/").lines
    assert [line.split("\t")[3] for line in lines] == ["tree/a.txt", "tree/link", "tree/sub/b.txt"]
    assert q4.ok("artifact", "show", "@", "tree/link", "--json").json["target"] == "a.txt"
    assert q4.ok("artifact", "show", "@", "tree/empty", "--json").json["kind"] == "directory"
    q4.ok("artifact", "put", "@", "tree", "--as", "other")
    q4.ok("artifact", "put", "@", "tree", "--as", "into/")
    assert "other/sub/b.txt" in paths(q4) and "into/tree/sub/b.txt" in paths(q4)


def test_what_is_in_a_directory_goes_to_the_top_for_a_dot(q4):
    q4.write("a.txt", "a")
    q4.write("sub/b.txt", "b")
    q4.ok("artifact", "put", "@", ".")
    assert paths(q4) == ["a.txt", "sub/b.txt"]
    q4.ok("artifact", "put", "@", "sub/..", "--as", "all/")
    assert "all/sub/b.txt" in paths(q4)


def test_a_store_is_not_put_into_itself(q4):
    q4.write("a.txt", "a")
    (q4.cwd / "runs").mkdir()
    q4.ok("init", "runs")
    q4.ok("session", "create", "--id", "s", "--store", "runs")
    assert "runs, the store or a mount" in q4.fails(2, "artifact", "put", "s", ".", "--store", "runs")
    assert "runs, the store or a mount" in q4.fails(2, "artifact", "put", "s", "runs", "--store", "runs")
    q4.ok("artifact", "put", "s", "a.txt", "--store", "runs")


def test_several_paths(q4):
    q4.write("a", "1")
    q4.write("b", "2")
    q4.ok("artifact", "put", "@", "a", "b")
    q4.ok("artifact", "put", "@", "a", "b", "--as", "in/")
    assert paths(q4) == ["a", "b", "in/a", "in/b"]
    assert "end it with '/'" in q4.fails(2, "artifact", "put", "@", "a", "b", "--as", "c")
    q4.write("sub/a", "3")
    assert "would both become 'a'" in q4.fails(2, "artifact", "put", "@", "a", "sub/a")
    assert q4.ok("artifact", "show", "@", "a", "--json").json["version"] == 1


def test_a_link_that_is_named_is_followed(q4):
    q4.write("a", "content")
    (q4.cwd / "link").symlink_to("a")
    q4.ok("artifact", "put", "@", "link")
    assert q4.ok("artifact", "show", "@", "link", "--json").json["kind"] == "file"


def test_a_pipe_is_read_once(q4):
    reading, writing = os.pipe()
    try:
        os.write(writing, b"through a pipe")
        os.close(writing)
        q4.ok("artifact", "put", "@", f"/dev/fd/{reading}", "--as", "piped")
    finally:
        os.close(reading)
    assert q4.ok("artifact", "cat", "@", "piped").raw == b"through a pipe"


def test_names_that_are_no_utf8(q4):
    name = os.fsdecode(b"b\xff\\c\n")
    q4.write(name, "x")
    assert q4.ok("artifact", "put", "@", name).out.endswith("\tb\\xff\\\\c\\x0a\n")
    assert q4.ok("artifact", "show", "@", name, "--json").json["path"] == "b\\xff\\\\c\n"
    assert q4.ok("artifact", "list", "@", "-z").raw == b"b\xff\\c\n\0"
    assert q4.ok("artifact", "cat", "@", name).raw == b"x"


def test_names_that_look_like_options(q4):
    q4.write("--tag", "x")
    q4.ok("artifact", "put", "@", "--tag", "t", "--", "--tag")
    assert q4.ok("artifact", "show", "@", "--json", "--", "--tag").json["tags"] == ["t"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nobody", "a"], 3, "no session has the id, the start of an id, or the name 'nobody'"),
        (["@", "missing"], 3, "missing: No such file or directory"),
        (["@", "a/b"], 3, "a/b: Not a directory"),
        (["@", "a", "missing"], 3, "missing: No such file"),
        (["@", "a", "--as", "../out"], 2, "'..'"),
        (["@", "a", "--as", "/etc/passwd"], 2, "'/etc/passwd' is absolute"),
        (["@", "a", "--as", "x//y"], 2, "holds an empty name"),
        (["@", "a", "--as", ""], 2, "an artifact needs a name"),
        (["@", "a", "--as", "n" * 256], 2, "at most 255 are possible"),
        (["@", "a", "--as", "nul\0"], 2, "cannot hold NUL"),
        (["@", "a", "--type", "two words"], 2, "is no type"),
        (["@", "a", "--mime", "word"], 2, "is no mime type"),
        (["@", "a", "--tag", ""], 2, "is no tag"),
        (["@", "a", "--meta", "=v"], 2, "is no metadata"),
        (["@", "a", "--meta", "sessionfs.oid=v"], 2, "reserved"),
        (["@"], 2, "PATH is missing"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(q4, words, code, message):
    q4.write("a", "x")
    assert message in q4.fails(code, "artifact", "put", *words)
    assert q4.ok("session", "show", "--json").json["event_count"] == 1


def test_a_session_that_is_not_active(q4):
    q4.write("a", "x")
    q4.ok("session", "complete")
    assert "is completed, so it is read-only" in q4.fails(4, "artifact", "put", "@", "a")


def test_limits(q4):
    (q4.store / "config.toml").write_text("[limits]\nmax_artifact_size = 4\nmax_artifacts_per_session = 2\n")
    q4.write("large", "12345")
    q4.write("small", "1234")
    message = q4.fails(5, "artifact", "put", "@", "large")
    assert "limits.max_artifact_size is 4" in message and "config.toml" in message
    assert "limits.max_artifact_size is 4" in q4.fails(5, "artifact", "put", "@", "-", "--as", "x", stdin=b"12345")
    q4.ok("artifact", "put", "@", "small")
    q4.ok("artifact", "put", "@", "small", "--as", "b")
    assert "limits.max_artifacts_per_session is 2" in q4.fails(5, "artifact", "put", "@", "small", "--as", "c")
    assert paths(q4) == ["b", "small"]


def test_a_terminal_sees_a_table_and_for_many_a_sum(q4):
    q4.write("few/a", "x" * 2048)
    table = q4("artifact", "put", "@", "few", terminal=True, NO_COLOR="1").lines
    assert table[0].split() == ["VERSION", "SIZE", "OID", "PATH"]
    assert table[1].startswith("      1  2.0 KiB  ") and table[1].endswith("  few/a")
    for number in range(21):
        q4.write(f"many/{number}", "x")
    assert q4("artifact", "put", "@", "many", terminal=True).out == "21 artifacts stored, 21 B\n"
    assert len(q4.ok("artifact", "put", "@", "many").lines) == 21


def test_compare_and_swap(q4):
    q4.write("f", "1")
    q4.ok("artifact", "put", "@", "f", "--if-none-match")
    assert "already" in q4.fails(5, "artifact", "put", "@", "f", "--if-none-match")
    q4.write("f", "2")
    assert q4.ok("artifact", "put", "@", "f", "--if-match", hash_bytes(b"1")).out.startswith("2\t1\t")
    assert "decide anew" in q4.fails(5, "artifact", "put", "@", "f", "--if-match", hash_bytes(b"1"))
    assert "64 hex digits" in q4.fails(2, "artifact", "put", "@", "f", "--if-match", "abcd")
    q4.write("g", "1")
    message = q4.fails(2, "artifact", "put", "@", "f", "g", "--if-match", hash_bytes(b"2"))
    assert "single file" in message
    assert q4.ok("artifact", "cat", "@", "f").raw == b"2"


def test_a_directory_with_something_that_cannot_be_stored_stores_nothing(q4):
    q4.write("d/a", "1")
    q4.write("d/z/last", "1")
    os.mkfifo(q4.cwd / "d/z/pipe")
    before = q4.ok("cat-log", "q4").raw
    assert "d/z/pipe is neither a file" in q4.fails(2, "artifact", "put", "@", "d")
    assert q4.ok("cat-log", "q4").raw == before


def test_what_came_before_a_failure_stays_and_one_undo_takes_it_back(q4):
    (q4.store / "config.toml").write_text("[limits]\nmax_artifacts_per_session = 3\n")
    q4.write("kept", "0")
    q4.ok("artifact", "put", "@", "kept")
    for name in "abc":
        q4.write(f"d/{name}", name)
    assert "limits.max_artifacts_per_session is 3" in q4.fails(5, "artifact", "put", "@", "d")
    assert paths(q4) == ["d/a", "d/b", "kept"]
    assert q4("undo").code == 0
    assert q4.ok("artifact", "list", "@").lines == ["kept"]
