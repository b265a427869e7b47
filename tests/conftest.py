"""What all tiers share: how thorough Hypothesis is, and a clock that tests own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

# dev: the same examples every time, in seconds. ci: new examples every time, for minutes.
settings.register_profile(
    "dev",
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "ci",
    max_examples=1000,
    stateful_step_count=50,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

START_NS = 1_795_214_641_000_000_000  # 2026-11-20T22:44:01Z


@pytest.fixture
def clock() -> Callable[[], int]:
    """Each call is one millisecond later than the one before."""
    return itertools.count(START_NS, 1_000_000).__next__
