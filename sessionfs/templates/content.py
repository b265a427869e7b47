"""The files that stand beside a template, in the directory that is named like it. Nothing outside of it is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.artifacts import from_text
from sessionfs.errors import NotFound, from_os_error
from sessionfs.templates.template import BadTemplate, Template

# In which variables are filled in: read whole, and decoded.
MAX_SUBSTITUTED_BYTES = 16 << 20


class OutsideTemplate(BadTemplate):
    """A template names a file that is not below its own directory."""


class LostFile(NotFound):
    """A template names a file that is not there."""


class Entry(NamedTuple):
    """A file, a directory or a symbolic link beside a template."""

    path: str
    below: str  # the path below the tree that it was found in; "" for what was named itself
    status: os.stat_result

    @property
    def kind(self) -> str:
        """``file``, ``directory``, ``symlink`` or ``other``."""
        mode = self.status.st_mode
        for is_kind, kind in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "symlink")):
            if is_kind(mode):
                return kind
        return "other"


def find_file(template: Template, name: str, where: str, *, kind: str = "file") -> Entry:
    """Return the file, or the directory, that *name* is beside *template*; links are followed.

    Args:
        name: In text form, relative to the template's directory.
        where: What names the key that has it, for messages.

    Raises:
        OutsideTemplate: It is elsewhere, perhaps by a link.
        LostFile: It is not there.
        BadTemplate: It is of another kind.
    """
    directory = template.directory
    path = os.path.join(directory, from_text(name))
    if "\0" in path:
        raise BadTemplate(f"{where} is {name!r}; a file's name cannot hold NUL")
    real, inside = os.path.realpath(path), os.path.realpath(directory)
    if os.path.commonpath((real, inside)) != inside:
        raise OutsideTemplate(f"{where} is {name!r}, which is outside of {directory}; put the file into that directory")
    try:
        entry = Entry(path, "", os.stat(path))
    except (FileNotFoundError, NotADirectoryError) as failure:
        raise LostFile(f"{where} is {name!r}, and there is nothing of that name in {directory}") from failure
    except OSError as failure:
        raise from_os_error(failure, f"look at {path}, which {where} names") from failure
    if entry.kind != kind:
        raise BadTemplate(f"{where} is {name!r}, which is no {kind}")
    return entry


def walk(template: Template, name: str, where: str) -> Iterator[Entry]:
    """Yield what is in the directory *name* beside *template*, a directory before what is in it; links as they are.

    Raises:
        OutsideTemplate, LostFile, BadTemplate: As of :func:`find_file`; or something is neither a file, a directory
            nor a symbolic link.
    """
    root = find_file(template, name, where, kind="directory")
    waiting = [Entry(root.path, "", root.status)]
    while waiting:
        directory = waiting.pop()
        if directory.below:
            yield directory
        try:
            with os.scandir(directory.path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            inside = [
                Entry(entry.path, f"{directory.below}/{entry.name}".lstrip("/"), entry.stat(follow_symlinks=False))
                for entry in entries
            ]
        except OSError as failure:
            raise from_os_error(failure, f"list {directory.path}, which {where} names") from failure
        for entry in inside:
            if entry.kind == "other":
                raise BadTemplate(f"{where}: {entry.path} is neither a file, a directory nor a symbolic link")
            if entry.kind != "directory":
                yield entry
        waiting += reversed([entry for entry in inside if entry.kind == "directory"])


def read_text(entry: Entry, where: str) -> str:
    """Return the text of a file in which variables are to be filled in.

    Raises:
        BadTemplate: It is too large, or no UTF-8 text.
    """
    if entry.status.st_size > MAX_SUBSTITUTED_BYTES:
        raise BadTemplate(
            f"{where}: {entry.path} has {entry.status.st_size} bytes; variables are filled in in files of up to "
            f"{MAX_SUBSTITUTED_BYTES}"
        )
    try:
        with open(entry.path, "rb") as file:
            data = file.read(MAX_SUBSTITUTED_BYTES)
    except OSError as failure:
        raise from_os_error(failure, f"read {entry.path}, which {where} names") from failure
    try:
        return data.decode()
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise BadTemplate(f"{entry.path}, line {line}: it is not UTF-8 text, so no variables can be in it") from failure
