"""Refs: mutable names, moved by compare-and-swap.

A ref is an append-only file of lines ``<value> <time> <actor>``, with a message behind them if somebody gave one; the
last whole line is its value, so it carries its own history. It is never rewritten in place: rsync's quick check misses
a same-size replacement within one second. The message is a JSON string, so that a line stays a line.

The value is an object id, or, in HEAD, a session id; :data:`NONE` means that the ref is gone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sessionfs.clock import Clock, MalformedTime, format_time, parse_time
from sessionfs.durable import Disk, Mode, Unsynced, append
from sessionfs.durable.publish import make_directory, sync_name
from sessionfs.errors import Conflict, Corrupt, InvalidInput, from_os_error

NONE = "0" * 64
"""The value of a ref that has been deleted, and what a new one is compared with (as git's null id)."""

_READ_BYTES = 1 << 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ACTOR = re.compile(r"\S{1,128}")

MAX_MESSAGE_BYTES = 4 << 10


class MalformedRefName(InvalidInput):
    """A ref's name is not a slug."""


class BadMessage(InvalidInput):
    """A message that is too long, or no text."""


class StaleValue(Conflict):
    """The ref was moved by somebody else, or is not what the caller thought."""


class CorruptRef(Corrupt):
    """A ref's file holds a line that is no ref's."""


class Entry(NamedTuple):
    """One line of a ref."""

    value: str
    time_ns: int
    actor: str
    message: str = ""


def check_name(name: str) -> str:
    """Return *name* if a ref can have it.

    Raises:
        MalformedRefName: It can't.
    """
    if not _is_name(name):
        raise MalformedRefName(
            f"{name!r} is no name for a ref: letters, digits, '.', '_' and '-' are allowed, 128 at most"
        )
    return name


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def list_names(disk: Disk, directory: str) -> list[str]:
    """Return the names of the refs in *directory*, sorted; some of them may have been deleted.

    What lies there besides, as a copying that was broken off leaves it, is no ref.

    Raises:
        Error: The directory cannot be read.
    """
    try:
        return sorted(filter(_is_name, disk.listdir(directory)))
    except (FileNotFoundError, NotADirectoryError):
        return []  # a session without refs has no directory for them
    except OSError as failure:
        raise from_os_error(failure, f"list {directory}") from failure


def read(disk: Disk, path: str) -> str | None:
    """Return the value of the ref at *path*, or None when there is none.

    Raises:
        CorruptRef: Its newest whole line is malformed.
    """
    entry = newest(disk, path)
    return None if entry is None else entry.value


def newest(disk: Disk, path: str) -> Entry | None:
    """Return the newest line of the ref at *path*, which says its value; otherwise as :func:`read`."""
    entries, _ = _parse(path, _content(disk, path))
    return None if not entries or entries[-1].value == NONE else entries[-1]


def history(disk: Disk, path: str) -> Iterator[Entry]:
    """Yield every value the ref at *path* has had, oldest first."""
    yield from _parse(path, _content(disk, path))[0]


def good_length(content: bytes, is_good: Callable[[Entry], bool]) -> int:
    """Return how long the beginning of a ref's *content* is that ends with its newest line that *is_good*."""
    good = offset = 0
    for line in content.split(b"\n")[:-1]:
        try:
            entry = _parse_line("", offset, line)
        except CorruptRef:
            break
        offset += len(line) + 1
        if is_good(entry):
            good = offset
    return good


def update(
    disk: Disk,
    clock: Clock,
    unsynced: Unsynced,
    mode: Mode,
    path: str,
    value: str,
    *,
    actor: str,
    expected: str | None = None,
    message: str = "",
) -> None:
    """Move the ref at *path* to *value*.

    Args:
        value: The new value; NONE deletes.
        expected: What it must be now: NONE for absent; None to move it whatever it is.
        message: Why, for people; kept with the value.

    Raises:
        StaleValue: It is something else; nothing was changed.
        BadMessage: The message cannot be kept; nothing was changed.

    Durability:
        relaxed: survives this process. full: survives a power cut.

    Concurrency:
        Takes the lock of the ref's file; of several callers with the same *expected* one succeeds.
    """
    if _VALUE.fullmatch(value) is None or _ACTOR.fullmatch(actor) is None:
        raise InvalidInput(f"a ref cannot hold the value {value!r} by {actor!r}")
    said = encode_message(message)
    try:
        fd = _open_locked(disk, unsynced, mode, path)
        try:
            content = _read_all(disk, fd)
            entries, end = _parse(path, content)
            current = entries[-1].value if entries else NONE
            if expected is not None and current != expected:
                raise StaleValue(f"{path} is at {current}, not at {expected}: read it again and decide anew")
            if end < len(content):
                disk.truncate(fd, end)  # an incomplete last line, which was never acknowledged
            line = f"{value} {format_time(clock())} {actor}".encode() + said + b"\n"
            append(disk, fd, line, end)
            try:
                _keep(disk, unsynced, mode, fd, path)
            except OSError:
                disk.truncate(fd, end)  # the error says that nothing was changed
                raise
        finally:
            disk.close(fd)
    except OSError as failure:
        raise from_os_error(failure, f"update the ref {path}") from failure


def extend(disk: Disk, unsynced: Unsynced, mode: Mode, path: str, content: bytes) -> int:
    """Add the lines of another copy of the ref, whose *content* this is, that the ref at *path* does not have.

    So its value becomes that of the copy, unless it was moved since; all that it was is still there.

    Returns:
        How many lines were added.

    Raises:
        CorruptRef: One of the two holds a line that is no ref's; nothing was changed.

    Durability:
        As of :func:`update`.
    """
    copied = content[: _parse(path, content)[1]].splitlines(keepends=True)
    try:
        fd = _open_locked(disk, unsynced, mode, path)
        try:
            there = _read_all(disk, fd)
            end = _parse(path, there)[1]
            known = set(there[:end].splitlines(keepends=True))
            added = [line for line in copied if line not in known]
            if added:
                if end < len(there):
                    disk.truncate(fd, end)
                append(disk, fd, b"".join(added), end)
                _keep(disk, unsynced, mode, fd, path)
        finally:
            disk.close(fd)
    except OSError as failure:
        raise from_os_error(failure, f"update the ref {path}") from failure
    return len(added)


def encode_message(message: str) -> bytes:
    """Return what stands behind the actor.

    Raises:
        BadMessage: The message cannot be kept.
    """
    if not message:
        return b""
    import json  # late, like below: 7 ms, and plumbing verbs read refs that have no message

    try:
        text = json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError as failure:
        raise BadMessage(f"a message is text, and {message[:60]!r} is not valid Unicode") from failure
    if len(text) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {len(text)} bytes was given; at most {MAX_MESSAGE_BYTES} are kept")
    return b" " + text


def _open_locked(disk: Disk, unsynced: Unsynced, mode: Mode, path: str) -> int:
    """Return a descriptor that is locked, of the file that has the ref's name then: repack may put it elsewhere."""
    while True:
        fd = _open_for_writing(disk, unsynced, mode, path)
        try:
            disk.lock(fd, path)
            is_named = disk.is_named(fd)
        except BaseException:
            disk.close(fd)
            raise
        if is_named:
            return fd
        disk.close(fd)


def _open_for_writing(disk: Disk, unsynced: Unsynced, mode: Mode, path: str) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return disk.open(path, flags)
    except FileNotFoundError:
        make_directory(disk, unsynced, mode, os.path.dirname(path))
        return disk.open(path, flags)


def _keep(disk: Disk, unsynced: Unsynced, mode: Mode, fd: int, path: str) -> None:
    if mode is Mode.FULL:
        disk.fdatasync(fd)
    else:
        unsynced.add_log(path)
    # Also when others made it: they may have been killed before they synced.
    sync_name(disk, unsynced, mode, path)


def _content(disk: Disk, path: str) -> bytes:
    try:
        fd = disk.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as failure:
        raise from_os_error(failure, f"read the ref {path}") from failure
    try:
        return _read_all(disk, fd)
    finally:
        disk.close(fd)


def _read_all(disk: Disk, fd: int) -> bytes:
    parts: list[bytes] = []
    offset = 0
    while part := disk.pread(fd, _READ_BYTES, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _parse(path: str, content: bytes) -> tuple[list[Entry], int]:
    """Return the whole lines of *content*, and the offset in bytes behind the last of them."""
    entries: list[Entry] = []
    offset = 0
    lines = content.split(b"\n")[:-1]
    for number, line in enumerate(lines):
        if b"\0" in line and not any(map(_is_line, lines[number + 1 :])):
            break  # never reached the disk before a power cut: a torn tail, like an incomplete line
        entries.append(_parse_line(path, offset, line))
        offset += len(line) + 1
    return entries, offset


def _parse_line(path: str, offset: int, line: bytes) -> Entry:
    fields = line.decode("utf-8", "replace").split(" ", 3)
    try:
        value, time_text, actor = fields[:3]
        if _VALUE.fullmatch(value) is None:
            raise ValueError(value)
        return Entry(value, parse_time(time_text), actor, _decode_message(fields[3]) if len(fields) > 3 else "")
    except (ValueError, MalformedTime) as failure:
        raise CorruptRef(f"the ref {path} is damaged at byte {offset}: {line[:80]!r} is no line of a ref") from failure


def _is_line(line: bytes) -> bool:
    try:
        _parse_line("", 0, line)
    except CorruptRef:
        return False
    return True


def _decode_message(text: str) -> str:
    import json

    message = json.loads(text)
    if not isinstance(message, str):
        raise ValueError(text)
    return message
