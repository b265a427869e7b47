"""Writing TOML: what a template needs, and what the standard library reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def format_table(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of ``[name]``; what is inside its values is written inline.

    Args:
        name: As :func:`format_key` gives it, with dots between several.
    """
    yield f"[{name}]"
    for key, value in table.items():
        yield f"{format_key(key)} = {format_value(value)}"
    yield ""


def format_key(key: str) -> str:
    """Return *key* as it stands before ``=``."""
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def format_value(value: Any) -> str:
    """Return a JSON value without null as TOML."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{format_key(key)} = {format_value(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _text(text: str) -> str:
    # JSON escapes what TOML has to have escaped, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
