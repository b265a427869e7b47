"""The configuration of a store: ``config.toml``, every key optional.

The keys and their readers are one table; what is not in it is refused, with the nearest key named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sessionfs.clock import NS_PER_SECOND
from sessionfs.durable import Mode
from sessionfs.errors import InvalidInput
from sessionfs.objects.database import DEFAULT_THRESHOLD_BYTES


class BadConfig(InvalidInput):
    """config.toml cannot be understood."""


class TagRule(NamedTuple):
    """What ``[retention.tag.TAG]`` says of one key, in place of what holds for all."""

    tag: str
    field: str  # of Config
    value: int | None


class Config(NamedTuple):
    """What config.toml says; None is no limit."""

    max_sessions: int | None = None  # active ones
    max_artifacts_per_session: int | None = None
    max_artifact_bytes: int | None = None
    max_session_bytes: int | None = None
    compress: bool = True
    threshold_bytes: int = DEFAULT_THRESHOLD_BYTES
    mode: Mode = Mode.RELAXED
    sync_interval_ns: int = NS_PER_SECOND
    timeout_ns: int | None = None  # idle for so long, then suspended
    auto_save_interval_ns: int | None = None
    keep_versions: int | None = None  # so many of each artifact
    keep_versions_for_ns: int | None = None  # also those that were current in so long
    keep_automatic_checkpoints: int | None = 50  # of each session: what was before an undo, a restore, a merge
    trash_grace_ns: int = 14 * 86_400 * NS_PER_SECOND
    archive_finished_after_ns: int | None = None
    delete_finished_after_ns: int | None = None
    of_tags: tuple[TagRule, ...] = ()  # rules that differ for sessions with a tag
    audit_reads: bool = False
    search: bool = True
    document_bytes: int = 4 << 20  # of each content that words are found in
    hook_limit_ns: int = 30 * NS_PER_SECOND  # then an executable is killed
    hook_budget_ns: int = NS_PER_SECOND  # a function that takes longer is slow


_SIZE_UNITS = {
    "": 1, "b": 1,
    "k": 1 << 10, "kib": 1 << 10, "kb": 10**3,
    "m": 1 << 20, "mib": 1 << 20, "mb": 10**6,
    "g": 1 << 30, "gib": 1 << 30, "gb": 10**9,
    "t": 1 << 40, "tib": 1 << 40, "tb": 10**12,
}  # fmt: skip

_TIME_UNITS = {
    "ms": NS_PER_SECOND // 1000,
    "": NS_PER_SECOND, "s": NS_PER_SECOND,
    "m": 60 * NS_PER_SECOND, "min": 60 * NS_PER_SECOND,
    "h": 3600 * NS_PER_SECOND,
    "d": 86_400 * NS_PER_SECOND,
    "w": 7 * 86_400 * NS_PER_SECOND,
}  # fmt: skip

NEVER = "never"
"""What lifts a rule, where another one would hold."""

# More is a slip, and not every number of Python's can count it.
_MAX_DIGITS = 18
_AMOUNT = re.compile(rf"\s*(\d{{1,{_MAX_DIGITS}}}(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_size(value: Any) -> int:
    """Return the bytes of ``104857600``, ``"100MiB"``, ``"1.5 GB"``; a bare letter is binary.

    Raises:
        ValueError: It is no size.
    """
    return _amount(value, _SIZE_UNITS, 'a size such as 4096 or "100MiB"')


def parse_duration(value: Any) -> int:
    """Return the nanoseconds of ``30`` (seconds), ``"30d"``, ``"1.5h"``.

    Raises:
        ValueError: It is no duration.
    """
    return _amount(value, _TIME_UNITS, 'a time such as 3600 or "30d"')


def parse_count(value: Any) -> int:
    """Return *value* if it is a whole number, not negative.

    Raises:
        ValueError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no whole number of 0 or more")
    return value


def parse_kept(value: Any) -> int:
    """Return *value* if so many versions can be kept: the live one always is.

    Raises:
        ValueError: It is no whole number of 1 or more.
    """
    if parse_count(value) == 0:
        raise ValueError("0 versions cannot be kept: the newest one always is, so 1 is the least")
    return int(value)


def _parse_checkpoints(value: Any) -> int:
    if parse_count(value) == 0:
        raise ValueError("0 is too few: who undoes something is told what that was, so 1 is the least")
    return int(value)


def _or_never(parse: Callable[[Any], int]) -> Callable[[Any], int | None]:
    """Return *parse*, or None for ``"never"``: a rule that holds for all can be lifted for some."""
    return lambda value: None if value == NEVER else parse(value)


def _amount(value: Any, units: dict[str, int], wanted: str) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**_MAX_DIGITS:
        return int(value * units[""])
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2].lower() not in units:
        raise ValueError(f"{value!r} is not {wanted}")
    number, unit = match[1], units[match[2].lower()]
    return int(number) * unit if number.isdecimal() else int(float(number) * unit)


def _parse_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _parse_mode(value: Any) -> Mode:
    try:
        return Mode(value)
    except ValueError as failure:
        raise ValueError(f'{value!r} is neither "relaxed" nor "full"') from failure


KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "limits.max_sessions": ("max_sessions", parse_count),
    "limits.max_artifacts_per_session": ("max_artifacts_per_session", parse_count),
    "limits.max_artifact_size": ("max_artifact_bytes", parse_size),
    "limits.max_session_size": ("max_session_bytes", parse_size),
    "compression.enabled": ("compress", _parse_flag),
    "compression.threshold": ("threshold_bytes", parse_size),
    "durability.mode": ("mode", _parse_mode),
    "durability.interval": ("sync_interval_ns", parse_duration),
    "sessions.timeout": ("timeout_ns", _or_never(parse_duration)),
    "sessions.auto_save_interval": ("auto_save_interval_ns", parse_duration),
    "retention.keep_versions": ("keep_versions", _or_never(parse_kept)),
    "retention.keep_versions_for": ("keep_versions_for_ns", _or_never(parse_duration)),
    "retention.keep_automatic_checkpoints": ("keep_automatic_checkpoints", _or_never(_parse_checkpoints)),
    "retention.trash_grace": ("trash_grace_ns", parse_duration),
    "retention.archive_finished_after": ("archive_finished_after_ns", _or_never(parse_duration)),
    "retention.delete_finished_after": ("delete_finished_after_ns", _or_never(parse_duration)),
    "events.audit_reads": ("audit_reads", _parse_flag),
    "search.enabled": ("search", _parse_flag),
    "search.document_limit": ("document_bytes", parse_size),
    "hooks.time_limit": ("hook_limit_ns", parse_duration),
    "hooks.time_budget": ("hook_budget_ns", parse_duration),
}

TAG_KEYS = {
    "timeout": "sessions.timeout",
    "keep_versions": "retention.keep_versions",
    "keep_versions_for": "retention.keep_versions_for",
    "archive_finished_after": "retention.archive_finished_after",
    "delete_finished_after": "retention.delete_finished_after",
}
"""What ``[retention.tag.TAG]`` may say, and the key that it stands in for."""

OWN_KEYS = (
    *TAG_KEYS.values(),
    "limits.max_artifacts_per_session",
    "limits.max_artifact_size",
    "limits.max_session_size",
)
"""What a session may say for itself (see :mod:`sessionfs.store.settings`)."""

_TAG_KEY = re.compile(r"retention\.tag\.(.+)\.([^.]+)", re.DOTALL)

_GUARDED = """\
# Made by: sessionfs init --profile guarded

[limits]
max_sessions = 100                # active ones
max_artifacts_per_session = 1000
max_artifact_size = "100MiB"

[sessions]
timeout = "1h"
"""

_DEFAULT = """\
# Every key is optional; the README lists them all. No limit is set by default.
"""

PROFILES = {"default": _DEFAULT, "guarded": _GUARDED}


def parse_config(text: str, path: str) -> Config:
    """Return what config.toml says.

    Args:
        path: Where it stands, for messages.

    Raises:
        BadConfig: It is no TOML, has a key that sessionfs does not know, or a value it cannot use.
    """
    if all(line.lstrip().startswith("#") or not line.strip() for line in text.splitlines()):
        return Config()  # tomllib costs 12 ms at start-up
    import tomllib

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise BadConfig(f"{path} is not valid TOML: {failure}") from failure
    settings: dict[str, Any] = {}
    of_tags: list[TagRule] = []
    for key, value in _flatten(tables).items():
        tag = _TAG_KEY.fullmatch(key)
        known = key if tag is None else TAG_KEYS.get(tag[2])
        if known is None or known not in KEYS:
            raise BadConfig(f"{path} has the unknown key {key!r}; {nearest(key)}")
        field, parse = KEYS[known]
        try:
            parsed = parse(value)
        except (ValueError, OverflowError) as failure:  # inf is a TOML number
            raise BadConfig(f"{path}: {key}: {failure}") from failure
        if tag is None:
            settings[field] = parsed
        else:
            of_tags.append(TagRule(tag[1], field, parsed))
    return Config(**settings, of_tags=tuple(of_tags))


def _flatten(tables: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        section = f"{prefix}{key}."
        is_section = section.startswith("retention.tag.") or any(known.startswith(section) for known in KEYS)
        if isinstance(value, dict) and (value or is_section):
            flat.update(_flatten(value, section))
        else:
            flat[prefix + key] = value
    return flat


def nearest(key: str, known: Iterable[str] = ()) -> str:
    """Return which of the *known* keys, all by default, looks most like *key*; for people."""
    from difflib import get_close_matches

    tag = _TAG_KEY.fullmatch(key)
    of_tag = [f"retention.tag.{tag[1]}.{name}" for name in TAG_KEYS] if tag is not None else []
    close = get_close_matches(key, known or [*KEYS, *of_tag], n=1, cutoff=0.0)
    return f"the nearest known one is {close[0]!r}"
