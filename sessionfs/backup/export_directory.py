"""An export as a directory of ordinary files."""

from __future__ import annotations

import errno
import os
import shutil
from typing import IO

from sessionfs.artifacts.node import KINDS
from sessionfs.backup.export_file import DestinationTaken, named, open_private, temporary_name
from sessionfs.backup.export_members import Content, Member
from sessionfs.errors import Corrupt

# What a filesystem, or this kind of file on it, says when it does not keep an attribute.
_NO_XATTRS = (errno.ENOTSUP, errno.EPERM, errno.ENOSPC, errno.E2BIG, errno.ERANGE)

_ZEROS = bytes(1 << 20)


class DirectoryTarget:
    """A directory that is filled under another name beside it, and gets its own when it is whole."""

    def __init__(self, destination: str) -> None:
        """Begin it.

        Raises:
            DestinationTaken: Something is there, and it is no empty directory.
            OSError: It cannot be made there.
        """
        self.lost_xattr_count = 0
        self._path = os.path.abspath(destination)
        if os.path.lexists(self._path) and (os.path.islink(self._path) or not _is_empty(self._path)):
            raise DestinationTaken(
                f"{destination} is there already, and is no empty directory; nothing was written: name another place"
            )
        above, name = os.path.split(self._path)
        self._staging = f"{above}/{temporary_name(name)}"
        try:
            os.mkdir(self._staging)
        except OSError as failure:
            raise named(failure, destination) from None
        self._directories: list[Member] = []
        self._can_make: dict[str, bool] = {}

    def holds(self, kind: str) -> bool:
        """Say whether this process may make such a file there: devices are for root."""
        if kind not in ("character_device", "block_device"):
            return True
        if kind not in self._can_make:
            probe = f"{self._staging}/device"
            try:
                os.mknod(probe, KINDS[kind] | 0o600, 0)
                os.unlink(probe)
                self._can_make[kind] = True
            except PermissionError:
                self._can_make[kind] = False
        return self._can_make[kind]

    def add(self, member: Member, content: Content | None = None) -> None:
        """Make a file, directory, link or special file."""
        place = self._place(member.path)
        if member.link is not None:
            os.link(self._place(member.link), place, follow_symlinks=False)
            return
        if member.kind == "directory":
            os.mkdir(place, 0o700)
            self._directories.append(member)  # its mode and times come last: see finish
        elif member.kind == "symlink":
            os.symlink(member.target, place)
        elif content is not None:
            with open(place, "xb", opener=open_private) as file:
                content(_Sparse(file))
                file.truncate()
                if file.tell() != member.size:
                    raise Corrupt(
                        f"{member.path!r} has {file.tell()} bytes, and {member.size} were expected; run sessionfs fsck"
                    )
        else:
            os.mknod(place, KINDS[member.kind] | 0o600, member.rdev)
        self._set_xattrs(place, member)
        if member.kind != "directory":
            self._set_status(place, member)

    def finish(self) -> None:
        """Set what writing into directories would have changed, and give the whole its name.

        Durability:
            As of what cp writes: nothing is synced.
        """
        for member in reversed(self._directories):
            self._set_status(self._place(member.path), member)
        try:
            os.rename(self._staging, self._path)  # over an empty directory, too
        except OSError as failure:
            if failure.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.EBUSY, errno.ENOTDIR):
                raise DestinationTaken(
                    f"{self._path} cannot be replaced: {failure.strerror}; the export was removed again: name another "
                    "place"
                ) from failure
            raise

    def abandon(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self._staging, ignore_errors=True)

    def _place(self, path: str) -> str:
        return f"{self._staging}/{path}"

    def _set_xattrs(self, place: str, member: Member) -> None:
        for name, value in member.xattrs.items():
            try:
                os.setxattr(place, name, value, follow_symlinks=False)
            except OSError as failure:
                if failure.errno not in _NO_XATTRS:
                    raise
                self.lost_xattr_count += 1

    def _set_status(self, place: str, member: Member) -> None:
        mode = member.mode
        try:
            os.chown(place, member.uid, member.gid, follow_symlinks=False)
        except PermissionError:  # as cp -a: it belongs to who made it, and gives nobody its rights
            mode &= 0o1777
        if member.kind != "symlink":
            os.chmod(place, mode)
        accessed_ns = member.mtime_ns if member.atime_ns is None else member.atime_ns
        os.utime(place, ns=(accessed_ns, member.mtime_ns), follow_symlinks=False)


class _Sparse:
    """A file that is written in order, in which pieces of zeros become holes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        if data == _ZEROS[: len(data)] and len(data) >= 4096:
            self._file.seek(len(data), os.SEEK_CUR)
        else:
            self._file.write(data)
        return len(data)


def _is_empty(path: str) -> bool:
    try:
        return not os.listdir(path)
    except NotADirectoryError:
        return False
