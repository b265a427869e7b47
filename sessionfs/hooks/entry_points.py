"""Hooks that installed packages bring along: the entry point group ``sessionfs.hooks``.

    [project.entry-points."sessionfs.hooks"]
    audit = "my_package.audit:register"          # register(hooks) calls hooks.on(…)

``importlib.metadata`` takes 15 ms to import and reads every package's metadata; so first we look whether any package
mentions the group at all, which takes a fraction of a millisecond.
"""

from __future__ import annotations

import os
import sys

from sessionfs.hooks.complaints import complain
from sessionfs.hooks.registry import Registry

GROUP = "sessionfs.hooks"
DISABLED_SUFFIX = ".off"

_HEADER = b"[" + GROUP.encode() + b"]"


def is_any_installed(directories: list[str]) -> bool:
    """Say whether a package in one of *directories* has entry points of the group."""
    return any(_HEADER in _read(path) for directory in directories for path in _metadata_files(directory))


def register_all(registry: Registry, hooks_directory: str) -> dict[str, str | None]:
    """Let every entry point of the group register its hooks, unless it is disabled.

    One that cannot be loaded is no hook; that is logged.

    Args:
        hooks_directory: The store's ``hooks/``; a file ``<name>.off`` there disables the entry point.

    Returns:
        Each one's name, with what is wrong with it, or None.
    """
    if not is_any_installed(sys.path):
        return {}
    from importlib.metadata import entry_points

    states: dict[str, str | None] = {}
    for entry_point in sorted(entry_points(group=GROUP)):
        name = entry_point.name
        states[name] = None
        if is_disabled(hooks_directory, name):
            continue
        before = registry.table
        registry.source = name
        try:
            entry_point.load()(registry)
        except Exception as failure:
            registry.table = before  # all of its hooks, or none
            states[name] = f"{type(failure).__name__}: {failure}"
            complain("the hooks of the entry point %r (%s) cannot be loaded: %s", name, entry_point.value, failure)
        finally:
            registry.source = ""
    return states


def is_disabled(hooks_directory: str, name: str) -> bool:
    """Say whether somebody has disabled the entry point *name* in this store."""
    return os.path.exists(f"{hooks_directory}/{name}{DISABLED_SUFFIX}")


def _metadata_files(directory: str) -> list[str]:
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return []  # a zip file, or a directory that is not there
    return [
        f"{directory or '.'}/{name}/entry_points.txt" for name in names if name.endswith((".dist-info", ".egg-info"))
    ]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
