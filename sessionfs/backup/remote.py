"""Other machines: a place on one, and rsync, which gets there over ssh."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sessionfs.errors import Conflict, NotFound, Unsupported

# As rsync tells them apart: a colon before the first slash.
_REMOTE = re.compile(r"[^/:]+:|rsync://")
_SIZE = re.compile(r"-\S+ +([0-9]+) \S+ \S+ (.+)")

_NOT_ALL = (23, 24)  # some files could not be read or written; or have gone since they were listed
_MESSAGE_LINES = 3


class NoRsync(Unsupported):
    """rsync is not installed here."""


class OnlyDirectories(Unsupported):
    """This works between directories of one machine only."""


class TransferFailed(Conflict):
    """rsync could not do what it was asked to."""


class NotThere(NotFound):
    """There is nothing at a place on another machine."""


class Remote(NamedTuple):
    """A directory on another machine, as rsync names it: ``host:path``, ``host::module/path``, ``rsync://…``."""

    place: str

    def __str__(self) -> str:
        return self.place

    def below(self, path: str = "") -> str:
        """Return what names *path* below it; the directory itself ends with a slash."""
        return f"{self.place.rstrip('/') if not self.place.endswith(':/') else self.place[:-1]}/{path}"


def is_remote(text: str) -> bool:
    """Say whether *text* names a place on another machine."""
    return _REMOTE.match(text) is not None


def rsync(options: Sequence[str], *paths: str, names: Iterable[str] | None = None) -> str:
    """Run rsync and return what it prints.

    Args:
        names: The files to copy, for ``--files-from``.

    Raises:
        NoRsync: It is not installed.
        NotThere: What it is to copy from is not there.
        TransferFailed: It ended with an error; what it had copied is there.
    """
    program = shutil.which("rsync")
    if program is None:
        raise NoRsync("rsync is not installed here, and copies to other machines go through it; install rsync")
    command = [program, *options]
    given: bytes | None = None
    if names is not None:
        command += ["--files-from=-", "--from0"]
        given = b"\0".join(name.encode() for name in names)
    done = subprocess.run([*command, "--", *paths], input=given, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode in _NOT_ALL and "No such file or directory" in said:
            raise NotThere(f"there is nothing at {paths[0]}: {_short(said)}")
        raise TransferFailed(
            f"rsync from {paths[0]} to {paths[-1]} ended with status {done.returncode}: {_short(said)}; "
            "see to that and run it again: it goes on where it was"
        )
    return done.stdout.decode("utf-8", "surrogateescape")


def list_sizes(place: str) -> dict[str, int]:
    """Return the files below a directory, and their lengths in bytes; nothing when it is not there."""
    try:
        listed = rsync(["-r", "--list-only", "--no-human-readable"], place)
    except NotThere:
        return {}
    found = [_SIZE.fullmatch(line) for line in listed.splitlines()]
    return {match[2]: int(match[1]) for match in found if match is not None}


def _short(said: str) -> str:
    return "; ".join(said.splitlines()[:_MESSAGE_LINES]) or "it said nothing"
