"""What pyfuse3 says that nobody needs to read."""

from __future__ import annotations

import logging

import pytest

from sessionfs.mount.serve import _is_wrong


@pytest.mark.parametrize(
    ("message", "reason", "wrong"),
    [
        ("fuse_release(): fuse_reply_* failed with %s", "No such file or directory", False),
        ("fuse_read(): fuse_reply_* failed with %s", "No such device", False),
        ("fuse_read(): fuse_reply_* failed with %s", "Invalid argument", True),
        ("something else: %s", "No such file or directory", True),
    ],
)
def test_a_reply_that_nobody_waits_for_is_no_news(message: str, reason: str, wrong: bool) -> None:
    record = logging.LogRecord("pyfuse3", logging.ERROR, "", 0, message, (reason,), None)
    assert _is_wrong(record) is wrong
