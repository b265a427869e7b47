"""The two filesystems: an ext4 image on a loop device, and a session of a store that is mounted.

Everything is in one scratch directory. Both are mounted as libfuse mounts: nosuid and nodev.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from torturing import calls

_SESSIONFS = (sys.executable, "-P", "-m", "sessionfs")  # -P: what lies around here must not decide which

_IMAGE_BYTES = 4 << 30  # sparse
_UNMOUNT_SECONDS = 30.0

# As the ext4 image is mounted; other users must get in.
_OPTIONS = ("--allow-other", "--options", "nosuid,nodev")


class SideFailed(Exception):
    """A filesystem could not be made, mounted, unmounted or checked; the message has its words."""


class Ext4Failed(Exception):
    """ext4 has aborted its journal and become read-only, as it does now and then at large attributes; see dmesg."""


class Sides:
    """Both filesystems."""

    def __init__(self, parent: str | None = None, *, keep: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="to-torture-", dir=parent))
        self.keep = keep
        self.store, self.point = self.directory / "store", self.directory / "mnt"
        self._ext4_point, self._server_log = self.directory / "ext4", self.directory / "server.log"
        self._sessions = 0
        self._server: subprocess.Popen[str] | None = None
        os.chmod(self.directory, 0o755)
        self.point.mkdir()
        try:
            self._make_ext4()
            self._sessionfs("init", str(self.store))
            self.mount()
        except BaseException:
            self.remove()
            raise

    def new_trees(self) -> None:
        """Begin with an empty tree on both sides."""
        self._sessions += 1
        os.mkdir(self.session_directory)
        os.mkdir(self.ext4_root)
        for root in (self.ext4_root, self.mount_root):
            os.chown(root, 0, 0)
            os.chmod(root, 0o777)

    @property
    def ext4_root(self) -> str:
        return str(self._ext4_point / f"t{self._sessions}")

    @property
    def session_directory(self) -> str:
        return str(self.point / "sessions" / f"t{self._sessions}")

    @property
    def mount_root(self) -> str:
        return self.session_directory + "/artifacts"

    @property
    def log(self) -> Path:
        """The session's log."""
        return self.store / "sessions" / f"t{self._sessions}" / "log"

    # ext4

    def _make_ext4(self) -> None:
        image = self.directory / "ext4.img"
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        # ea_inode: attributes of up to 64 KiB.
        _run("mkfs.ext4", "-q", "-F", "-O", "ea_inode", "-I", "256", str(image))
        self._ext4_point.mkdir(exist_ok=True)
        _run("mount", "-o", "loop,nosuid,nodev", str(image), str(self._ext4_point))

    def ensure_ext4(self) -> None:
        """Make another image if ext4 has become read-only."""
        try:
            os.utime(self._ext4_point)
        except OSError:
            _run("umount", "-l", str(self._ext4_point))
            (self.directory / "ext4.img").unlink()
            self._make_ext4()

    # The mount

    def mount(self) -> None:
        """Mount the store."""
        with self._server_log.open("a") as log:
            self._server = subprocess.Popen(
                [*_SESSIONFS, "mount", "--foreground", *_OPTIONS, str(self.point)],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=self._environment(),
                text=True,
            )
        deadline = time.monotonic() + _UNMOUNT_SECONDS
        while not os.path.ismount(self.point):
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise SideFailed(f"the mount does not start: {self.server_log()}")
            time.sleep(0.005)
        os.statvfs(self.point)
        if self._sessions:
            self._try_fallocate()

    def _try_fallocate(self) -> None:
        """Let the kernel learn that fallocate(2) is refused.

        It asks once after each mount, and takes set-id bits away before it does (fuse_file_fallocate); later calls
        fail at once, and change nothing.
        """
        fd = os.open(self.point / "sessions" / "t1" / "artifacts" / "asked", os.O_RDWR | os.O_CREAT)
        try:
            calls.fallocate(fd, 0, 0, 1)
        except OSError as failure:
            if failure.errno != errno.EOPNOTSUPP:
                raise
        finally:
            os.close(fd)

    def unmount(self) -> None:
        """Unmount as people do, and see that the server ends well.

        Raises:
            SideFailed: It does not.
        """
        assert self._server is not None
        self._sessionfs("umount", str(self.point))
        code = self._server.wait(_UNMOUNT_SECONDS)
        self._server = None
        if code != 0:
            raise SideFailed(f"the mount ended with {code}: {self.server_log()}")

    def ensure_mounted(self) -> None:
        """Mount again if the server has ended; what it logged is forgotten."""
        if self._server is None or self._server.poll() is not None:
            subprocess.run(["umount", "-l", str(self.point)], capture_output=True, check=False)
            self._server_log.write_text("")
            self.mount()

    def server_log(self) -> str:
        """Return what the server has said, without what it always says."""
        lines = self._server_log.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("mounted "))

    def take_server_log(self) -> str:
        """Return what the server has logged since this was last asked."""
        log = self.server_log()
        if log:
            os.truncate(self._server_log, 0)
        return log

    def kill(self) -> None:
        """End a server that hangs."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def fsck(self) -> None:
        """Verify the store; SideFailed when it is not clean."""
        self._sessionfs("fsck")

    def records(self) -> list[dict[str, Any]]:
        """Return the records of the session's log."""
        with self.log.open() as file:
            return [json.loads(line) for line in file]

    def _sessionfs(self, *arguments: str) -> None:
        command = [*_SESSIONFS, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), check=False)
        if done.returncode != 0:
            raise SideFailed(f"sessionfs {arguments[0]} ends with {done.returncode}: {done.stdout}{done.stderr}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONFS_")}
        return {**kept, "SESSIONFS_STORE": str(self.store)}

    # The end

    def remove(self) -> None:
        """Unmount everything and remove it, unless it is to be kept."""
        if self._server is not None:
            subprocess.run(["umount", "-l", str(self.point)], capture_output=True, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(_UNMOUNT_SECONDS)
            self._server.kill()
            self._server.wait()
        if self.keep:
            return
        subprocess.run(["umount", "-l", str(self._ext4_point)], capture_output=True, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SideFailed(f"{command[0]} ends with {done.returncode}: {done.stdout}{done.stderr}")
