"""Sessions out as ordinary files and in again: real trees, what people edit, and archives that nobody should trust."""

from __future__ import annotations

import io
import os
import re
import socket
import stat
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest
from exported import describe_exported

import sessionfs
from sessionfs.backup.export_sidecar import NewerExport
from sessionfs.backup.import_tar import DamagedArchive
from sessionfs.errors import Conflict, Denied, InvalidInput
from sessionfs.fsck import check
from sessionfs.hooks import Cancel, Modify
from sessionfs.store.pinned import pin
from sessionfs.store.settings import configure

README = Path(sessionfs.__file__).parents[1] / "README.md"


@pytest.fixture
def store(tmp_path):
    return sessionfs.open(tmp_path / "store", create=True, background_sync=False)


@pytest.fixture
def q4(store):
    session = store.sessions.create("Q4", id="q4", tags=["sales"], metadata={"n": 1})
    session.artifacts.put("notes/a.txt", "one\n", tags=["draft"], metadata={"author": "x", "n": 3})
    session.artifacts.put("notes/a.txt", "two\n")
    session.artifacts.link("notes/a.txt", "b.txt")
    session.artifacts.make_symlink("out", "../../etc/passwd")
    session.state["step"] = {"z": [1]}
    configure(session.core, {"retention.keep_versions": 5})
    pin(session.core, "notes/a.txt", "for the report")
    return session


def tar_of(*members, format=tarfile.PAX_FORMAT):
    """Return an archive of members: a name, and what is said of it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, said in members:
            info = tarfile.TarInfo(name)
            data = said.get("data", b"")
            info.size = len(data)
            for field, value in said.items():
                if field != "data":
                    setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def is_clean(store):
    return [fault for fault in check(store.core) if fault.is_damage] == []


# Out


@pytest.mark.slow
def test_a_real_tree_comes_back_the_same(store, tmp_path):
    """The Python standard library's packages, by way of the CLI's own verbs: put, export, import."""
    library = sysconfig.get_paths()["stdlib"]
    session = store.sessions.create(id="lib")
    for package in ("concurrent", "email", "json", "xml"):
        session.artifacts.put_tree(f"{library}/{package}", package)
    known = describe_exported(session)
    assert len(known["nodes"]) > 50
    session.export(tmp_path / "lib")
    diff = ["diff", "-r", f"{library}/email", tmp_path / "lib/artifacts/email"]
    assert subprocess.run(diff, capture_output=True, check=True).stdout == b""
    session.export(tmp_path / "lib.tar.gz")
    for source in ("lib", "lib.tar.gz"):
        imported = store.import_session(tmp_path / source, id=f"again-{source}")
        assert describe_exported(store.sessions[imported.session_id]) == known
    assert is_clean(store)


def test_an_export_is_ordinary_files(q4, tmp_path):
    q4.artifacts.update("notes/a.txt", mode=0o640, mtime_ns=1_000_000_001)
    exported = q4.export(tmp_path / "out")
    assert (exported.artifact_count, exported.state_count, exported.absent) == (3, 1, ())
    top = tmp_path / "out"
    assert sorted(os.listdir(top)) == ["artifacts", "session.json", "state"]
    status = os.stat(top / "artifacts/b.txt")
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_nlink) == (0o640, 1_000_000_001, 2)
    assert os.readlink(top / "artifacts/out") == "../../etc/passwd"
    assert (top / "state/step").read_bytes() == b'{"z":[1]}'
    assert os.getxattr(top / "artifacts/b.txt", "user.author") == b"x"
    assert os.getxattr(top / "artifacts/b.txt", "user.sessionfs.tags") == b"draft"


def test_gnu_tar_reads_an_export(q4, tmp_path):
    q4.artifacts.put("x" * 255, "long name", mtime_ns=1_795_214_641_123_456_789)
    q4.export(tmp_path / "q4.tar.gz")
    (tmp_path / "there").mkdir()
    tar = ["tar", "--xattrs", "-xf", tmp_path / "q4.tar.gz", "-C", tmp_path / "there"]
    assert subprocess.run(tar, capture_output=True, check=True).stderr == b""
    q4.export(tmp_path / "out")
    diff = ["diff", "-r", "--no-dereference", tmp_path / "out", tmp_path / "there"]
    assert subprocess.run(diff, capture_output=True, check=True).stdout == b""
    place = tmp_path / "there/artifacts" / ("x" * 255)
    assert os.stat(place).st_mtime_ns == 1_795_214_641_123_456_789
    assert os.getxattr(tmp_path / "there/artifacts/b.txt", "user.author") == b"x"


def test_nothing_is_written_where_something_is(q4, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("full", "file", "link"):
        with pytest.raises(Conflict, match="is there already"):
            q4.export(tmp_path / name)
    with pytest.raises(Conflict, match="is a directory"):
        q4.export(tmp_path / "full", format="tar")
    (tmp_path / "empty").mkdir()
    q4.export(tmp_path / "empty")
    with pytest.raises(InvalidInput, match="these are possible"):
        q4.export(tmp_path / "x", format="zip")
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]


def test_damaged_content_leaves_no_export(q4, store, tmp_path):
    (place,) = store.objects.paths(q4.artifacts["b.txt"].oid)
    os.chmod(place, 0o600)
    with open(place, "wb") as file:
        file.write(b"TWO\n")
    for name in ("out", "out.tar"):
        with pytest.raises(sessionfs.Corrupt):
            q4.export(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_what_an_archive_cannot_hold_is_in_the_sidecar(q4, store, tmp_path):
    q4.core.artifacts.make_special("socket", "socket", mode=0o711)
    assert q4.export(tmp_path / "q4.tar").absent == ("socket",)
    store.import_session(tmp_path / "q4.tar", id="again")
    assert describe_exported(store.sessions["again"]) == describe_exported(q4)


def test_a_moment_with_all_versions(q4, store, tmp_path):
    moment = q4.event_count - 1
    q4.artifacts.put("b.txt", "three\n")
    q4.artifacts.put("later", "x")
    exported = q4.export(tmp_path / "out", moment=moment, all_versions=True)
    assert (exported.seq, exported.version_count) == (moment, 1)
    assert (tmp_path / "out/events").read_bytes().count(b"\n") == moment + 1
    imported = store.import_session(tmp_path / "out", id="again")
    again = store.sessions["again"]
    assert imported.version_count == 1
    assert [(version.number, version.read_bytes()) for version in again.versions("notes/a.txt")] == [
        (1, b"one\n"),
        (2, b"two\n"),
    ]
    assert again.artifacts["b.txt"].version == 2 and "later" not in again.artifacts
    again.artifacts.put("b.txt", "next")
    assert again.versions("notes/a.txt")[-1].number == 3
    assert is_clean(store)


# What was edited in between


def test_what_was_edited_counts(q4, store, tmp_path):
    q4.artifacts.put("gone", "x")
    q4.artifacts.put("script", "#!/bin/sh\n", tags=["tool"])
    q4.export(tmp_path / "out")
    top = tmp_path / "out/artifacts"
    (top / "gone").unlink()
    (top / "new").write_text("new")
    (top / "script").write_text("#!/bin/sh\nexit\n")
    (top / "script").chmod(0o755)
    os.setxattr(top / "notes/a.txt", "user.sessionfs.tags", b"final,read")
    os.setxattr(top / "notes/a.txt", "user.raw", b"\xff")
    (tmp_path / "out/state/step").write_text("  4 ")
    subprocess.run(["tar", "-czf", tmp_path / "out.tgz", "--xattrs", "-C", tmp_path, "out"], check=True)
    for source in ("out", "out.tgz"):
        again = store.sessions[store.import_session(tmp_path / source, id=f"by-{source}").session_id]
        assert sorted(again.artifacts) == ["b.txt", "new", "notes/a.txt", "out", "script"]
        script, notes = again.artifacts["script"], again.artifacts["notes/a.txt"]
        assert (script.version, script.mode, script.tags) == (2, 0o755, ("tool",))
        assert (notes.version, notes.tags, notes.metadata) == (2, ("final", "read"), {"author": "x", "n": 3})
        assert again.core.tree.resolve("b.txt").xattrs == {"user.raw": b"\xff"}
        assert dict(again.state) == {"step": 4}


def test_a_copy_that_lost_everything_but_contents(q4, store, tmp_path):
    q4.export(tmp_path / "out")
    subprocess.run(["cp", "-r", "--no-preserve=all", tmp_path / "out", tmp_path / "copy"], check=True)
    store.import_session(tmp_path / "copy", id="again")
    known, again = describe_exported(q4), describe_exported(store.sessions["again"])
    assert again["nodes"]["notes/a.txt"]["tags"] == ("draft",)
    del known["links"], again["links"], known["nodes"], again["nodes"]  # two files by now
    assert again == known


# Ordinary files


def test_an_ordinary_directory(store, tmp_path):
    top = tmp_path / "top"
    (top / "d").mkdir(parents=True)
    (top / "d/file").write_bytes(b"content")
    os.chmod(top / "d/file", 0o4711)
    os.utime(top / "d/file", ns=(5, 1_000_000_007))
    os.setxattr(top / "d/file", "user.sessionfs.type", b"code")
    os.setxattr(top / "d/file", "user.k", b"v")
    os.link(top / "d/file", top / "again")
    os.mkfifo(top / "fifo")
    os.symlink("/etc/passwd", top / "link")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))
    with open(top / "sparse", "wb") as file:
        file.truncate(64 << 20)
        file.seek(1 << 20)
        file.write(b"x")
    open(os.fsencode(top) + b"/caf\xe9", "w").close()
    os.utime(top / "d", ns=(1, 2_000_000_000))
    imported = store.import_session(top, name="Top", tags=["raw"])
    assert (imported.came_from, imported.artifact_count) == (None, 7)
    session = store.sessions[imported.session_id]
    assert (session.name, session.tags) == ("Top", ("raw",))
    assert [event.data for event in session.events("session.imported")] == [{"source": "top"}]
    tree = session.core.tree
    assert {path: node.kind for path, node in tree.walk()} == {
        "again": "file", "caf\udce9": "file", "d": "directory", "d/file": "file", "fifo": "fifo", "link": "symlink",
        "socket": "socket", "sparse": "file",
    }  # fmt: skip
    node = tree.resolve("d/file")
    assert node is tree.resolve("again") and (node.mode & 0o7777, node.mtime_ns) == (0o4711, 1_000_000_007)
    assert (node.type, node.metadata, tree.resolve("d").mtime_ns) == ("code", {"k": "v"}, 2_000_000_000)
    assert session.artifacts["sparse"].size == 64 << 20
    assert session.artifacts["sparse"].stored_size <= 64 << 20
    (place,) = store.objects.paths(session.artifacts["sparse"].oid)
    assert os.stat(place).st_blocks * 512 < 2 << 20
    with session.artifacts.open("sparse") as file:
        file.seek(1 << 20)
        assert file.read(2) == b"x\0"
    assert is_clean(store)


def test_ordinary_archives(store):
    members = [
        ("./", {"type": tarfile.DIRTYPE, "mode": 0o700}),
        ("./deep/er/file", {"data": b"1", "mtime": 7.25, "uid": 12}),
        ("./deep", {"type": tarfile.DIRTYPE, "mode": 0o711}),
        ("twice", {"data": b"first"}),
        ("kept", {"type": tarfile.LNKTYPE, "linkname": "./twice"}),
        ("twice", {"data": b"second"}),
        ("caf\udce9", {"data": b"2"}),
        ("é" * 127, {"data": b"3"}),
        ("device", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 1}),
        ("out", {"type": tarfile.SYMTYPE, "linkname": "../../../etc/shadow"}),
    ]
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        session = store.sessions[store.import_session(io.BytesIO(tar_of(*members, format=format))).session_id]
        assert sorted(session.artifacts) == ["caf\udce9", "deep/er/file", "device", "kept", "out", "twice", "é" * 127]
        assert session.artifacts.read("twice") == b"second" and session.artifacts.read("kept") == b"first"
        assert session.core.tree.resolve("deep").mode & 0o777 == 0o711
        assert session.core.tree.resolve("device").rdev == os.makedev(8, 1)
        assert session.artifacts["out"].target == "../../../etc/shadow"
        assert session.artifacts["deep/er/file"].mtime_ns == (
            7_250_000_000 if format == tarfile.PAX_FORMAT else 7 * 10**9
        )
    empty = store.import_session(io.BytesIO(tar_of()))
    assert empty.artifact_count == 0


def test_gnu_tars_of_sparse_files(store, tmp_path):
    with open(tmp_path / "holes", "wb") as file:
        file.write(b"begin")
        file.truncate(300 << 20)
        file.seek(200 << 20)
        file.write(b"end")
    for format in ("gnu", "posix"):
        archive = tmp_path / f"{format}.tar"
        subprocess.run(["tar", f"--format={format}", "-cSf", archive, "-C", tmp_path, "holes"], check=True)
        assert archive.stat().st_size < 1 << 20
        session = store.sessions[store.import_session(archive).session_id]
        assert session.artifacts["holes"].size == 300 << 20
        with session.artifacts.open("holes") as file:
            assert file.read(6) == b"begin\0"
            file.seek(200 << 20)
            assert file.read(4) == b"end\0"


# What is not to be trusted

BAD_MEMBERS = {
    "outside the tree": [("/etc/passwd", {})],
    "or steps up": [("a/../../b", {})],
    "is absolute": [("x", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})],
    "steps up": [("x", {"type": tarfile.LNKTYPE, "linkname": "../x"})],
    "nothing before it": [("x", {"type": tarfile.LNKTYPE, "linkname": "y"}), ("y", {})],
    "which is a symlink": [("d", {"type": tarfile.SYMTYPE, "linkname": "/etc"}), ("d/passwd", {"data": b"x"})],
    "which is a file": [("d", {}), ("d/passwd", {"data": b"x"})],
    "holds something": [("d/f", {}), ("d", {})],
    "at most 255": [("é" * 128, {})],
    "at most 4095": [("/".join(["x" * 200] * 21), {})],
    "unknown type": [("x", {"type": b"Z"})],
    "without a name": [("./", {"data": b"x"})],
}


@pytest.mark.parametrize("said", BAD_MEMBERS)
def test_bad_members_are_refused(store, said):
    archive = tar_of(("fine", {"data": b"fine"}), *BAD_MEMBERS[said])
    with pytest.raises(InvalidInput, match=said):
        store.import_session(io.BytesIO(archive))
    assert len(store.sessions) == 0 and os.listdir(store.core.layout.sessions) == []


def test_damaged_archives_are_refused(store):
    whole = tar_of(("a", {"data": b"a" * 2000}), ("b", {"data": b"b" * 2000}))
    headers = (0, 512 * 5)  # of the members
    cuts = [whole[:length] for length in (0, 100, 700, 512 * 5, 512 * 5 + 100, 512 * 8, 512 * 10)]
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (headers[0] + 5, headers[1] + 130)]
    import bz2
    import gzip
    import lzma

    import lz4.frame

    packed = [pack(whole) for pack in (gzip.compress, bz2.compress, lzma.compress, lz4.frame.compress)]
    for archive in packed:
        store.import_session(io.BytesIO(archive))
    known = len(store.sessions)
    broken = [archive[: len(archive) // 2] for archive in packed]
    for archive in [*cuts, *flipped, *broken, packed[0][:-6] + b"123456", b"no archive at all", b"\x28\xb5\x2f\xfd12"]:
        with pytest.raises(DamagedArchive):
            store.import_session(io.BytesIO(archive))
    assert len(store.sessions) == known


def test_headers_that_claim_too_much(store):
    archive = bytearray(tar_of(("x", {"data": b"y"})))
    for type, size in ((b"x", 8 << 30), (b"L", 8 << 30), (b"0", -512)):
        info = tarfile.TarInfo("x")
        info.type, info.size = type, abs(size)
        head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        if size < 0:
            head[124:136] = (2**96 + size).to_bytes(12, "big")
            head[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(head[:512]))[0]
        with pytest.raises(DamagedArchive):
            store.import_session(io.BytesIO(bytes(head) + bytes(archive)))


def test_sidecars_that_lie(q4, store, tmp_path):
    q4.export(tmp_path / "out")
    for name in os.listxattr(tmp_path / "out/artifacts/b.txt"):  # they count as well
        os.removexattr(tmp_path / "out/artifacts/b.txt", name)
    sidecar = tmp_path / "out/session.json"
    whole = sidecar.read_text()
    for found, lie, kind in [
        ("export 1", "export 2", NewerExport),
        ('"artifacts":[', '"artifacts":7,"x":[', sessionfs.Corrupt),
        ('"version":2', '"version":-1', sessionfs.Corrupt),
        ('"tags":["draft"]', '"tags":["a/b"]', InvalidInput),
        ('"tags":["draft"]', '"type":"no word","tags":[]', InvalidInput),
        ('"tags":["draft"]', '"mode":"99999","tags":[]', sessionfs.Corrupt),
        ('"tags":["draft"]', '"uid":-1,"tags":[]', InvalidInput),
        ('"mtime":"20', '"mtime":"xx', InvalidInput),
        ('"author":"x"', '"sessionfs.oid":"x"', InvalidInput),
        ('"tags":["sales"]', '"tags":[""]', InvalidInput),
    ]:
        assert found in whole
        sidecar.write_text(whole.replace(found, lie))
        with pytest.raises(kind):
            store.import_session(tmp_path / "out", id="again")
            pytest.fail(f"{lie} was believed")
        assert "again" not in store.sessions
    sidecar.unlink()
    assert store.import_session(tmp_path / "out", id="again").came_from is None


def test_limits_and_hooks_have_their_say(q4, store, tmp_path):
    q4.export(tmp_path / "q4.tar")
    with pytest.raises(Conflict, match="choose another id"):
        store.import_session(tmp_path / "q4.tar")

    @store.hooks.on("pre-artifact-store")
    def check_names(call):
        if call.action.path == "b.txt" and call.session == "refused":
            return Cancel("not this one")
        return None if call.action.link else Modify(tags=["checked"])

    told = []
    store.hooks.on("post-artifact-store", lambda call: told.append((call.seq, call.action.path)))
    with pytest.raises(Denied, match="not this one"):
        store.import_session(tmp_path / "q4.tar", id="refused")
    assert "refused" not in store.sessions
    store.import_session(tmp_path / "q4.tar", id="again")
    assert store.sessions["again"].artifacts["b.txt"].tags == ("checked",)
    assert [path for _, path in told] == ["b.txt", "notes", "notes/a.txt", "out"]

    config = store.core.layout.config
    with open(config, "w") as file:
        file.write('[limits]\nmax_artifacts_per_session = 2\nmax_artifact_size = "1KiB"\n')
    strict = sessionfs.open(store.path, background_sync=False)
    with pytest.raises(Conflict, match="max_artifacts_per_session"):
        strict.import_session(tmp_path / "q4.tar", id="many")
    with pytest.raises(Conflict, match="max_artifact_size"):
        strict.import_session(io.BytesIO(tar_of(("x", {"data": bytes(2000)}))), id="large")
    assert "many" not in strict.sessions and "large" not in strict.sessions


def test_memory_is_bounded(tmp_path):
    """A member of 256 MiB, out to an archive and in from a pipe, in a process that may have 160 MiB more."""
    sessionfs.open(tmp_path / "store", create=True).close()
    script = """
import os, sys, sessionfs
def peak():  # of this program alone: ru_maxrss is not less than that of the process that started it
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) >> 10
store = sessionfs.open(sys.argv[1], background_sync=False)
session = store.sessions.create(id="large")
with open("/dev/zero", "rb") as zeros:
    class Some:
        left = 256 << 20
        def read(self, size=-1):
            data = zeros.read(min(size, self.left)); self.left -= len(data); return data
    session.artifacts.put("zeros", Some())
reading, writing = os.pipe()
if os.fork() == 0:
    os.close(reading)
    with open(writing, "wb") as out:
        session.export(out)
    os._exit(peak() >= 160)
os.close(writing)
with open(reading, "rb") as source:
    print(store.import_session(source, id="again").size)
print(peak(), os.wait()[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "store"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(done[0]) == 256 << 20
    assert int(done[1]) < 160 and int(done[2]) == 0, done


def test_the_readme_on_it(q4, store, tmp_path, monkeypatch):
    code = re.search(r"<!-- exchange -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(code.replace(', moment="yesterday"', ""), {"session": q4, "store": store, "sessionfs": sessionfs})
    assert store.sessions["q4-again"].tags == ("copy",)
