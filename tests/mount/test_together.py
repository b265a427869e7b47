"""A mount, the Python API and the command line at work on one session at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from servers import Mount

import sessionfs
from sessionfs.fsck import check
from sessionfs.store.store import Store

ROOT = Path(__file__).parents[2]

THROUGH_THE_MOUNT = """
import os, sys
directory = sys.argv[1]
os.makedirs(directory + "/d")
for number in range(300):
    with open(f"{directory}/d/{number}", "w") as file:
        file.write(f"mount {number}\\n")
    if number % 3 == 0:
        os.rename(f"{directory}/d/{number}", f"{directory}/d/{number}.moved")
    if number % 5 == 0:
        with open(f"{directory}/log", "a") as file:
            file.write(f"{number}\\n")
"""


def a_real_tree(tmp_path: Path) -> Path:
    """Part of the standard library: some 400 files."""
    source = Path(sysconfig.get_path("stdlib"))
    target = tmp_path / "tree"
    for package in ("json", "email", "asyncio", "unittest", "importlib", "encodings", "xml"):
        subprocess.run(["cp", "-a", source / package, _made(target) / package], check=True)
    subprocess.run(["find", target, "-name", "__pycache__", "-exec", "rm", "-rf", "{}", "+"], check=True)
    return target


def _made(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    return directory


def test_a_tree_through_the_api_while_another_process_writes_through_the_mount(
    start: Callable[..., Mount], tmp_path: Path
) -> None:
    mounted = start()
    tree = a_real_tree(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", THROUGH_THE_MOUNT, str(mounted.artifacts / "m")])
    command = subprocess.Popen(
        ["sh", "-c", f'for n in 1 2 3 4 5 6; do echo $n | {sys.executable} -m sessionfs --store "$0" '
                     "artifact put one - --as cli/$n || exit 1; done", str(mounted.store_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with sessionfs.open(mounted.store_path, background_sync=False) as store:
        session = store.sessions["one"]
        count = session.artifacts.put_tree(tree, "api")
        assert writer.wait(60) == 0 and command.wait(60) == 0
        subprocess.run(["diff", "-r", tree, mounted.artifacts / "api"], check=True)
        names = {f"{number}.moved" if number % 3 == 0 else str(number) for number in range(300)}
        assert set(os.listdir(mounted.artifacts / "m/d")) == names
        assert {path.removeprefix("m/d/") for path in session.artifacts if path.startswith("m/d/")} == names
        for number in (0, 1, 299):
            name = f"{number}.moved" if number % 3 == 0 else str(number)
            assert session.artifacts.read(f"m/d/{name}") == f"mount {number}\n".encode()
        assert session.artifacts["m/log"].version == 60
        assert [session.artifacts.read(f"cli/{number}") for number in range(1, 7)] == [b"%d\n" % n for n in range(1, 7)]
        assert len(session.artifacts) == count + 301 + 6
        assert [event.seq for event in session.events()] == list(range(session.event_count))
    mounted.stop()
    assert list(check(Store(str(mounted.store_path)))) == []
