"""Where the kernel tells of changes: by the lines of a mountinfo, and here."""

from __future__ import annotations

import pytest

from sessionfs.watch import notification
from sessionfs.watch.notification import has_notification, mount_points, type_in

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /srv rw,relatime shared:2 master:1 - nfs4 server:/srv rw
24 23 254:1 / /srv/local rw - xfs /dev/vdb rw
25 22 0:40 / /mnt/a\040b rw - fuse.sessionfs /srv/runs rw
26 22 0:41 / /srv/local rw - 9p host rw
"""
LINES = MOUNTINFO.splitlines()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srvs", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/x/y", "nfs4"),
        ("/srv/local/x", "9p"),
        ("/mnt/a b/sessions", "fuse.sessionfs"),
        ("/mnt/a", "ext4"),
    ],
)
def test_the_type_is_that_of_what_was_mounted_last_and_deepest(path: str, kind: str) -> None:
    assert type_in(LINES, path) == kind


@pytest.mark.parametrize(
    ("kind", "tells"), [("ext4", True), ("overlay", True), ("fuseblk", True), ("nfs4", False), ("fuse.sshfs", False)]
)
def test_who_tells(monkeypatch: pytest.MonkeyPatch, kind: str, tells: bool) -> None:
    monkeypatch.setattr(notification, "filesystem_type", lambda path: kind)
    assert has_notification("/anywhere") == tells


def test_without_a_mountinfo_nobody_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notification, "_MOUNTINFO", "/nowhere")
    assert not has_notification("/")
    assert mount_points("ext4") == []
