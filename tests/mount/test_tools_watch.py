"""Programs that watch the mount: the kernel tells of what is done through it."""

from __future__ import annotations

import itertools
import os
import queue
import subprocess
from collections.abc import Callable
from pathlib import Path

from programs import needs, told
from servers import Mount, eventually
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

STEPS = (
    "echo text > a",
    "echo more >> a",
    "mv a b",
    "mkdir d",
    "mv b d/b",
    "ln d/b linked",
    "chmod 600 linked",
    "rm linked",
    "sed -i s/text/other/ d/b",
    "rm -r d",
)


def do_steps(directory: Path) -> None:
    for step in STEPS:
        told("sh", "-c", step, cwd=directory)


@needs("inotifywait")
def test_inotifywait(mounted: Mount, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()

    def seen(directory: Path) -> list[str]:
        # Watches on what is made later come too late for some of what happens there.
        command = ["inotifywait", "--monitor", "--format", "%e %f", directory]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stderr is not None and watching.stdout is not None
            assert eventually(lambda: "Watches established" in watching.stderr.readline())
            do_steps(directory)
            (directory / "last").touch()
            lines = list(iter(watching.stdout.readline, "CREATE last\n"))
            watching.terminate()
        # The kernel makes one of two that are the same, if the first has not been read yet.
        return [line for line, _ in itertools.groupby(lines)]

    assert seen(mounted.artifacts) == seen(plain)


class Seen(FileSystemEventHandler):
    """Keeps the kinds and names of what happened."""

    def __init__(self, directory: Path) -> None:
        self.events: queue.Queue[tuple[str, str, str]] = queue.Queue()
        self._directory = directory

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = [
            os.path.relpath(os.fsdecode(path), self._directory) for path in (event.src_path, event.dest_path) if path
        ]
        if event.event_type in ("created", "deleted", "moved", "closed") and names != ["."]:
            self.events.put((event.event_type, *names, "")[:3])  # type: ignore[arg-type]


def test_watchdog(mounted: Mount) -> None:
    """As programs that reload what has changed do."""
    observer = InotifyObserver()
    handler = Seen(mounted.artifacts)
    observer.schedule(handler, str(mounted.artifacts), recursive=True)
    observer.start()
    try:
        wait_for = _waiter(handler)
        (mounted.artifacts / "d").mkdir()
        wait_for("created", "d", "")
        (mounted.artifacts / "d/temporary").write_text("text")
        wait_for("created", "d/temporary", "")
        wait_for("closed", "d/temporary", "")
        (mounted.artifacts / "d/temporary").rename(mounted.artifacts / "file")
        wait_for("moved", "d/temporary", "file")
        (mounted.artifacts / "file").unlink()
        wait_for("deleted", "file", "")
    finally:
        observer.stop()
        observer.join()


def _waiter(handler: Seen) -> Callable[[str, str, str], None]:
    def wait_for(*wanted: str) -> None:
        while handler.events.get(timeout=60) != wanted:
            pass

    return wait_for


@needs("tail")
def test_tail_follows_a_log(mounted: Mount) -> None:
    path = mounted.artifacts / "log"
    path.write_text("0\n")
    with subprocess.Popen(
        ["tail", "-n", "+1", "-F", "-s", "0.02", path], stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "0\n"
        with path.open("a", buffering=1) as file:
            for number in range(1, 10):
                file.write(f"{number}\n")
                assert following.stdout.readline() == f"{number}\n"
        path.rename(mounted.artifacts / "log.1")
        path.write_text("rotated\n")
        assert following.stdout.readline() == "rotated\n"
        following.terminate()
