"""A full disk: ENOSPC from the call that did not fit, what was there stays, and what is freed can be used again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from errno import ENOSPC
from pathlib import Path

import pytest
from mounts import Mounts
from rows import Place, Row, alice, grouped, root
from verbs import CONTENT, FIRST

PLACES = ("plain", "mount")
_IMAGE_BYTES = 8 << 20

_NEW = os.O_CREAT | os.O_RDWR

ROWS = (
    Row("new-file", root.open("x", _NEW, 0o644, "f"), root.fill("f").fails(ENOSPC),
        root.pread("f", 256, 0).gives(FIRST),
        root.truncate("@f", 3), root.write("f", b"").gives(0), root.close("f"), root.content("x").gives(FIRST[:3])),
    Row("existing-file", root.make("x", "file"), root.make("y", "file"), root.open("x", os.O_RDWR, 0, "f"),
        root.fill("f").fails(ENOSPC), root.content("y").gives(CONTENT), root.truncate("@f", 0),
        root.pwrite("f", b"abc", 0).gives(3), root.close("f"), root.content("x").gives(b"abc")),
    Row("unlinked", root.open("x", _NEW, 0o644, "f"), root.fill("f").fails(ENOSPC), root.unlink("x"), root.close("f"),
        root.make("y", "file"), root.content("y").gives(CONTENT)),
    Row("of-a-user", root.chmod(".", 0o777), alice.open("x", _NEW, 0o644, "f"), alice.fill("f").fails(ENOSPC),
        alice.unlink("x"), alice.close("f"), alice.make("y", "file"), alice.content("y").gives(CONTENT)),
    Row("removing-and-renaming-goes-on", root.make("y", "file"), root.mkdir("d"), root.open("x", _NEW, 0o644, "f"),
        root.fill("f").fails(ENOSPC), root.rename("y", "z"), root.chmod("z", 0o600), root.rmdir("d"), root.unlink("z"),
        root.unlink("x"), root.listdir(".").gives([])),
)  # fmt: skip


@pytest.fixture(scope="module")
def small(scratch: Path) -> Iterator[Callable[[str], Path]]:
    """Makes small filesystems."""
    points: list[Path] = []

    def make(name: str) -> Path:
        image, point = scratch / f"{name}.image", scratch / f"{name}.small"
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        point.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, point], check=True)
        points.append(point)
        return point

    yield make
    for point in points:
        subprocess.run(["umount", point], check=True)


@pytest.fixture(scope="module")
def full(small: Callable[[str], Path], mounts: Mounts) -> Iterator[Callable[[str], Place]]:
    """Return each of the places, made when it is first asked for."""
    places: dict[str, Place] = {}

    def find(name: str) -> Place:
        if name not in places:
            path = small(name)
            if name == "mount":
                path = mounts.start("full", store=path / "store") / "sessions" / "one" / "artifacts"
                os.chmod(path, 0o755)
            places[name] = Place(name, str(path), "")
        return places[name]

    yield find
    for place in places.values():
        place.end()
    mounts.end("full", may_log=True)  # what a close has reported is logged too


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("rows", grouped(ROWS))
def test_space(full: Callable[[str], Place], name: str, rows: list[Row]) -> None:
    full(name).run(rows)
