"""What all tiers share: how thorough Hypothesis is, and a clock that tests own."""

from __future__ import annotations

import itertools
import os
import signal
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
settings.register_profile("dev", max_examples=50, stateful_step_count=30, phases=_SHRINKING, **_REPEATED)
settings.register_profile("ci", max_examples=200, stateful_step_count=40, phases=_FINDING, **_REPEATED)
settings.register_profile(
    "explore", max_examples=2000, stateful_step_count=50, phases=_SHRINKING, print_blob=True, **_COMMON
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# A shell without job control has what it runs in the background ignore these, and so would all programs started here:
# a test that interrupts one would wait for ever.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


@pytest.fixture
def clock() -> Callable[[], int]:
    """Each call is one millisecond later than the one before."""
    return itertools.count(START_NS, 1_000_000).__next__
