"""What was written and not closed when the mount was killed can be had back."""

from __future__ import annotations

import os
from pathlib import Path

from servers import Mount, eventually

from sessionfs.fsck import Recovered, check, recover
from sessionfs.mount.keeper import KEPT_BYTES


def recovered(mounted: Mount, directory: Path) -> dict[str, bytes]:
    results = list(recover(mounted.store(), str(directory)))
    assert all(isinstance(result, Recovered) for result in results), results
    return {result.path: Path(result.target).read_bytes() for result in results if isinstance(result, Recovered)}


def journal(mounted: Mount) -> bytes:
    (path,) = (mounted.store_path / "tmp").glob("unsaved-*")
    return path.read_bytes()


def test_small_files_to_the_last_byte(mounted: Mount, tmp_path: Path) -> None:
    (mounted.artifacts / "old").write_bytes(b"0123456789")
    (mounted.artifacts / "closed").write_bytes(b"closed")
    old = os.open(mounted.artifacts / "old", os.O_WRONLY)
    new = os.open(mounted.artifacts / "new", os.O_WRONLY | os.O_CREAT)
    removed = os.open(mounted.artifacts / "removed", os.O_WRONLY | os.O_CREAT)
    os.pwrite(old, b"abc", 4)
    os.write(new, b"hello")
    os.write(new, b" world")
    os.write(removed, b"nobody wants it")
    os.close(removed)
    (mounted.artifacts / "removed").unlink()
    os.ftruncate(old, 8)
    mounted.kill()
    assert {fault.where for fault in check(mounted.store())} == {"one:new", "one:old"}
    assert recovered(mounted, tmp_path / "out") == {"new": b"hello world", "old": b"0123abc7"}
    assert not list(check(mounted.store()))
    mounted.start()
    assert (mounted.artifacts / "old").read_bytes() == b"0123456789"


def test_a_large_file_as_of_when_its_writer_paused(mounted: Mount, tmp_path: Path) -> None:
    content = os.urandom(3 * KEPT_BYTES)
    fd = os.open(mounted.artifacts / "large", os.O_WRONLY | os.O_CREAT)
    os.write(fd, content)
    assert eventually(lambda: b'"oid"' in journal(mounted))
    os.write(fd, b"and a tail")
    mounted.kill()
    assert recovered(mounted, tmp_path / "out") == {"large": content + b"and a tail"}


def test_what_was_synced_is_a_version_and_not_unsaved(mounted: Mount) -> None:
    fd = os.open(mounted.artifacts / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"synced")
    os.fsync(fd)
    mounted.kill()
    assert not list(check(mounted.store()))


def test_a_clean_end_leaves_no_journal(mounted: Mount) -> None:
    (mounted.artifacts / "f").write_bytes(b"x")
    mounted.stop()
    assert not list((mounted.store_path / "tmp").glob("unsaved-*"))
