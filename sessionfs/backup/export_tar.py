"""An export as a tar archive: POSIX.1-2001 (pax), which GNU tar, bsdtar and Python read.

Times to the nanosecond, names that are long or not UTF-8, large owners and extended attributes (``SCHILY.xattr.…``, as
GNU tar and bsdtar write them) stand in extended headers. A tar archive cannot hold sockets.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
from typing import IO, BinaryIO, cast

from sessionfs.backup.export_file import WholeFile
from sessionfs.backup.export_members import Content, Member
from sessionfs.clock import NS_PER_SECOND
from sessionfs.errors import Corrupt

XATTR_KEYWORD = "SCHILY.xattr."

_BLOCK_BYTES = 512
_ARCHIVE_BYTES = 20 * _BLOCK_BYTES  # every archive's length is a multiple of it: the record size of tapes

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "character_device": tarfile.CHRTYPE,
    "block_device": tarfile.BLKTYPE,
}

COMPRESSIONS = ("", "gz", "bz2", "xz", "lz4")
_SUFFIXES = {
    ".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tbz2": "bz2", ".tar.xz": "xz", ".txz": "xz",
    ".tar.lz4": "lz4",
}  # fmt: skip


def compression_by_name(name: str) -> str | None:
    """Return how an archive called *name* is compressed ("" for not at all); None if it is no archive's name."""
    return next((form for suffix, form in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


class TarTarget:
    """A tar archive that is written from its beginning to its end: to a file, or to any stream."""

    def __init__(self, destination: str | BinaryIO, compression: str) -> None:
        """Begin it.

        Args:
            destination: A path, where the archive appears when it is whole; or a stream, which stays open.
            compression: "", "gz", "bz2", "xz" or "lz4".

        Raises:
            DestinationTaken: The path is that of a directory.
            OSError: It cannot be made there.
        """
        self.lost_xattr_count = 0
        self._file = WholeFile(destination) if isinstance(destination, str) else None
        self._raw: BinaryIO = destination if self._file is None else self._file.file  # type: ignore[assignment]
        self._out = _compressed(self._raw, compression)
        self._written = 0

    def holds(self, kind: str) -> bool:
        """Say whether a tar archive can have such a member."""
        return kind in _TYPES

    def add(self, member: Member, content: Content | None = None) -> None:
        """Write a member."""
        self._write(header(member))
        self.lost_xattr_count += sum(_keyword(name) is None for name in member.xattrs)
        if content is None:
            return
        before = self._written
        content(_Counted(self))
        written = self._written - before
        if written != member.size:
            raise Corrupt(f"{member.path!r} has {written} bytes, and {member.size} were expected; run sessionfs fsck")
        self._write(bytes(-written % _BLOCK_BYTES))

    def finish(self) -> None:
        """Write the mark that ends an archive, and give it its name.

        Durability:
            A file survives a power cut.
        """
        self._write(bytes(2 * _BLOCK_BYTES))
        self._write(bytes(-self._written % _ARCHIVE_BYTES))
        if self._out is not self._raw:
            self._out.close()
        if self._file is not None:
            self._file.finish()

    def abandon(self) -> None:
        """Remove the file. What went to a stream stays without the mark that ends an archive."""
        if self._file is not None:
            self._file.abandon()

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._written += len(data)


class _Counted:
    """The target, as content sees it."""

    def __init__(self, target: TarTarget) -> None:
        self._target = target

    def write(self, data: bytes) -> int:
        self._target._write(data)
        return len(data)


def header(member: Member) -> bytes:
    """Return the blocks that stand before the content of *member*."""
    info = tarfile.TarInfo(member.path)
    info.mode, info.uid, info.gid = member.mode, member.uid, member.gid
    info.mtime = member.mtime_ns // NS_PER_SECOND
    info.pax_headers = extended(member)
    if member.link is not None:
        info.type, info.linkname = tarfile.LNKTYPE, member.link
    else:
        info.type = _TYPES[member.kind]
        info.linkname, info.size = member.target, member.size if member.kind == "file" else 0
        info.devmajor, info.devminor = os.major(member.rdev), os.minor(member.rdev)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def extended(member: Member) -> dict[str, str]:
    """Return what only an extended header can say of *member*."""
    said: dict[str, str] = {}
    if member.mtime_ns % NS_PER_SECOND or member.mtime_ns < 0:
        said["mtime"] = format_seconds(member.mtime_ns)
    if member.atime_ns is not None:
        said["atime"] = format_seconds(member.atime_ns)
    for name, value in member.xattrs.items():
        keyword = _keyword(name)
        if keyword is not None:
            said[keyword] = value.decode("utf-8", "surrogateescape")
    return said


def _keyword(name: bytes) -> str | None:
    """Return the keyword of an attribute; None when it has none, because keywords are UTF-8."""
    try:
        # GNU tar writes these two signs so, because a keyword ends at the first "=".
        return XATTR_KEYWORD + name.decode().replace("%", "%25").replace("=", "%3D")
    except UnicodeDecodeError:
        return None


def format_seconds(time_ns: int) -> str:
    """Return a time as extended headers have it: decimal seconds, exact."""
    seconds, fraction = divmod(abs(time_ns), NS_PER_SECOND)
    return f"{'-' if time_ns < 0 else ''}{seconds}.{fraction:09d}"


def _compressed(raw: BinaryIO, compression: str) -> BinaryIO | IO[bytes]:
    match compression:
        case "":
            return raw
        case "gz":
            return cast(BinaryIO, gzip.GzipFile("", "wb", 6, raw, 0))  # no name and time: same content, same bytes
        case "bz2":
            return cast(BinaryIO, bz2.BZ2File(raw, "wb"))
        case "xz":
            return cast(BinaryIO, lzma.LZMAFile(raw, "wb"))
        case "lz4":
            import lz4.frame

            return cast(BinaryIO, lz4.frame.LZ4FrameFile(raw, "wb"))
    raise AssertionError(f"{compression!r} is none of {COMPRESSIONS}")
