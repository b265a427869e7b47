"""``export``, ``import`` and ``bundle``, as people and scripts use them."""

from __future__ import annotations

import io
import os
import tarfile


def test_export_and_import(q4, tmp_path):
    q4.ok("artifact", "put", "@", "-", "--as", "notes/a.txt", "--tag", "draft", stdin=b"one\n")
    q4.ok("state", "set", "@", "step", "3")
    assert q4.ok("export", "@", "out").out == ""
    assert (q4.cwd / "out/artifacts/notes/a.txt").read_bytes() == b"one\n"
    q4.ok("artifact", "put", "@", "-", "--as", "later", stdin=b"x")
    said = q4.ok("--json", "export", "q4@{0}", "then.tgz", "--all-versions").json
    assert (said["session_id"], said["artifact_count"], said["absent"]) == ("q4", 0, [])
    archive = q4.ok("export", "@", "-").raw
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        assert members.next().name == "session.json"
    assert q4.ok("import", "-", "--id", "piped", "--tag", "copy", "--use", stdin=archive).out == "piped\n"
    shown = q4.ok("--json", "session", "show", "@").json
    assert (shown["id"], shown["name"], shown["tags"], shown["artifact_count"]) == (
        "piped",
        "Fourth quarter",
        ["copy"],
        2,
    )
    assert q4.ok("--json", "import", "out", "--id", "again").json["came_from"] == "q4"
    assert q4.ok("diff", "q4@{3}", "again").out == ""
    assert q4.ok("artifact", "list", "again", "-R", "--json").json[0]["tags"] == ["draft"]


def test_what_export_and_import_refuse(q4):
    q4.ok("export", "@", "out")
    assert "is no empty directory" in q4.fails(5, "export", "@", "out")
    assert "is in the store" in q4.fails(2, "export", "@", str(q4.store / "x"))
    assert "no/such: No such file" in q4.fails(3, "export", "@", "no/such")
    assert "nobody" in q4.fails(3, "export", "nobody", "x")
    assert "already a session 'q4'" in q4.fails(5, "import", "out")
    assert "the store or a mount" in q4.fails(2, "import", str(q4.store.parent))
    assert "nowhere: No such file" in q4.fails(3, "import", "nowhere")
    assert "as a tar archive" in q4.fails(6, "import", "-", stdin=b"no archive")
    assert q4("export", "@", "-", terminal=True).code == 2
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../up"))
    assert "outside the tree" in q4.fails(2, "import", "-", stdin=out.getvalue())
    assert len(q4.ok("session", "list").lines) == 1


def test_what_is_left_out_is_said(q4):
    q4.ok("artifact", "put", "@", "-", "--as", "a", stdin=b"x")
    os.mkdir(q4.cwd / "in")
    os.mkfifo(q4.cwd / "in/fifo")
    (q4.cwd / "in/file").touch()
    os.setxattr(q4.cwd / "in/file", "trusted.mine", b"x")
    done = q4("import", "in", "--id", "in")
    assert done.code == 0 and done.err == "sessionfs: import: extended attributes outside user. are not kept: trusted\n"


def test_bundles(q4, tmp_path):
    q4.ok("artifact", "put", "@", "-", "--as", "a", stdin=b"x")
    q4.ok("session", "create", "--id", "other")
    (line,) = q4.ok("bundle", "create", "q4.bundle", "q4").lines
    assert line.split("\t")[:3] == ["q4", "0", "1"]
    assert q4.ok("bundle", "verify", "q4.bundle").lines == [line]
    assert q4.ok("--json", "bundle", "verify", "q4.bundle").json["sessions"][0]["last"] == 1
    content = (q4.cwd / "q4.bundle").read_bytes()
    assert q4.ok("bundle", "create", "-", "q4").raw.startswith(b"sessionfs bundle 1\n")
    assert "cut short" in q4.fails(6, "bundle", "verify", "-", stdin=content[:-1])
    there = {"SESSIONFS_STORE": str(tmp_path / "there")}
    q4.ok("init", **there)
    assert q4.ok("bundle", "unbundle", "-", stdin=content, **there).lines[0] == "new\tq4\t2"
    assert q4.ok("bundle", "unbundle", "q4.bundle", **there).lines[0] == "unchanged\tq4\t0"
    q4.ok("state", "set", "q4", "k", "1")
    q4.ok("bundle", "create", "new.bundle", "q4", "--since", "1")
    assert q4.ok("--json", "bundle", "unbundle", "new.bundle", **there).json["sessions"][0]["outcome"] == "extended"
    q4.ok("state", "set", "q4", "k", "2")
    q4.ok("state", "set", "q4", "k", "3", **there)
    q4.ok("bundle", "create", "q4.bundle", "q4")
    done = q4("bundle", "unbundle", "q4.bundle", **there)
    assert done.code == 5 and done.lines[0].startswith("refused\tq4\t0\t")
    q4.ok("init", SESSIONFS_STORE=str(tmp_path / "third"))
    said = q4.fails(3, "bundle", "unbundle", "new.bundle", SESSIONFS_STORE=str(tmp_path / "third"))
    assert "needs q4 up to record 1" in said
    assert "nobody" in q4.fails(3, "bundle", "create", "x", "nobody")


def test_results_can_have_names_as_long_as_any(q4):
    characters = "😀" * 63
    q4.ok("export", "@", characters)
    q4.ok("export", "@", f"{characters[:60]}.tar")
    q4.ok("bundle", "create", f"{characters[:61]}.b", "@")
    assert len(os.listdir(q4.cwd)) == 3


def test_a_file_that_is_no_bundle_is_named(q4):
    path = q4.write("notes", "no bundle")
    for verb in ("verify", "unbundle"):
        assert f"{path} is no whole bundle" in q4.fails(6, "bundle", verb, "notes")
