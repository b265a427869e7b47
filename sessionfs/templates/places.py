"""Where templates are: in the store, in the user's configuration, among this package's examples; the first one wins."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sessionfs.errors import InvalidInput, NotFound, from_os_error

STORE, USER, EXAMPLE = "store", "user", "example"

SUFFIX = ".toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EXAMPLES = f"{os.path.dirname(__file__)}/examples"


class BadTemplateName(InvalidInput):
    """No template can be called so."""


class NoSuchTemplate(NotFound, KeyError):
    """There is no template of this name."""


class Found(NamedTuple):
    """The file of a template."""

    name: str
    path: str
    place: str
    is_hidden: bool  # another one of the same name is found before it


def user_directory(env: Mapping[str, str]) -> str:
    """Return where the user's own templates are: ``$XDG_CONFIG_HOME/sessionfs/templates``."""
    config = env.get("XDG_CONFIG_HOME") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".config")
    return os.path.join(config, "sessionfs", "templates")


class Places:
    """The directories in which templates are looked for, in order."""

    def __init__(self, store: str, user: str) -> None:
        """Prepare.

        Args:
            store: The store's own.
            user: See :func:`user_directory`.
        """
        self.directories = {STORE: store, USER: user, EXAMPLE: _EXAMPLES}

    def list(self) -> Iterator[Found]:
        """Yield every template by name, and of one name in the order in which they are looked for."""
        found = [(name, place) for place, directory in self.directories.items() for name in _names(directory)]
        before = ""
        for name, place in sorted(found, key=lambda one: one[0]):  # stable: places stay in their order
            yield Found(name, self._path(place, name), place, name == before)
            before = name

    def find(self, name: str) -> Found:
        """Return the template called *name*.

        Raises:
            BadTemplateName: None can be.
            NoSuchTemplate: None is; the message names the nearest.
        """
        check_name(name)
        for place in self.directories:
            path = self._path(place, name)
            if os.path.isfile(path):
                return Found(name, path, place, False)
        from difflib import get_close_matches

        close = get_close_matches(name, [found.name for found in self.list()], n=1, cutoff=0.0)
        raise NoSuchTemplate(
            f"there is no template {name!r} in {self.directories[STORE]}, in {self.directories[USER]} or among the "
            f"examples; the nearest is {close[0]!r}"
            if close
            else f"there is no template {name!r}; see: sessionfs template list"
        )

    def _path(self, place: str, name: str) -> str:
        return f"{self.directories[place]}/{name}{SUFFIX}"


def check_name(name: str) -> str:
    """Return *name* if a template can be called so.

    Raises:
        BadTemplateName: It cannot.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise BadTemplateName(
            f"{name!r} is no name for a template: it starts with a letter or digit, goes on with letters, digits, "
            "'.', '_' and '-', and has at most 64 characters"
        )
    return name


def _names(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as failure:
        raise from_os_error(failure, f"list the templates in {directory}") from failure
    stems = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
    return [stem for stem in stems if _NAME.fullmatch(stem) and os.path.isfile(f"{directory}/{stem}{SUFFIX}")]
