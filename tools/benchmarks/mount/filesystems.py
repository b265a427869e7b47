"""Who is compared: plain files, this mount, and others, each mounted as its manual says. All are on the same disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from benchmarks.measure import Skipped
from benchmarks.mount.serving import Served, serving
from benchmarks.program import console_script, run_sessionfs
from benchmarks.scratch import Scratch, scatter

SESSIONFS = "sessionfs"
_SESSION = "bench"

_FUSE = "/dev/fuse"


class Filesystem:
    """A directory in which files behave as one of the filesystems makes them.

    Attributes:
        root: Where to write.
        pid: The process that serves it; None for the kernel.
    """

    def __init__(self, root: str, served: Served | None = None) -> None:
        self.root = root
        self.pid = None if served is None else served.pid
        self._served = served

    def new_directory(self) -> str:
        """Make an empty directory."""
        return tempfile.mkdtemp(dir=self.root)

    def settle(self) -> None:
        """Put on the disk what was written."""
        os.sync()

    def complaints(self) -> list[str]:
        """Return what its process has said since it was mounted: nothing, when nothing is wrong."""
        return [] if self._served is None else self._served.said()


class _PlainFiles(Filesystem):
    """A directory of the disk."""

    def __init__(self, scratch: Scratch) -> None:
        super().__init__(scratch.directory)
        self._scratch = scratch

    def new_directory(self) -> str:
        return self._scratch.new()


class _OurMount(Filesystem):
    """The artifacts of a session in a mount of ours."""

    def settle(self) -> None:
        # Else its thread would sync within the next second, while somebody else is measured.
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        super().settle()


@dataclass(frozen=True)
class Kind:
    """One of those compared with plain files.

    Attributes:
        mounted: Mounts it below a scratch directory.
        programs: What must be on the PATH.
        source: How to get them.
    """

    name: str
    mounted: Callable[[Scratch], AbstractContextManager[Filesystem]]
    programs: tuple[str, ...] = ()
    source: str = ""

    def missing(self) -> str | None:
        """Say in one line what it lacks here and how to get it; None when nothing is lacking."""
        lacking = [program for program in self.programs if shutil.which(program) is None]
        if lacking:
            return f"{self.name} is left out: there is no {lacking[0]} here; to get it: {self.source}"
        return None


def lacking_fuse() -> str | None:
    """Say why nothing can be mounted here; None when it can."""
    if os.access(_FUSE, os.R_OK | os.W_OK):
        return None
    return f"Only plain files are measured: {_FUSE} is missing or closed to this user."


def plain_files(scratch: Scratch) -> Filesystem:
    """Return the reference: a directory of the disk."""
    return _PlainFiles(scratch)


# Each kind


@contextmanager
def _sessionfs(scratch: Scratch) -> Iterator[Filesystem]:
    """Mount a new store."""
    with mounted_store(create_store(scratch), scratch.new()) as filesystem:
        yield filesystem


def create_store(scratch: Scratch) -> str:
    """Make a store with one session, as anybody does, and return where it is."""
    store = scratch.new()
    run_sessionfs("init", store)
    run_sessionfs("--store", store, "session", "create", "--id", _SESSION)
    return store


@contextmanager
def mounted_store(store: str, point: str, session: str = _SESSION) -> Iterator[Filesystem]:
    """Mount an existing store at *point*.

    ``--foreground``, so that its process is ours from the first moment on, and cannot be left behind.
    """
    command = [console_script(), "--store", store, "mount", "--foreground", point]
    with serving(command, point) as served:
        told = int(os.getxattr(point, "user.sessionfs.pid"))
        if told != served.pid:
            raise Skipped(f"the mount on {point} is served by process {told} instead of {served.pid}.")
        yield _OurMount(f"{point}/sessions/{session}/artifacts", served)


@contextmanager
def _bindfs(scratch: Scratch) -> Iterator[Filesystem]:
    """Show a directory at another place."""
    shown, point = _new_scattered(scratch), scratch.new()
    with serving(["bindfs", "-f", shown, point], point) as served:
        yield Filesystem(point, served)


@contextmanager
def _gocryptfs(scratch: Scratch) -> Iterator[Filesystem]:
    """Encrypt a directory's content and names."""
    cipher, point = _new_scattered(scratch), scratch.new()
    password = os.path.join(scratch.new(), "password")
    with open(password, "w", encoding="ascii") as file:
        file.write("benchmark\n")
    # The cost of turning the password into a key is no speed of the filesystem: the least there is.
    _run("gocryptfs", "-init", "-quiet", "-scryptn", "10", "-passfile", password, cipher)
    command = ["gocryptfs", "-fg", "-quiet", "-nosyslog", "-passfile", password, cipher, point]
    with serving(command, point) as served:
        yield Filesystem(point, served)


@contextmanager
def _s3ql(scratch: Scratch) -> Iterator[Filesystem]:
    """Store blocks and a database below a directory.

    Without compression: it compresses after ten seconds in the background, at the expense of whoever is measured then.
    """
    url, cache, point = f"local://{scratch.new()}", scratch.new(), scratch.new()
    common = ("--cachedir", cache, "--log", "none")
    _run("mkfs.s3ql", "--plain", "--cachedir", cache, url)
    command = ["mount.s3ql", "--fg", *common, "--compress", "none", url, point]
    with serving(command, point, unmount_with=("umount.s3ql", point)) as served:
        yield Filesystem(point, served)


KINDS = (
    Kind(SESSIONFS, _sessionfs),
    Kind("bindfs", _bindfs, ("bindfs",), "apt-get install bindfs"),
    Kind("gocryptfs", _gocryptfs, ("gocryptfs",), "apt-get install gocryptfs"),
    Kind(
        "s3ql",
        _s3ql,
        ("mkfs.s3ql", "mount.s3ql", "umount.s3ql"),
        "apt-get install s3ql, where there is one (Debian 12 and PyPI have none)",
    ),
)


def _new_scattered(scratch: Scratch) -> str:
    # What is made through the mount is spread over the disk, as plain files are: see Scratch.
    directory = scratch.new()
    with suppress(OSError):
        scatter(directory)
    return directory


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"{command[0]} exited with {done.returncode}: {(done.stderr or done.stdout).strip()}")
