r"""Names and paths of artifacts.

In memory a name is a ``str`` as ``os.fsdecode`` gives it: bytes that are not UTF-8 are lone surrogates, so any POSIX
name is kept exactly. JSON cannot hold those, so on disk and in output a name has a text form: valid UTF-8, with
each stray byte as ``\xHH`` and a backslash as ``\\``. The two forms map one to one.
"""

from __future__ import annotations

import errno
import os
import re

from sessionfs.errors import InvalidInput

MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095

_ESCAPE = re.compile(r"\\(\\|x([89a-f][0-9a-f]))")
_STRAY = re.compile("[\udc80-\udcff]")


class BadName(InvalidInput):
    """A name that no artifact can have."""


class NameTooLong(InvalidInput):
    """A name of more than 255 bytes, or a path of more than 4,095."""

    errno = errno.ENAMETOOLONG


def check_path(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """Return *path* as the rest of sessionfs knows it: relative, "/" between names, none of them special.

    Raises:
        BadName: It is absolute, or holds an empty name, ".", "..", or NUL.
        NameTooLong: More than POSIX allows.
    """
    text = path if isinstance(path, str) else _decode(os.fspath(path))
    names = text.split("/")
    for name in names:
        if name in ("", ".", ".."):
            raise BadName(_explain(text, name))
    if "\0" in text:
        raise BadName(f"{text!r} is not a path of an artifact: a name cannot hold NUL")
    if text.isascii() and len(text) <= MAX_NAME_BYTES:
        return text
    return _check_bytes(text, names)


def check_name(name: str) -> str:
    """Return *name* if one directory entry can have it.

    Raises:
        BadName: It holds "/", or is what :func:`check_path` refuses.
        NameTooLong: More than 255 bytes.
    """
    if "/" in name:
        raise BadName(f"{name!r} is not a name: it holds a '/'")
    return check_path(name)


def encode(name: str) -> bytes:
    """Return the bytes of a name, path or target.

    Raises:
        BadName: It holds a lone surrogate that stands for no byte.
    """
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as failure:
        raise BadName(f"{name!r} cannot be a file's name: it holds a lone surrogate") from failure


def text_of(name: str) -> str:
    """Return the text form of a name or path."""
    if name.isascii() and "\\" not in name:
        return name
    return _STRAY.sub(lambda stray: f"\\x{ord(stray.group()) - 0xDC00:02x}", name.replace("\\", "\\\\"))


def from_text(text: str) -> str:
    """Return the name or path whose text form is *text*."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda escape: "\\" if escape[2] is None else chr(0xDC00 + int(escape[2], 16)), text)


def split(path: str) -> tuple[str, str]:
    """Return the parent's path ("" for the root) and the name."""
    parent, _, name = path.rpartition("/")
    return parent, name


def _decode(path: str | bytes) -> str:
    return path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")


def _explain(text: str, name: str) -> str:
    if text == "":
        return "an artifact needs a name; an empty one was given"
    if text.startswith("/"):
        return f"{text!r} is absolute; a path of an artifact is relative to its session"
    if name == "":
        return f"{text!r} holds an empty name; write one '/' between names and none at the end"
    return f"{text!r} holds the name {name!r}; a path of an artifact cannot step to itself or its parent"


def _check_bytes(text: str, names: list[str]) -> str:
    raw = encode(text)
    if len(raw) > MAX_PATH_BYTES:
        raise NameTooLong(f"a path of {len(raw)} bytes was given; at most {MAX_PATH_BYTES} are possible")
    for name in names:
        if len(name) * 4 > MAX_NAME_BYTES and len(encode(name)) > MAX_NAME_BYTES:
            raise NameTooLong(
                f"the name {name[:40]!r}… has {len(encode(name))} bytes; at most {MAX_NAME_BYTES} are possible"
            )
    # Stray bytes that together are valid UTF-8 are the same name as the character they spell.
    return raw.decode("utf-8", "surrogateescape")
