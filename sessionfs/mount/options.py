"""What a mount may be told, in the words of mount(8) and /etc/fstab: ``ro,allow_other,uid=ada,umask=022``. Pure.

The command line's own options become the same words, so that each is read and checked in one place.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from sessionfs.errors import Denied, InvalidInput, NotFound

FILESYSTEM = "sessionfs"

# For the kernel: each excludes the others of its group, and the last one wins, as with mount(8).
_KERNEL_GROUPS = (
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("exec", "noexec"),
    ("async", "sync"),
    ("atime", "noatime"),
    ("dirsync",),
)
_GROUP_OF = {flag: group[0] for group in _KERNEL_GROUPS for flag in group}

# What fusermount3 need not be told: it is what the kernel does anyway, and not every release knows the word.
_KERNEL_DEFAULTS = frozenset({"async", "atime", "exec"})

# mount(8) passes these on, though they are for itself, for boot scripts or for filesystems of the kernel.
_IGNORED = frozenset({
    *("defaults", "auto", "noauto", "nofail", "_netdev", "comment", "silent", "loud"),
    *("user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup"),
    *("relatime", "norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime", "lazytime", "nolazytime"),
    "default_permissions",
})  # fmt: skip

_MAX_ID = (1 << 32) - 2  # the last one means "none"


class BadMountOption(InvalidInput):
    """A mount option that there is not, or a value that it cannot have."""


class NoSuchOwner(NotFound):
    """No user, or no group, has this name here."""


class OptionForRoot(Denied):
    """Only root may mount like this."""


class MountOptions(NamedTuple):
    """How a store is mounted.

    Args:
        session: Show this session only; an id, once the command line has looked it up.
        uid, gid, umask: How owner and permissions are shown; None shows what is recorded.
        cache_seconds: How long the kernel may keep names and attributes; None for as long as they are true.
        kernel: Flags for the kernel, one of each group.
    """

    session: str | None = None
    read_only: bool = False
    allow_other: bool = False
    uid: int | None = None
    gid: int | None = None
    umask: int | None = None
    cache_seconds: int | None = None
    kernel: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return those of them that the kernel's own table of mounts does not show."""
        values = {"uid": self.uid, "gid": self.gid, "cache_seconds": self.cache_seconds}
        words = [f"{name}={value}" for name, value in values.items() if value is not None]
        return words if self.umask is None else [*words, f"umask={self.umask:03o}"]


# Reading


def split_words(text: str) -> list[str]:
    """Return the single options of ``a,b=c``."""
    return [word for word in text.split(",") if word]


def read_options(words: Iterable[str], *, ignore_unknown: bool = False) -> MountOptions:
    """Return what *words* ask for; of two that exclude each other, the last one.

    Args:
        words: One option each, ``name`` or ``name=value``.
        ignore_unknown: mount(8)'s ``-s``.

    Raises:
        BadMountOption: There is no such option, or its value is wrong.
        NoSuchOwner: No user or group has the name.
    """
    fields: dict[str, Any] = {}
    kernel: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and name in _FLAGS:
            field, state = _FLAGS[name]
            fields[field] = state
        elif name in _VALUES:
            field, read = _VALUES[name]
            fields[field] = read(name, value)
        elif not equals and name in _GROUP_OF:
            kernel[_GROUP_OF[name]] = name
        elif not (ignore_unknown or name in _IGNORED or name.lower().startswith("x-")):
            raise BadMountOption(_unknown(word, name))
    return MountOptions(**fields, kernel=tuple(kernel.values()))


def _unknown(word: str, name: str) -> str:
    if name == "remount":
        return "a store cannot be remounted with other options; unmount it, then mount it with those you want"
    known = [*_FLAGS, *_VALUES, *_GROUP_OF, *sorted(_IGNORED)]
    close = get_close_matches(name, known, n=1)
    hint = f"; {close[0]} is close to it" if close else f"; there are {', '.join([*_FLAGS, *_VALUES, *_GROUP_OF])}"
    return f"there is no mount option {word!r}{hint}"


def _read_uid(name: str, value: str) -> int:
    return _read_id(name, value, "user", lambda text: pwd.getpwnam(text).pw_uid)


def _read_gid(name: str, value: str) -> int:
    return _read_id(name, value, "group", lambda text: grp.getgrnam(text).gr_gid)


def _read_id(name: str, value: str, what: str, find: Callable[[str], int]) -> int:
    if value.isascii() and value.isdecimal():
        if int(value) > _MAX_ID:
            raise BadMountOption(f"{name}={value} is more than any {what} has; the largest is {_MAX_ID}")
        return int(value)
    if not value:
        raise BadMountOption(f"{name} needs a {what}: a number or a name, as in {name}=1000")
    try:
        return find(value)
    except KeyError as failure:
        raise NoSuchOwner(f"there is no {what} {value!r} here; give {name} one that exists, or a number") from failure


def _read_umask(name: str, value: str) -> int:
    if not value or not set(value) <= set("01234567") or int(value, 8) > 0o777:
        raise BadMountOption(f"{name} takes three octal digits, as in {name}=022; {value!r} was given")
    return int(value, 8)


def _read_seconds(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise BadMountOption(f"{name} takes a number of seconds, 0 or more; {value!r} was given")
    return int(value)


def _read_session(name: str, value: str) -> str:
    if not value:
        raise BadMountOption(f"{name} needs the id or the name of a session, as in {name}=q4")
    return value


_FLAGS: dict[str, tuple[str, bool]] = {
    "ro": ("read_only", True),
    "rw": ("read_only", False),
    "allow_other": ("allow_other", True),
}
_VALUES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "session": ("session", _read_session),
    "uid": ("uid", _read_uid),
    "gid": ("gid", _read_gid),
    "umask": ("umask", _read_umask),
    "cache_seconds": ("cache_seconds", _read_seconds),
}


# For fusermount3


def fuse_options(options: MountOptions, store_path: str) -> set[str]:
    """Return *options* as fusermount3 takes them.

    Raises:
        OptionForRoot: A normal user asked for ``suid`` or ``dev``.
    """
    chosen = {"default_permissions", f"fsname={_escaped(store_path)}", f"subtype={FILESYSTEM}"}
    chosen |= set(options.kernel) - _KERNEL_DEFAULTS
    if options.read_only:
        chosen.add("ro")
    if options.allow_other:
        chosen.add("allow_other")
    if os.geteuid() == 0:
        return chosen | _for_root(options, store_path)
    for flag in {"suid", "dev"} & chosen:
        raise OptionForRoot(f"only root may mount with {flag!r}, and you are not; leave it out")
    return chosen


def _for_root(options: MountOptions, store_path: str) -> set[str]:
    """Return the flags for set-id bits and devices that root did not choose.

    fusermount3 would forbid both, as is right for what a normal user mounts. Root's own store is what a disk of the
    system is: both work, unless one asks for nosuid or nodev. What a store says of owners is believed, so a store that
    somebody else can write to would make anybody root: for that, both must be asked for.
    """
    is_roots = all(_only_root_writes(os.stat(path)) for path in (store_path, f"{store_path}/sessions"))
    given = {_GROUP_OF[flag] for flag in options.kernel}
    return {group if is_roots else f"no{group}" for group in ("suid", "dev") if group not in given}


def _only_root_writes(directory: os.stat_result) -> bool:
    mode = directory.st_mode
    return directory.st_uid == 0 and not mode & stat.S_IWOTH and (directory.st_gid == 0 or not mode & stat.S_IWGRP)


def _escaped(text: str) -> str:
    """Return *text* as the value of a mount option: a comma would end it."""
    return text.replace("\\", "\\\\").replace(",", "\\,")
