"""Events of inotify, as bytes: pure."""

from __future__ import annotations

import struct

from sessionfs.watch.inotify import Constants, Told, parse_events


def event(mask: int, name: bytes, watch: int = 1, cookie: int = 0) -> bytes:
    padded = name + bytes(-len(name) % 16 or 16) if name else b""
    return struct.pack("iIII", watch, mask, cookie, len(padded)) + padded


def test_several_events() -> None:
    attrib, moved = Constants.IN_ATTRIB, Constants.IN_MOVED_TO
    data = event(attrib, b"one") + event(moved, b"a-session-with-a-long-name", 2, 7) + event(attrib, b"")
    assert list(parse_events(data)) == [
        Told(1, attrib, 0, "one"),
        Told(2, moved, 7, "a-session-with-a-long-name"),
        Told(1, attrib, 0, ""),
    ]
    assert not any(told.is_overflow for told in parse_events(data))


def test_an_overflow() -> None:
    data = event(Constants.IN_Q_OVERFLOW, b"", watch=-1) + event(Constants.IN_ATTRIB, b"one")
    assert [told.is_overflow for told in parse_events(data)] == [True, False]


def test_names_that_are_no_text() -> None:
    assert [told.name for told in parse_events(event(Constants.IN_CREATE, b"\xff"))] == ["\udcff"]


def test_nothing() -> None:
    assert list(parse_events(b"")) == []
