"""Extended attributes as readings of what an artifact says about itself. Pure mapping.

``user.sessionfs.*`` names are sessionfs's own: some can be set, the derived ones only look so (``cp -a`` and ``rsync
-aX`` copy whatever is listed, so setting a derived one is accepted and changes nothing). Every other ``user.*`` name is
custom metadata: text becomes a JSON string in ``metadata``, what JSON cannot hold is kept byte for byte in ``xattrs``.
Other namespaces are not supported.

Setting what is shown already changes nothing, so a guessed type stays a guess and the JSON number 3 stays a number
when a file is copied over itself.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from sessionfs.artifacts import Node
from sessionfs.artifacts.names import from_text, text_of
from sessionfs.clock import format_time
from sessionfs.errors import Denied, InvalidInput, NotFound, Unsupported
from sessionfs.store.artifacts import RESERVED_METADATA_PREFIX

USER = b"user."
OWN = USER + RESERVED_METADATA_PREFIX.encode()


class NoSuchXattr(NotFound):
    """It has no such attribute."""

    errno = errno.ENODATA


class DerivedXattr(Denied):
    """A derived attribute cannot be removed."""

    errno = errno.EPERM


class OtherNamespace(Unsupported):
    """Only ``user.*`` is kept."""

    errno = errno.ENOTSUP


class NamelessXattr(InvalidInput):
    """The name is empty."""


class NotText(InvalidInput):
    """The attribute is text, and the value is not UTF-8."""


class Described(Protocol):
    """What says something about itself, field by field."""

    def value(self, field: str) -> Any:
        """Return a field of the artifact's node, as it will be when it is next recorded."""


class OfNode:
    """A node of a tree, as what says something about itself."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def value(self, field: str) -> Any:
        """Return a field of it, as it is recorded."""
        return getattr(self._node, field)


class Field(NamedTuple):
    """One of sessionfs's own names that can be set."""

    show: Callable[[Described], str | None]  # None: there is no such attribute now
    field: str
    parse: Callable[[str], Any]
    unset: Any


def _shown(field: str) -> Callable[[Described], str | None]:
    def show(artifact: Described) -> str | None:
        value = artifact.value(field)
        return None if value in (None, "") else str(value)

    return show


def _shown_time(field: str) -> Callable[[Described], str | None]:
    return lambda artifact: format_time(artifact.value(field))


def format_tags(tags: tuple[str, ...]) -> str | None:
    """Return tags as one text, or None when there are none."""
    return ",".join(tags) or None


def parse_tags(text: str) -> list[str]:
    """Return the tags in a text; empty ones do not count."""
    return [tag.strip() for tag in text.split(",") if tag.strip()]


_SETTABLE: dict[bytes, Field] = {
    OWN + b"type": Field(_shown("shown_type"), "type", str, None),
    OWN + b"mime_type": Field(_shown("shown_mime_type"), "mime_type", str, None),
    OWN + b"description": Field(_shown("description"), "description", str, None),
    OWN + b"tags": Field(lambda artifact: format_tags(artifact.value("tags")), "tags", parse_tags, ()),
}

_DERIVED: dict[bytes, Callable[[Described], str | None]] = {
    OWN + b"id": _shown("id"),
    OWN + b"oid": _shown("oid"),
    OWN + b"version": lambda artifact: str(artifact.value("version")) if artifact.value("id") else None,
    OWN + b"created_at": _shown_time("created_ns"),
    OWN + b"created_by": _shown("created_by"),
    OWN + b"stored_size": lambda artifact: str(artifact.value("bytes_stored")) if artifact.value("id") else None,
    OWN + b"compression": lambda artifact: artifact.value("compression") if artifact.value("id") else None,
}

_OF_ALL_FILES = (OWN + b"type", OWN + b"mime_type", OWN + b"created_at", OWN + b"created_by")
_OF_RECORDED_FILES = (OWN + b"id", OWN + b"oid", OWN + b"version", OWN + b"stored_size", OWN + b"compression")
_OF_ALL_DIRECTORIES = (OWN + b"created_at", OWN + b"created_by")
_OF_RECORDED_DIRECTORIES = (OWN + b"id",)
_OPTIONAL = {name: _SETTABLE[name].show for name in (OWN + b"description", OWN + b"tags")}


def names(artifact: Described, *, is_directory: bool) -> list[bytes]:
    """Return the names of all attributes that have a value now."""
    listed = list(_OF_ALL_DIRECTORIES if is_directory else _OF_ALL_FILES)
    # What always has a value is not asked for it: tools that copy attributes list them for each file.
    listed += [name for name, show in _OPTIONAL.items() if show(artifact) is not None]
    if artifact.value("id"):
        listed += _OF_RECORDED_DIRECTORIES if is_directory else _OF_RECORDED_FILES
    listed += [USER + key.encode() for key in artifact.value("metadata") or {} if _is_name(key)]
    listed += [_bytes_of(name) for name in artifact.value("xattrs") or {}]
    return listed


def get(artifact: Described, name: bytes) -> bytes:
    """Return the value of an attribute.

    Raises:
        NoSuchXattr: It has none.
        OtherNamespace: The name is not in ``user.``.
    """
    check_namespace(name)
    text: str | None = None
    if name in _SETTABLE:
        text = _SETTABLE[name].show(artifact)
    elif name in _DERIVED:
        text = _DERIVED[name](artifact)
    elif not name.startswith(OWN):
        value = _custom(artifact, name)
        if value is not None:
            return value
    if text is None:
        raise NoSuchXattr(f"there is no attribute {name!r}")
    return text.encode("utf-8", "surrogateescape")


def changes_to_set(artifact: Described, name: bytes, value: bytes) -> dict[str, Any]:
    """Return which fields change when *name* is set to *value*; none when that is shown already.

    Raises:
        NotText: The attribute is text, and *value* is not.
        OtherNamespace: The name is not in ``user.``.
    """
    check_namespace(name)
    if name in _SETTABLE:
        field = _SETTABLE[name]
        text = parse_text(name, value)
        return {} if field.show(artifact) == text else {field.field: field.parse(text)}
    if name.startswith(OWN):
        return {}
    if _custom(artifact, name) == value:
        return {}
    return _with_custom(artifact, name, value)


def changes_to_remove(artifact: Described, name: bytes) -> dict[str, Any]:
    """Return which fields change when *name* is removed.

    Raises:
        DerivedXattr: It is derived.
        NoSuchXattr, OtherNamespace: There is no such attribute.
    """
    if name in _DERIVED:
        raise DerivedXattr(f"{name!r} is derived, so it cannot be removed")
    get(artifact, name)
    if name in _SETTABLE:
        field = _SETTABLE[name]
        # What is only guessed stays a guess, and the record is spared.
        return {} if artifact.value(field.field) == field.unset else {field.field: field.unset}
    return _with_custom(artifact, name, None)


def _custom(artifact: Described, name: bytes) -> bytes | None:
    raw: bytes | None = (artifact.value("xattrs") or {}).get(_text_of(name))
    if raw is not None:
        return raw
    key = _key(name)
    metadata = artifact.value("metadata") or {}
    if key is None or key not in metadata:
        return None
    value = metadata[key]
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def _with_custom(artifact: Described, name: bytes, value: bytes | None) -> dict[str, Any]:
    """Return metadata and xattrs with *name* at *value* (None: gone), where they differ from what they are."""
    old_metadata, old_xattrs = artifact.value("metadata") or {}, artifact.value("xattrs") or {}
    key, raw_key = _key(name), _text_of(name)
    metadata = {known: old for known, old in old_metadata.items() if known != key}
    xattrs = {known: old for known, old in old_xattrs.items() if known != raw_key}
    text = None if value is None or key is None else _text_or_none(value)
    if key is not None and text is not None:
        metadata[key] = text
    elif value is not None:
        xattrs[raw_key] = value
    changes: dict[str, Any] = {}
    if metadata != old_metadata:
        changes["metadata"] = metadata
    if xattrs != old_xattrs:
        changes["xattrs"] = xattrs
    return changes


def check_namespace(name: bytes) -> None:
    """Check that *name* is in ``user.``, and more than that; OtherNamespace, NamelessXattr."""
    if name == USER:
        raise NamelessXattr("an attribute needs a name after 'user.'")
    if not name.startswith(USER):
        raise OtherNamespace(f"the attribute {name!r} is not in the namespace user, and others are not kept")


def _key(name: bytes) -> str | None:
    """Return the metadata key for the attribute *name*, or None when JSON cannot hold it."""
    return _text_or_none(name[len(USER) :]) or None


def _is_name(key: str) -> bool:
    return 0 < len(key.encode()) <= 250 and "\0" not in key


def _text_of(name: bytes) -> str:
    return text_of(name.decode("utf-8", "surrogateescape"))


def _bytes_of(text: str) -> bytes:
    return from_text(text).encode("utf-8", "surrogateescape")


def _text_or_none(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def parse_text(name: bytes, value: bytes) -> str:
    """Return *value* as text; NotText."""
    text = _text_or_none(value)
    if text is None:
        raise NotText(f"the attribute {name.decode()} is text, and the value given is not UTF-8")
    return text
