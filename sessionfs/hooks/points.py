"""Points and phases: how they are written, and which there are.

One name serves functions, executables and the command line: ``pre-artifact-store`` is what is called before
``artifact.store``. Dots are accepted for dashes.
"""

from __future__ import annotations

from typing import NamedTuple

from sessionfs.errors import InvalidInput
from sessionfs.store.hooked import POINTS

PRE = "pre"
POST = "post"


class BadPoint(InvalidInput):
    """There is no such point for hooks."""


class Place(NamedTuple):
    """A point, before or after it."""

    phase: str
    point: str

    @property
    def name(self) -> str:
        """How it is written."""
        return f"{self.phase}-{self.point.replace('.', '-')}"


PLACES: dict[str, Place] = {
    place.name: place for phase in (PRE, POST) for point in POINTS for place in (Place(phase, point),)
}


def parse_place(text: str) -> Place:
    """Return the place that *text* names.

    Raises:
        BadPoint: None; the message names the nearest.
    """
    place = PLACES.get(text.replace(".", "-")) if isinstance(text, str) else None
    if place is not None:
        return place
    from difflib import get_close_matches

    close = get_close_matches(str(text), PLACES, n=2, cutoff=0.5)
    hint = (
        f"did you mean {' or '.join(close)}?" if close else f"as in {PRE}-artifact-store; points: {', '.join(POINTS)}"
    )
    raise BadPoint(f"there is no point {text!r} for hooks; {hint}")
