"""The hooks of a template: programs in its directory that are called for its sessions, and for no others.

Only those of the store's own templates are called, and only while they belong to who uses the store, or to root: who
may put a program there may put one into the store's ``hooks/`` as well.
"""

from __future__ import annotations

from sessionfs.errors import Denied
from sessionfs.hooks.executables import distrust, is_enabled
from sessionfs.hooks.of_session import program_of
from sessionfs.templates.content import find_file
from sessionfs.templates.places import STORE
from sessionfs.templates.template import Template


class HookNotCalled(Denied):
    """A template names a program that would not be called."""


def check_hooks(template: Template, templates_directory: str) -> dict[str, tuple[str, ...]]:
    """Return the programs that a session made from *template* is to have, by place, relative to ``STORE/templates``.

    Raises:
        HookNotCalled: One of them would not be called; the message says why.
        OutsideTemplate, LostFile, BadTemplate: One of them is no file beside the template.
    """
    found: dict[str, tuple[str, ...]] = {}
    for place, programs in template.hooks.items():
        where = f"{template.path}: hooks.{place}"
        if template.place != STORE:
            raise HookNotCalled(
                f"{where}: hooks are only called from the store's own templates; move {template.path} and "
                f"{template.directory}/ to {templates_directory}/"
            )
        found[place] = tuple(f"{template.name}/{program}" for program in programs)
        for program, name in zip(programs, found[place], strict=True):
            entry = find_file(template, program, where)
            if not is_enabled(entry.path):
                raise HookNotCalled(f"{where}: nobody may execute {entry.path}; allow it: chmod +x")
            reason = distrust(program_of(templates_directory, place, name))
            if reason is not None:
                raise HookNotCalled(f"{where}: {entry.path} is not run: {reason}")
    return found
