"""What another process does to a path while a handler of the mount waits for its turn to write; without a kernel."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from sessionfs.durable import OsDisk
from sessionfs.fsck import check
from sessionfs.mount.changes import Invalidator
from sessionfs.mount.directories import ArtifactDirectory
from sessionfs.mount.files import ArtifactFile
from sessionfs.mount.handles import Handle
from sessionfs.mount.inodes import Caller
from sessionfs.mount.view import View
from sessionfs.store.session import Session
from sessionfs.store.store import Store

ME = Caller(0, 0, os.getpid())


class Waiting(OsDisk):
    """A disk where whoever waits for a lock waits until *elsewhere* has been called, once."""

    elsewhere: Callable[[], object] | None = None

    def lock(self, fd: int, what: str) -> None:
        elsewhere, self.elsewhere = self.elsewhere, None
        if elsewhere is not None:
            elsewhere()
        super().lock(fd, what)


class Turns:
    """A session with the file ``f`` and the empty directory ``d``, as a mount has it and as another process does."""

    def __init__(self, path: Path) -> None:
        Store.create(str(path))
        self._path = path
        self.other = Store(str(path)).create_session(session_id="one")
        self.put("f", b"one")
        self.other.artifacts.make_directory("d")
        self._disk = Waiting()
        store = Store(str(path), disk=self._disk)
        self.view = View(store, Invalidator())
        self.root = self.directory("")

    def put(self, path: str, content: bytes) -> None:
        self.other.artifacts.put(path, self.other.objects.put_bytes(content))

    def directory(self, path: str) -> ArtifactDirectory:
        mounted = self.view.mounted("one")
        inode = mounted.inode_of(mounted.session.tree.resolve(path))
        assert isinstance(inode, ArtifactDirectory)
        self.view.inodes.remember(inode)
        return inode

    def file(self, name: bytes = b"f") -> ArtifactFile:
        inode = self.root.lookup(name)
        assert isinstance(inode, ArtifactFile)
        self.view.inodes.remember(inode)
        return inode

    async def open(self, content: bytes) -> Handle:
        """Open ``f``, and write to it."""
        handle = await self.file().open(os.O_RDWR, ME)
        await handle.write(0, content)
        return handle

    def run(self, here: Callable[[], Awaitable[object]], elsewhere: Callable[[Session], object]) -> None:
        """Do something in the mount; when it waits for its turn, *elsewhere* gets in before it."""

        async def main() -> None:
            self._disk.elsewhere = lambda: elsewhere(self.other)
            await here()

        trio.run(main)
        assert self._disk.elsewhere is None

    @property
    def contents(self) -> dict[str, bytes | None]:
        """What is in each file, by path, None for directories; and everything is as its log says."""
        session = Store(str(self._path)).session("one")
        assert list(check(Store(str(self._path)))) == []
        found = {
            path: session.objects.read(node.oid) if node.oid is not None else None for path, node in session.tree.walk()
        }
        assert [path for path, _ in self.view.mounted("one").session.tree.walk()] == list(found)
        return found


def test_a_version_goes_where_the_file_is_by_then(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    async def write() -> None:
        await (await turns.open(b"two")).flush()

    turns.run(write, lambda other: other.artifacts.rename("f", "g"))
    assert turns.contents == {"d": None, "g": b"two"}


def test_a_file_that_was_deleted_before_its_version_came_stays_deleted(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    async def write() -> None:
        await (await turns.open(b"two")).flush()

    turns.run(write, lambda other: other.artifacts.delete("f"))
    assert turns.contents == {"d": None}


def test_a_version_does_not_go_to_what_has_its_name_by_then(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    def replace(other: Session) -> None:
        other.artifacts.rename("f", "g")
        turns.put("f", b"another")

    async def write() -> None:
        await (await turns.open(b"two")).flush()

    turns.run(write, replace)
    assert turns.contents == {"d": None, "f": b"another", "g": b"two"}


def test_what_is_set_is_set_on_what_it_was_asked_for(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    def replace(other: Session) -> None:
        other.artifacts.rename("f", "g")
        turns.put("f", b"another")

    async def change_mode() -> None:
        turns.file().set_attributes({"mode": 0o600}, ME)

    turns.run(change_mode, replace)
    turns.other.refresh()
    modes = {path: stat.S_IMODE(node.mode) for path, node in turns.other.tree.walk()}
    assert modes == {"d": 0o755, "f": 0o644, "g": 0o600}


def test_an_attribute_does_not_take_those_away_that_others_set(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    async def set_one() -> None:
        await turns.file().set_xattr(b"user.mine", b"1")

    turns.run(set_one, lambda other: other.artifacts.change("f", metadata={"theirs": "2"}))
    turns.other.refresh()
    assert turns.other.tree.resolve("f").metadata == {"mine": "1", "theirs": "2"}


def test_what_is_made_is_in_the_directory_that_was_asked(tmp_path: Path) -> None:
    def replace(other: Session) -> None:
        other.artifacts.rename("d", "e")
        other.artifacts.make_directory("d")

    def made(number: int, make: Callable[[ArtifactDirectory, Turns], Awaitable[object]]) -> list[str]:
        turns = Turns(tmp_path / str(number))
        directory = turns.directory("d")

        async def here() -> None:
            await make(directory, turns)

        turns.run(here, replace)
        return sorted(turns.contents)

    ways: list[Callable[[ArtifactDirectory, Turns], Awaitable[object]]] = [
        lambda d, _: d.make_directory(b"x", 0o755, ME),
        lambda d, _: d.make_symlink(b"x", b"target", ME),
        lambda d, _: d.make_node(b"x", stat.S_IFIFO | 0o644, 0, ME),
        lambda d, turns: d.link(turns.file(), b"x"),
    ]
    for number, way in enumerate(ways):
        assert made(number, way) == ["d", "e", "e/x", "f"]
    assert made(len(ways), lambda d, turns: turns.root.rename(b"f", d, b"x", replace=True)) == ["d", "e", "e/x"]


def test_another_name_of_an_open_file_shows_the_newest_version(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    async def link() -> None:
        file = turns.file()
        await file.open(os.O_RDONLY, ME)
        turns.put("f", b"newer")
        turns.root.refresh()
        linked = await turns.root.link(file, b"g")
        assert isinstance(linked, ArtifactFile)
        assert await (await linked.open(os.O_RDONLY, ME)).read(0, 10) == b"newer"
        assert (linked.attributes().st_nlink, file.attributes().st_nlink) == (2, 2)

    turns.run(link, lambda other: None)


def read_again(turns: Turns) -> None:
    """What a failed append, or a repair, makes the mount do."""
    turns.root.mounted.session.open()
    turns.root.refresh()


@pytest.mark.parametrize("meanwhile", ["nothing", "newer", "moved"])
def test_what_is_written_while_the_log_is_read_again_is_stored(tmp_path: Path, meanwhile: str) -> None:
    turns = Turns(tmp_path / "store")

    async def write() -> None:
        handle = await turns.open(b"mine")
        if meanwhile == "newer":
            turns.put("f", b"newer")
            turns.root.refresh()
        elif meanwhile == "moved":
            turns.other.artifacts.rename("f", "g")
        read_again(turns)
        await handle.flush()
        await handle.release()

    trio.run(write)
    assert turns.contents == {"d": None, "g" if meanwhile == "moved" else "f": b"mine"}


def test_a_new_file_is_stored_where_its_directory_is_when_the_log_was_read_again(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")

    async def write() -> None:
        file, handle = await turns.directory("d").create(b"new", 0o644, os.O_RDWR, ME)
        turns.view.inodes.remember(file)
        await handle.write(0, b"mine")
        turns.other.artifacts.rename("d", "e")
        read_again(turns)
        await handle.flush()

    trio.run(write)
    assert turns.contents == {"e": None, "e/new": b"mine", "f": b"one"}


def test_a_file_whose_records_a_repair_cut_off_is_stored_anew_by_who_writes_to_it(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "store")
    log = tmp_path / "store/sessions/one/log"
    whole_bytes = log.stat().st_size
    turns.put("g", b"one")
    turns.root.refresh()

    async def write() -> None:
        file = turns.file(b"g")
        handle = await file.open(os.O_RDWR, ME)
        await handle.write(3, b" and two")
        os.truncate(log, whole_bytes)
        turns.root.refresh()
        await handle.flush()

    trio.run(write)
    assert turns.contents == {"d": None, "f": b"one", "g": b"one and two"}
