"""Events of inotify, as bytes: pure."""

from __future__ import annotations

import struct

from sessionfs.mount.changes import parse_events

ATTRIB, OVERFLOW = 0x4, 0x4000


def event(mask: int, name: bytes, watch: int = 1) -> bytes:
    padded = name + bytes(-len(name) % 16 or 16) if name else b""
    return struct.pack("iIII", watch, mask, 0, len(padded)) + padded


def test_names_of_several_events() -> None:
    data = event(ATTRIB, b"one") + event(ATTRIB, b"a-session-with-a-long-name") + event(ATTRIB, b"")
    assert list(parse_events(data)) == ["one", "a-session-with-a-long-name"]


def test_an_overflow_may_be_any() -> None:
    assert list(parse_events(event(OVERFLOW, b"", watch=-1) + event(ATTRIB, b"one"))) == [None, "one"]


def test_nothing() -> None:
    assert list(parse_events(b"")) == []
