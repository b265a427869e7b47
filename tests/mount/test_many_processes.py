"""Eight processes on one session, and on eight, through programs, the command line and a mount: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import together
from servers import Mount
from thoroughness import times

from sessionfs.store.store import Store

COUNT = times(dev=30, ci=200, explore=1000)


@pytest.mark.slow
@pytest.mark.parametrize("session_count", [1, 8])
def test_all_that_eight_processes_do_is_there_once(
    start: Callable[..., Mount], tmp_path: Path, session_count: int
) -> None:
    sessions = [f"s{number}" for number in range(session_count)]
    path = tmp_path / "store"
    Store.create(str(path))
    for session_id in sessions:
        Store(str(path)).create_session(session_id=session_id)
    mounted = start(path)
    together.wait(together.start(path, mounted.path, COUNT, sessions))
    mounted.stop()
    together.look(Store(str(path)), COUNT, sessions)
