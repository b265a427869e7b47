"""SIGKILL of a real writer, again and again: what was acknowledged is there, what was not is whole or absent."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from thoroughness import times
from writer import SESSION, apply, read_model, steps

from sessionfs.fsck import check
from sessionfs.store.store import Store

WRITER = Path(__file__).parent / "writer.py"
KILLS = times(dev=40, ci=80, explore=500)
CHECKED_EVERY = 10  # by fsck, which reads everything


@pytest.mark.parametrize("mode", ["relaxed", "full"])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path, mode):
    path = str(tmp_path / "s")
    Store.create(path)
    (tmp_path / "s" / "config.toml").write_text(f'[durability]\nmode = "{mode}"\n')
    Store(path).create_session(session_id=SESSION)
    numbers = random.Random(mode)
    writer = subprocess.Popen(
        [sys.executable, WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        for seed in range(KILLS):
            before = read_model(Store(path))
            done = kill_after(writer, seed, numbers.randrange(1, 30))
            after = read_model(Store(path))
            acknowledged = deepcopy(before)
            for step in itertools.islice(steps(seed), done):
                apply(acknowledged, step)
            and_one_more = deepcopy(acknowledged)
            apply(and_one_more, next(itertools.islice(steps(seed), done, None)))
            assert after in (acknowledged, and_one_more), f"seed {seed}, {done} steps"
            if seed % CHECKED_EVERY == 0:
                assert [fault for fault in check(Store(path)) if fault.is_damage] == []
    finally:
        writer.stdin.close()
        writer.wait(60)
        writer.stdout.close()


def kill_after(writer, seed, count):
    """Kill the child once it has acknowledged *count* steps; return how many it had when it died."""
    writer.stdin.write(f"{seed}\n")
    pid = json.loads(writer.stdout.readline())
    done = 0
    while isinstance(word := json.loads(writer.stdout.readline()), int):
        assert word == done
        done += 1
        if done == count:
            os.kill(pid, signal.SIGKILL)
    assert word == f"ended by -{signal.SIGKILL.value}"
    return done
