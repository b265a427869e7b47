"""What a terminal sends when keys are pressed, as names of keys. Pure."""

from __future__ import annotations

ESCAPE = "escape"
ENTER = "enter"
BACKSPACE = "backspace"

# CSI and SS3 sequences, as xterm and the Linux console send them.
_SEQUENCES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1b[C": "right", b"\x1b[D": "left",
    b"\x1bOA": "up", b"\x1bOB": "down", b"\x1bOC": "right", b"\x1bOD": "left",
    b"\x1b[H": "home", b"\x1b[F": "end", b"\x1bOH": "home", b"\x1bOF": "end",
    b"\x1b[1~": "home", b"\x1b[4~": "end", b"\x1b[7~": "home", b"\x1b[8~": "end",
}  # fmt: skip
_SINGLE = {b"\r": ENTER, b"\n": ENTER, b"\x7f": BACKSPACE, b"\x08": BACKSPACE}
_LONGEST_SEQUENCE = 16


def parse_keys(data: bytes, *, complete: bool = False) -> tuple[list[str], bytes]:
    """Return the keys that *data* begins with, and what is left: the beginning of a key.

    A printable sign is a key by itself. Sequences that are not known give no key.

    Args:
        complete: Nothing more is coming: what is left is what it is, and a lone escape is that key.
    """
    keys: list[str] = []
    while data:
        length = _length(data, complete)
        if length is None:
            break
        key, data = data[:length], data[length:]
        name = _name(key)
        if name is not None:
            keys.append(name)
    return keys, data


def _length(data: bytes, complete: bool) -> int | None:
    """Return how long the first key is; None if its end has not come yet."""
    first = data[0]
    if first == 0x1B:
        return _sequence_length(data, complete)
    if first < 0xC0:
        return 1
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return length if len(data) >= length else 1 if complete else None


def _sequence_length(data: bytes, complete: bool) -> int | None:
    if data[1:2] == b"O":
        return 3 if len(data) >= 3 else len(data) if complete else None
    if data[1:2] == b"[":
        for at in range(2, min(len(data), _LONGEST_SEQUENCE)):
            if 0x40 <= data[at] <= 0x7E:
                return at + 1
        return len(data) if complete or len(data) >= _LONGEST_SEQUENCE else None
    if len(data) == 1:
        return 1 if complete else None
    return 1  # an escape, and then another key


def _name(key: bytes) -> str | None:
    if key == b"\x1b":
        return ESCAPE
    if key in _SINGLE:
        return _SINGLE[key]
    if key.startswith(b"\x1b"):
        return _SEQUENCES.get(key)
    text = key.decode("utf-8", "replace")
    return text if text.isprintable() else None
