"""A store that vanishes below its mount: calls fail with an error, nothing hangs, work goes on when it is back."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from servers import Mount

from sessionfs.fsck import check


def test_a_store_that_is_moved_away_and_comes_back(mounted: Mount, tmp_path: Path) -> None:
    (mounted.artifacts / "before").write_bytes(b"before")
    (mounted.artifacts / "grown").write_bytes(b"0")
    mounted.store_path.rename(tmp_path / "away")
    for name in ("grown", "new"):
        with pytest.raises(OSError):
            (mounted.artifacts / name).write_bytes(b"not now")
    with pytest.raises(OSError):
        (mounted.path / "sessions" / "two").mkdir()
    (tmp_path / "away").rename(mounted.store_path)
    (mounted.artifacts / "grown").write_bytes(b"again")
    assert (mounted.artifacts / "before").read_bytes() == b"before"
    (mounted.session_path / "state" / "key").write_text("2")
    mounted.expected_log = "No such file or directory"
    session = mounted.session()
    assert session.objects.read(session.tree.find("grown").oid) == b"again"
    assert session.fold.state.get("key") == 2
    assert [fault for fault in check(mounted.store()) if fault.is_damage] == []


def test_a_store_that_is_removed_lets_its_mount_be_unmounted(mounted: Mount) -> None:
    (mounted.artifacts / "before").write_bytes(b"before")
    fd = os.open(mounted.artifacts / "before", os.O_WRONLY)
    shutil.rmtree(mounted.store_path)
    with pytest.raises(OSError):
        os.write(fd, b"after")  # where to, until it is closed?
    with contextlib.suppress(OSError):
        os.close(fd)
    with pytest.raises(OSError):
        (mounted.artifacts / "new").write_bytes(b"new")
    mounted.expected_log = "No such file or directory"
    mounted.stop()
