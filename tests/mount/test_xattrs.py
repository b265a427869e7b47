"""Extended attributes: through the kernel, and as the pure mapping they are."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
from servers import Mount, fails_with, run

from sessionfs.errors import Denied, Error, NotFound
from sessionfs.store import xattrs


class Thing:
    """An artifact with the fields that a test names."""

    def __init__(self, **fields: Any) -> None:
        self._fields = {
            "type": None, "mime_type": None, "shown_type": "data", "shown_mime_type": "text/plain", "description": None,
            "tags": (), "metadata": None, "xattrs": None, "id": "one:3", "oid": "ab", "version": 2, "bytes_stored": 7,
            "compression": "lz4", "created_ns": 0, "created_by": "uid:0", **fields,
        }  # fmt: skip

    def value(self, field: str) -> Any:
        return self._fields[field]


def test_own_attributes() -> None:
    thing = Thing(tags=("a", "b"), description="words")
    assert xattrs.get(thing, b"user.sessionfs.tags") == b"a,b"
    assert xattrs.get(thing, b"user.sessionfs.version") == b"2"
    assert xattrs.get(thing, b"user.sessionfs.type") == b"data"
    assert xattrs.changes_to_set(thing, b"user.sessionfs.tags", b"c, d") == {"tags": ["c", "d"]}
    assert xattrs.changes_to_set(thing, b"user.sessionfs.type", b"data") == {}  # stays a guess
    assert xattrs.changes_to_set(thing, b"user.sessionfs.type", b"code") == {"type": "code"}
    assert xattrs.changes_to_set(thing, b"user.sessionfs.oid", b"anything") == {}
    assert xattrs.changes_to_remove(thing, b"user.sessionfs.description") == {"description": None}
    with pytest.raises(Denied):
        xattrs.changes_to_remove(thing, b"user.sessionfs.oid")
    with pytest.raises(NotFound):
        xattrs.get(Thing(), b"user.sessionfs.tags")


@pytest.mark.parametrize(
    ("name", "value", "changes"),
    [
        (b"user.author", "Müller".encode(), {"metadata": {"n": 3, "author": "Müller"}}),
        (b"user.author", b"", {"metadata": {"n": 3, "author": ""}}),
        (b"user.author", b"\xff", {"xattrs": {"user.raw": b"\0\xff", "user.author": b"\xff"}}),
        (b"user.\xff", b"text", {"xattrs": {"user.raw": b"\0\xff", "user.\\xff": b"text"}}),
        (b"user.n", b"3", {}),
        (b"user.n", b"4", {"metadata": {"n": "4"}}),
        (b"user.raw", b"text", {"metadata": {"n": 3, "raw": "text"}, "xattrs": {}}),
        (b"user.raw", b"\0\xff", {}),
    ],
)
def test_custom_attributes(name: bytes, value: bytes, changes: dict[str, Any]) -> None:
    thing = Thing(metadata={"n": 3}, xattrs={"user.raw": b"\0\xff"})
    assert xattrs.changes_to_set(thing, name, value) == changes
    after = Thing(**{"metadata": {"n": 3}, "xattrs": {"user.raw": b"\0\xff"}, **changes})
    assert xattrs.get(after, name) == value
    assert name in xattrs.names(after, is_directory=False)


def test_metadata_of_any_kind_is_shown_as_json() -> None:
    thing = Thing(metadata={"list": [1, "ü"], "none": None, "yes": True})
    assert xattrs.get(thing, b"user.list") == '[1, "ü"]'.encode()
    assert xattrs.get(thing, b"user.none") == b"null"
    assert xattrs.get(thing, b"user.yes") == b"true"


def test_other_namespaces() -> None:
    for name in (b"security.capability", b"trusted.x", b"system.posix_acl_access"):
        with pytest.raises(Error) as caught:
            xattrs.get(Thing(), name)
        assert caught.value.errno == errno.ENOTSUP


def test_through_the_kernel(mounted: Mount) -> None:
    path = mounted.artifacts / "report.md"
    path.write_text("# Title\n")
    run("setfattr", "-n", "user.sessionfs.tags", "-v", "q4,sales", path)
    run("setfattr", "-n", "user.sessionfs.type", "-v", "tool_result", path)
    os.setxattr(path, "user.author", b"x")
    os.setxattr(path, b"user.\xff\xfe", b"\0\1\xff")
    os.setxattr(path, "user.empty", b"")
    node = mounted.session().tree.resolve("report.md")
    assert (node.tags, node.type, node.metadata) == (("q4", "sales"), "tool_result", {"author": "x", "empty": ""})
    assert os.getxattr(path, "user.sessionfs.mime_type") == b"text/markdown"
    assert os.getxattr(path, "user.sessionfs.oid") == str(node.oid).encode()
    assert os.getxattr(path, "user.sessionfs.id") == node.id.encode()
    assert os.getxattr(path, b"user.\xff\xfe") == b"\0\1\xff"
    assert os.getxattr(path, "user.empty") == b""
    names = set(os.listxattr(path))
    assert {"user.author", "user.empty", os.fsdecode(b"user.\xff\xfe"), "user.sessionfs.oid"} <= names
    for name in names:
        os.getxattr(path, name)
    with fails_with(errno.EEXIST):
        os.setxattr(path, "user.author", b"y", os.XATTR_CREATE)
    with fails_with(errno.ENODATA):
        os.setxattr(path, "user.nothing", b"y", os.XATTR_REPLACE)
    for name, number in (
        ("user.sessionfs.oid", errno.EPERM),
        ("user.nothing", errno.ENODATA),
        ("user.sessionfs.nothing", errno.ENODATA),
    ):
        with fails_with(number):
            os.removexattr(path, name)
    with fails_with(errno.EINVAL):
        os.setxattr(path, "user.sessionfs.type", b"two words")
    os.removexattr(path, "user.author")
    assert mounted.session().tree.resolve("report.md").metadata == {"empty": ""}
    os.setxattr(path, "user.large", b"v" * 60_000)
    assert os.getxattr(path, "user.large") == b"v" * 60_000


def test_a_new_version_keeps_what_was_set(mounted: Mount) -> None:
    path = mounted.artifacts / "data"
    path.write_text("x")
    os.setxattr(path, "user.sessionfs.mime_type", b"application/x-mine")
    os.setxattr(path, "user.author", b"x")
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert os.getxattr(path, "user.sessionfs.mime_type") == b"application/x-mine"
    assert os.getxattr(path, "user.author") == b"x"
    assert os.getxattr(path, "user.sessionfs.version") == b"2"


def test_set_while_it_is_written(mounted: Mount) -> None:
    with (mounted.artifacts / "f").open("wb") as file:
        os.setxattr(file.fileno(), "user.author", b"x")
        os.setxattr(file.fileno(), "user.sessionfs.tags", b"a")
        assert os.getxattr(file.fileno(), "user.author") == b"x"
        file.write(b"content")
    assert len(mounted.records()) == 2
    node = mounted.session().tree.resolve("f")
    assert (node.metadata, node.tags) == ({"author": "x"}, ("a",))


def test_directories_have_them_too(mounted: Mount) -> None:
    (mounted.artifacts / "d").mkdir()
    os.setxattr(mounted.artifacts / "d", "user.sessionfs.description", b"words")
    os.setxattr(mounted.artifacts / "d", "user.x", b"y")
    assert os.getxattr(mounted.artifacts / "d", "user.sessionfs.description") == b"words"
    assert "user.sessionfs.oid" not in os.listxattr(mounted.artifacts / "d")
