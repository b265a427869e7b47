"""What all tiers share: how thorough Hypothesis is, and a clock that tests own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings

# Explaining a failure and looking for a second one take minutes with a state machine.
_FINDING = [Phase.explicit, Phase.generate]
_SHRINKING = [*_FINDING, Phase.shrink]

# dev: the same examples every time, in seconds. ci: many more; what fails is not made smaller, which may take minutes.
# explore: new ones every time, for as long as one likes (HYPOTHESIS_PROFILE=explore tools/test tests/machines).
_COMMON = {
    "report_multiple_bugs": False,
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}
_REPEATED = {"derandomize": True, **_COMMON}
settings.register_profile("dev", max_examples=100, stateful_step_count=30, phases=_SHRINKING, **_REPEATED)
settings.register_profile("ci", max_examples=200, stateful_step_count=40, phases=_FINDING, **_REPEATED)
settings.register_profile(
    "explore", max_examples=2000, stateful_step_count=50, phases=_SHRINKING, print_blob=True, **_COMMON
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


@pytest.fixture
def clock() -> Callable[[], int]:
    """Each call is one millisecond later than the one before."""
    return itertools.count(START_NS, 1_000_000).__next__
