"""What SQLite is given to match with, where its own functions do not say quite the same as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import lru_cache

import msgspec

from sessionfs.artifacts import from_text
from sessionfs.query.flat import Plain, flatten
from sessionfs.query.globs import Glob, Style
from sessionfs.query.terms import Meta, MetaMatches, MetaWithin

STYLES = {
    (Style.TEXT, False): 0,
    (Style.TEXT, True): 1,
    (Style.PATH, False): 2,
    (Style.PATH, True): 3,
}
"""How a glob's style is said in SQL; for names and paths, which are in text form, 4 more."""

OF_NAMES = 4

_GLOB_STYLES = {number: style for style, number in STYLES.items()}

MetaTerm = Meta | MetaMatches | MetaWithin

_decode = msgspec.json.Decoder().decode


def register(connection: sqlite3.Connection) -> None:
    """Make our functions known on *connection*; their names begin with ``sfs_``."""
    connection.create_function("sfs_matches", 3, _matches, deterministic=True)
    connection.create_function("sfs_has", 3, _has, deterministic=True)
    connection.create_function("sfs_meta", 6, _meta, deterministic=True)


def meta_arguments(term: MetaTerm) -> list[Plain | None]:
    """Return what ``sfs_meta`` takes behind the metadata: key, pattern, bounds, and which of these are included."""
    if isinstance(term, MetaMatches):
        return [term.key, term.glob.pattern, None, None, 0]
    if isinstance(term, MetaWithin):
        return [term.key, None, term.low, term.high, term.low_included + 2 * term.high_included]
    return [term.key, None, None, None, 0]


def _matches(text: str | None, pattern: str, style: int) -> bool:
    if text is None:
        return False
    if style >= OF_NAMES:
        return _glob(from_text(pattern), style - OF_NAMES)(from_text(text))
    return _glob(pattern, style)(text)


@lru_cache(maxsize=64)
def _glob(pattern: str, style: int) -> Callable[[str], bool]:
    kind, folded = _GLOB_STYLES[style]
    return Glob(pattern, kind, folded).compiled()


def _has(text: str | None, part: str, is_name: int) -> bool:
    """Say whether *part*, which is case folded, is in *text*, whatever its case; names are in text form."""
    if text is None:
        return False
    return from_text(part) in from_text(text).casefold() if is_name else part in text.casefold()


def _meta(
    metadata: str | None, key: str, pattern: str | None, low: Plain | None, high: Plain | None, included: int
) -> bool:
    """Say whether metadata fit a term; see :func:`meta_arguments`."""
    if metadata is None:
        return False
    pairs = flatten(_decode(metadata))
    if pattern is not None:
        matches = _glob(pattern, 0)
        return any(name == key and isinstance(value, str) and matches(value) for name, value in pairs)
    if low is None and high is None:
        return any(name == key or name.startswith(f"{key}.") for name, _ in pairs)
    kind = str if isinstance(low if low is not None else high, str) else (int, float)
    values = [value for name, value in pairs if name == key and isinstance(value, kind)]
    return any(_is_between(value, low, high, included) for value in values)


def _is_between(value: Plain, low: Plain | None, high: Plain | None, included: int) -> bool:
    if low is not None and not (value > low or (included & 1 and value == low)):  # type: ignore[operator]
        return False
    return high is None or value < high or (bool(included & 2) and value == high)  # type: ignore[operator]
