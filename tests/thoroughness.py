"""How often a test does again what happens at another moment each time: the profiles of Hypothesis say how thorough."""

from __future__ import annotations

import os


def times(*, dev: int, ci: int, explore: int) -> int:
    """Return how often, in the profile that tests are run with: see ``conftest``."""
    return {"dev": dev, "ci": ci, "explore": explore}[os.environ.get("HYPOTHESIS_PROFILE", "dev")]
