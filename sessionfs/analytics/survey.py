"""What lies on the disk: every file of a store, and what it is there for.

A walk through the whole store, as du(1) does it; 4 us a file. Objects are told apart by their names, and nothing is
opened. What is removed meanwhile is not there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.errors import from_os_error
from sessionfs.objects.catalog import PACK_SUFFIX
from sessionfs.objects.files import KIND_OF_SUFFIX
from sessionfs.store.layout import Layout

_BLOCK_BYTES = 512  # what st_blocks counts, whatever the filesystem's blocks are
_OWN_PURPOSE = {"trash": "trash", "tmp": "tmp", "shelf": "shelves"}
_OID_DIGITS = 62  # in the name of an object's file, below a directory that is named by the first two


class Item(NamedTuple):
    """One file or directory of a store."""

    purpose: str
    size: int  # its length
    allocated: int  # what the filesystem gave it
    session: str | None = None  # to which it belongs
    oid: str = ""  # of an object
    suffix: str = ""  # in which form that is


def walk_objects(layout: Layout) -> Iterator[Item]:
    """Yield what is below ``objects/``: objects in the order of their ids, packs and directories.

    Raises:
        Error: A directory cannot be read.
    """
    for name, status in sorted(_entries(layout.objects)):
        if not stat.S_ISDIR(status.st_mode):
            yield _item("other files", status)
            continue
        yield _item("directories", status)
        for inner, inner_status in sorted(_entries(f"{layout.objects}/{name}")):
            # This is done once for each object of a store.
            suffix = inner[_OID_DIGITS:]
            if suffix in KIND_OF_SUFFIX and len(inner) - len(suffix) == _OID_DIGITS:
                allocated = inner_status.st_blocks * _BLOCK_BYTES
                yield Item("objects", inner_status.st_size, allocated, None, name + inner[:_OID_DIGITS], suffix)
            elif name == "pack":
                yield _item("packs" if inner.endswith(PACK_SUFFIX) else "indexes of packs", inner_status)
            else:
                yield _item("other files", inner_status)


def walk_rest(layout: Layout, index: str | None) -> Iterator[Item]:
    """Yield everything else in a store, its own directory among it.

    Args:
        index: The path of the index, which may be elsewhere.

    Raises:
        Error: A directory cannot be read.
    """
    try:
        yield _item("directories", os.lstat(layout.root))
    except OSError as failure:
        raise from_os_error(failure, f"look at {layout.root}") from failure
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for name, status in _entries(f"{layout.root}/{above}"):
            path = above + name
            is_directory = stat.S_ISDIR(status.st_mode)
            yield _rest_item(layout, index, path, status, is_directory)
            if is_directory and path != "objects":
                waiting.append(f"{path}/")


def _rest_item(layout: Layout, index: str | None, path: str, status: os.stat_result, is_directory: bool) -> Item:
    top, _, rest = path.partition("/")
    if is_directory:
        return _item("directories", status)
    if top == "sessions" and rest:
        session_id, _, name = rest.partition("/")
        return _item("logs" if name == "log" else "refs", status, session_id)
    if top in _OWN_PURPOSE:
        return _item(_OWN_PURPOSE[top], status)
    is_index = index is not None and f"{layout.root}/{path}".startswith(index)
    return _item("index" if is_index else "other files", status)


def _item(purpose: str, status: os.stat_result, session: str | None = None) -> Item:
    return Item(purpose, status.st_size, status.st_blocks * _BLOCK_BYTES, session)


def _entries(directory: str) -> list[tuple[str, os.stat_result]]:
    """Return the names in a directory, with what ``lstat`` says; nothing when it has gone."""
    try:
        # Below one descriptor: to look up the whole path each time takes half as long again.
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as failure:
        raise from_os_error(failure, f"read {directory}") from failure
    found = []
    try:
        for name in os.listdir(fd):
            try:
                found.append((name, os.stat(name, dir_fd=fd, follow_symlinks=False)))
            except FileNotFoundError:
                continue
    except OSError as failure:
        raise from_os_error(failure, f"read {directory}") from failure
    finally:
        os.close(fd)
    return found
