"""What a template says, as values; nothing is filled in yet, and no file has been read but the template's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sessionfs.errors import InvalidInput


class BadTemplate(InvalidInput):
    """A template that cannot be understood; the message names its file and the key."""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is filled in when a session is made."""

    name: str
    about: str | None = None
    type: str = "string"  # "string", "integer", "number" or "boolean"
    default: Any = None  # None: it has to be given
    choices: tuple[Any, ...] = ()  # one of them; any, when there are none
    pattern: str | None = None  # a regular expression for the whole text
    min: int | float | None = None
    max: int | float | None = None

    @property
    def is_required(self) -> bool:
        """Whether it has to be given."""
        return self.default is None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One of the initial artifacts: where what is in it comes from, and what is said about it.

    Exactly one of ``file``, ``tree``, ``text``, ``symlink``, ``link`` and ``directory`` says what it is. Paths of files
    are relative to the template's directory.
    """

    path: str  # in text form, as are the other names
    file: str | None = None
    tree: str | None = None  # a directory: all that is in it goes below ``path``
    text: str | None = None
    symlink: str | None = None
    link: str | None = None  # another name of an artifact that stands before it
    directory: bool = False
    substitute: bool = False  # variables are filled in in the file, or in all files of the tree
    mode: str | None = None  # octal
    attributes: Mapping[str, Any] = {}  # type, mime_type, description, tags, metadata, xattrs (in base64)


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template, as it was read."""

    name: str
    path: str  # of the file
    place: str  # "store", "user" or "example"
    about: str | None = None
    id_prefix: str = ""
    session_name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = {}
    limits: Mapping[str, Any] = {}
    retention: Mapping[str, Any] = {}
    state: Mapping[str, Any] = {}
    artifacts: tuple[Source, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = {}  # programs in the template's directory, by place
    variables: Mapping[str, Variable] = {}

    @property
    def directory(self) -> str:
        """Where its files are."""
        return self.path.removesuffix(".toml")

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, under the names that its file has for it."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        first = {"template": plain.pop("name"), "path": plain.pop("path"), "place": plain.pop("place")}
        return first | {"about": plain.pop("about"), "name": plain.pop("session_name")} | plain
