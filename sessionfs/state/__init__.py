"""State: the key-value pairs of a session, as its ``state.changed`` records add up.

A value is any JSON. One that is longer than 8 KiB lies in an object, and records and snapshots name its oid.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from sessionfs.errors import InvalidInput, NotFound
from sessionfs.log import check_depth, encode_data
from sessionfs.oid import ObjectId

MAX_INLINE_BYTES = 8 << 10
MAX_KEY_BYTES = 255

LoadValue = Callable[[ObjectId], bytes]


class NoSuchKey(NotFound, KeyError):
    """The state has no such key."""


class BadKey(InvalidInput):
    """A key that state cannot have: each is also a file's name in the mount."""


class KeyTooLong(BadKey):
    """A key of more than 255 bytes."""

    errno = errno.ENAMETOOLONG


class BadValue(InvalidInput):
    """A value that JSON cannot hold, or that is nested too deeply."""


class Value(msgspec.Struct, omit_defaults=True):
    """One value: its JSON, or the oid of an object that holds its JSON."""

    json: msgspec.Raw | UnsetType = UNSET
    oid: ObjectId | UnsetType = UNSET
    size: int = 0  # bytes of JSON
    changed_at: str = ""


class Changed(msgspec.Struct, omit_defaults=True):
    """``state.changed``: ``key`` was set, or, with neither ``new`` nor ``new_oid``, deleted; ``old`` is what it was."""

    key: str
    old: msgspec.Raw | UnsetType = UNSET
    old_oid: ObjectId | UnsetType = UNSET
    new: msgspec.Raw | UnsetType = UNSET
    new_oid: ObjectId | UnsetType = UNSET
    new_size: int = 0  # of an object's JSON


class State:
    """The state of one session at one moment. Not thread-safe: its session holds the lock."""

    def __init__(self, load: LoadValue, values: dict[str, Value] | None = None) -> None:
        self.values = values if values is not None else {}
        self._load = load

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with *prefix*, sorted."""
        return sorted(key for key in self.values if key.startswith(prefix))

    def get_json(self, key: str) -> bytes:
        """Return the JSON of *key*'s value.

        Raises:
            NoSuchKey: It has none.
        """
        value = self.values.get(key)
        if value is None:
            raise NoSuchKey(f"the state has no key {key!r}")
        if value.oid is not UNSET:
            return self._load(value.oid)
        assert value.json is not UNSET
        return bytes(value.json)

    def get(self, key: str) -> Any:
        """Return *key*'s value; each call makes a new one.

        Raises:
            NoSuchKey: It has none.
        """
        return msgspec.json.decode(self.get_json(key))

    def change(self, data: Changed, time: str) -> None:
        """Apply ``state.changed``."""
        if data.new is UNSET and data.new_oid is UNSET:
            self.values.pop(data.key, None)
            return
        # Copied, because a decoded Raw keeps the whole record it came from alive.
        json = UNSET if data.new is UNSET else data.new.copy()
        size = data.new_size if json is UNSET else len(bytes(json))
        self.values[data.key] = Value(json, data.new_oid, size, time)

    def describe_change(self, key: str, json: bytes | None, oid: ObjectId | None = None) -> Changed:
        """Return the record's data for a change of *key*.

        Args:
            json: The new value's JSON; None to delete.
            oid: The object that holds it, when it is too long for the record.
        """
        changed = Changed(key)
        old = self.values.get(key)
        if old is not None:
            changed.old, changed.old_oid = old.json, old.oid
        if json is not None:
            if oid is None:
                changed.new = msgspec.Raw(json)
            else:
                changed.new_oid, changed.new_size = oid, len(json)
        return changed


def check_key(key: str) -> str:
    """Return *key* if state can have it.

    Raises:
        BadKey: It is empty, ".", "..", holds "/" or NUL, or is not text.
        KeyTooLong: It has more than 255 bytes.
    """
    if not isinstance(key, str):
        raise BadKey(f"a key of state is text, not {type(key).__name__}")
    if key in ("", ".", "..") or "/" in key or "\0" in key:
        raise BadKey(f"{key!r} is no key: it is also a file's name in the mount, so no '/', NUL, '.' or '..'")
    try:
        length = len(key.encode())
    except UnicodeEncodeError as failure:
        raise BadKey(f"{key!r} is no key: it is not valid Unicode") from failure
    if length > MAX_KEY_BYTES:
        raise KeyTooLong(f"a key of {length} bytes was given; at most {MAX_KEY_BYTES} are possible")
    return key


def encode_value(value: Any) -> bytes:
    """Return *value* as JSON.

    Raises:
        BadValue: JSON cannot hold it, or it is nested too deeply.
    """
    try:
        return encode_data(value)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as failure:
        raise BadValue(f"the value cannot be JSON: {failure}") from failure


def parse_value(text: bytes | str) -> bytes:
    """Return *text* as compact JSON.

    Raises:
        BadValue: It is not JSON, or nested too deeply.
    """
    try:
        # Decoded as well: formatting alone lets pass what cannot be read back, such as 1e999 or invalid UTF-8.
        msgspec.json.decode(text)
        compact = msgspec.json.format(text.encode() if isinstance(text, str) else text, indent=-1)
    except (msgspec.MsgspecError, ValueError, RecursionError) as failure:
        raise BadValue(f'the value is not JSON: {failure}; quote a text as "text"') from failure
    try:
        check_depth(compact)
    except ValueError as failure:
        raise BadValue(f"the value cannot be kept: {failure}") from failure
    return compact
