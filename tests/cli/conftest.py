"""Command lines for the tests; see ``calling``."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Cli


@pytest.fixture
def bare(tmp_path: Path) -> Cli:
    """A command line without a store."""
    cwd = tmp_path / "work"
    cwd.mkdir()
    return Cli(cwd, tmp_path / "store")


@pytest.fixture
def cli(bare: Cli) -> Cli:
    """A command line with an empty store."""
    bare.ok("init")
    return bare


@pytest.fixture
def q4(cli: Cli) -> Cli:
    """A command line with one session, q4, which is the current one."""
    cli.ok("session", "create", "--id", "q4", "--name", "Fourth quarter", "--tag", "sales", "--use")
    return cli
