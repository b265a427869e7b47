"""Directories are in parts from three entries on: those of a machine never become large."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def small_parts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sessionfs.artifacts.directory.MAX_UNDIVIDED", 2)
        patch.setattr("sessionfs.artifacts.tree_object._PART_LENGTH", 2)
        yield
