"""What every screen but the first is: it begins when all of it is there, and not any more when the browser ends.

A screen that is asked for just before the browser ends is still told that it is there, with nothing in it.
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.screen import Screen, ScreenResultType


def is_ending(app: App[Any]) -> bool:
    """Say whether a browser that had begun was asked to end, or ends: what its screens hold is not all there."""
    return app.return_code is not None or not app.is_running


class Page(Screen[ScreenResultType]):
    """A screen over the main one."""

    def on_mount(self) -> None:
        """Begin, unless the browser ends."""
        if not is_ending(self.app):
            self.begin()

    def begin(self) -> None:
        """Fill what is there."""
