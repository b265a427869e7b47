"""Unique names for ``by-name``, and the table of mounts: pure."""

from __future__ import annotations

import pytest

from sessionfs.mount.overview import unique_names
from sessionfs.mount.table import Mounted, parse_line


def test_plain_names_stay() -> None:
    assert unique_names({"id1": "Q4", "id2": "Ünïcode ☃"}) == {"Q4": "id1", "Ünïcode ☃": "id2"}


def test_names_of_several_sessions_are_told_apart_by_their_ids() -> None:
    names = {"01900000-aaaa": "x", "01900000-bbbb": "x", "other": "y"}
    assert unique_names(names) == {"x~01900000-a": "01900000-aaaa", "x~01900000-b": "01900000-bbbb", "y": "other"}


def test_what_no_file_can_be_called() -> None:
    shown = unique_names({"first-id": "a/b", "second-id": "..", "third-id": "é" * 300, "fourth-id": "a_b"})
    assert sorted(shown.values()) == ["first-id", "fourth-id", "second-id", "third-id"]
    for name in shown:
        assert "/" not in name
        assert len(name.encode()) <= 255
        assert name not in (".", "..")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("36 35 0:31 / /mnt/a\\040b ro,nosuid,relatime shared:1 - fuse.sessionfs /srv/st\\134ore "
         "rw,user_id=7,group_id=8,default_permissions,allow_other\n",
         Mounted("/mnt/a b", "/srv/st\\ore", "0:31", True, 7, 8, ("nosuid", "allow_other"))),
        ("36 35 0:31 /sessions /mnt rw - fuse.sessionfs /srv/store rw,user_id=0", None),
        ("36 35 0:31 / /mnt rw - ext4 /dev/vda rw", None),
        ("nonsense", None),
    ],
)  # fmt: skip
def test_a_line_of_mountinfo(line: str, expected: Mounted | None) -> None:
    assert parse_line(line) == expected
