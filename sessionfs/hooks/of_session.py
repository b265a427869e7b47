"""The hooks of single sessions: programs in ``STORE/templates`` that were named when the session was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sessionfs.hooks.executables import Executable
from sessionfs.hooks.points import PLACES, POST, PRE

IN_TEMPLATES = "templates/"
"""Their names begin so: they are below the store, and not below its ``hooks/``."""

Programs = dict[str, tuple[Executable, ...]]
"""By phase: ``pre`` and ``post``."""


def program_of(templates: str, place: str, name: str) -> Executable:
    """Return the program called *name* below *templates*, for *place*."""
    return Executable(IN_TEMPLATES + name, PLACES[place], f"{templates}/{name}")


def programs_at(templates: str, point: str, hooks: Mapping[str, tuple[str, ...]]) -> Programs:
    """Return the programs of a session that are called at *point*.

    Args:
        hooks: What the session's first record names; a session that came from another store may name anything, so what
            does not lie below *templates* is left out.
    """
    found: Programs = {}
    for phase in (PRE, POST):
        place = f"{phase}-{point.replace('.', '-')}"
        if programs := _programs(templates, place, hooks.get(place, ())):
            found[phase] = programs
    return found


def every_program(templates: str, hooks: Mapping[str, tuple[str, ...]]) -> list[Executable]:
    """Return all programs of a session, as :func:`programs_at` does those of a point."""
    return [
        program
        for place, names in sorted(hooks.items())
        if place in PLACES
        for program in _programs(templates, place, names)
    ]


def _programs(templates: str, place: str, names: Iterable[str]) -> tuple[Executable, ...]:
    safe = [name for name in names if ".." not in name.split("/") and "\0" not in name]
    return tuple(program_of(templates, place, name) for name in safe)
