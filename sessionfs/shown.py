"""Values as people see them: sizes with units, times without fractions, text that cannot drive a terminal."""

from __future__ import annotations

import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_NS_PER_DURATION = ((86_400 * 10**9, "days"), (3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms"))

# What would break a line or drive the terminal, and what UTF-8 cannot encode.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# That, and what is not seen, or lets other characters be seen elsewhere: soft hyphens, joiners, the marks and overrides
# of writing directions (a name with one can look like another), variation selectors, tags.
_MISTAKABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    r"""Return *text* as one line of valid Unicode: stray bytes and control characters as ``\xHH``."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def unmistakable(text: str) -> str:
    r"""Return *text* as :func:`printable`, with what cannot be seen, or turns other text round, escaped too.

    For screens on which texts stand beside each other; it does not keep what joins some scripts' letters and emoji.
    """
    return text if text.isascii() and text.isprintable() else _MISTAKABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode gives it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def human_size(size: int) -> str:
    """Return ``9 B``, ``12.3 KiB``."""
    number = float(size)
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number /= 1024
        unit += 1
    return f"{size} B" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def human_time(text: str) -> str:
    """Return ``2026-11-20 22:44:01`` for RFC 3339, still in UTC."""
    return text[:19].replace("T", " ")


def human_duration(duration_ns: int) -> str:
    """Return ``12 us``, ``3.4 ms``, ``5.6 s``, ``7.8 min``, ``9.0 h``, ``1.2 days``."""
    for unit_ns, unit in _NS_PER_DURATION:
        if duration_ns >= unit_ns:
            return f"{duration_ns / unit_ns:,.1f} {unit}"
    return f"{duration_ns // 1000} us"
