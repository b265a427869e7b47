"""A tar archive as what is imported, from a file or a pipe: read once, from its beginning to its end.

What is in an archive is never written anywhere but into the store, under the path that it has there: so a symbolic link
that leads out is a link and nothing else, and what would be *in* one is refused, as are members with absolute paths or
``..`` in them, and hard links to what is not in the archive.

Python's tarfile ends in silence where a header is cut short or damaged, as if the archive ended there; here that is
an error, and so is an archive without the mark at its end.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Any, BinaryIO, Self, cast

from sessionfs.artifacts import text_of
from sessionfs.backup.export_tar import XATTR_KEYWORD
from sessionfs.backup.import_members import USER, BadMember, Found, Intake, Members, member_path
from sessionfs.backup.import_stream import buffered
from sessionfs.clock import NS_PER_SECOND
from sessionfs.errors import Corrupt

# An extended header is read at once; the largest that make sense hold some attributes of 64 KiB.
_MAX_HEADER_BYTES = 64 << 20
_READ_BYTES = 1 << 20
_BLOCK_BYTES = 512

_KIND_OF = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "character_device",
    tarfile.BLKTYPE: "block_device",
}

_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d*))?")
_OTHER_XATTRS = ("SCHILY.acl.", "RHT.security.", "SCHILY.xattr.")


class DamagedArchive(Corrupt):
    """An archive is cut short, damaged, or none at all."""


def read_tar(source: BinaryIO, name: str, intake: Intake, *, keep_owners: bool) -> Members:
    """Take in the archive that *source* gives, whatever it is compressed by.

    Args:
        source: Read once; it need not be able to seek.
        name: What to call it in messages.
        keep_owners: Take the owners' numbers over.

    Raises:
        DamagedArchive: It is cut short, damaged, or no tar archive.
        BadMember, BadName, NameTooLong: It has something that no session can have.
        LimitReached, NoSpace, ReadOnlyStore: The store does not take it.
    """
    members = Members()
    with _naming_faults(name):
        forward = _Forward(_decompressed(source))
        archive = tarfile.TarFile(
            fileobj=cast(IO[bytes], forward), tarinfo=_Member, encoding="utf-8", errors="surrogateescape"
        )
        while (info := archive.next()) is not None:
            del archive.members[:]  # type: ignore[attr-defined]  # it would keep all of them
            _take(archive, info, members, intake, keep_owners)
        forward.finish()
    members.by_path.setdefault("", Found("directory"))
    return members


def _take(archive: tarfile.TarFile, info: tarfile.TarInfo, members: Members, intake: Intake, keep_owners: bool) -> None:
    path = member_path(info.name)
    if info.type == tarfile.LNKTYPE:
        members.link(path, member_path(info.linkname))
        return
    kind = _KIND_OF.get(info.type)
    if kind is None:
        raise BadMember(f"{text_of(path)!r} is a member of the unknown type {info.type!r}; nothing was imported")
    if not path and kind != "directory":
        raise BadMember(f"the archive has a {kind} without a name; nothing was imported")
    found = Found(
        kind,
        mode=stat.S_IMODE(info.mode),
        uid=info.uid if keep_owners else None,
        gid=info.gid if keep_owners else None,
        mtime_ns=_time_ns(info),
        xattrs=_xattrs(info, members),
        target=info.linkname if kind == "symlink" else None,
        rdev=os.makedev(info.devmajor, info.devminor) if kind.endswith("_device") else 0,
    )
    if kind == "file":
        reader = archive.extractfile(info)
        assert reader is not None
        sparse = getattr(info, "sparse", None)
        if sparse is None:
            found.content = intake.take(path, cast(BinaryIO, reader), info.size)
        else:
            found.content = intake.take_sparse(sorted(sparse), _reading(reader), info.size)
        stored = found.content.stored
        if stored.size != info.size:
            raise ReadError("unexpected end of data")
    members.add(path, found)


def _reading(file: IO[bytes]) -> Any:
    def read(length: int, offset: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read


def _time_ns(info: tarfile.TarInfo) -> int:
    match = _SECONDS.fullmatch(info.pax_headers.get("mtime", ""))
    if match is None:
        return int(info.mtime) * NS_PER_SECOND
    sign, whole, fraction = match.groups()
    time_ns = int(whole) * NS_PER_SECOND + int(((fraction or "") + "0" * 9)[:9])
    return -time_ns if sign else time_ns


def _xattrs(info: tarfile.TarInfo, members: Members) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for keyword, value in info.pax_headers.items():
        name = keyword.removeprefix(XATTR_KEYWORD).replace("%3D", "=").replace("%25", "%")
        raw = name.encode("utf-8", "surrogateescape")
        if keyword.startswith(XATTR_KEYWORD) and raw.startswith(USER):
            found[raw] = value.encode("utf-8", "surrogateescape")
        elif keyword.startswith(_OTHER_XATTRS):
            members.left_out.add(name.partition(".")[0])
    return found


class _Member(tarfile.TarInfo):
    """A member whose header is whole: see the module's docstring."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as failure:
            raise ReadError(f"a header is cut short or damaged: {failure}") from failure


class _Forward:
    """A stream as a file that can only be skipped forwards, which is all that reading a tar archive takes."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._offset = 0

    def tell(self) -> int:
        return self._offset

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise ReadError(f"a header claims to have {size} bytes")
        parts = []
        while size:
            data = self._source.read(min(size, _READ_BYTES))
            if not data:
                break
            parts.append(data)
            size -= len(data)
            self._offset += len(data)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._offset:
            raise ReadError("its parts are in no order in which it could be read")
        while self._offset < offset:
            if not self.read(min(_READ_BYTES, offset - self._offset)):
                raise ReadError("unexpected end of data")
        return self._offset

    def seekable(self) -> bool:
        return True

    def finish(self) -> None:
        """Read the rest, so that whoever writes into a pipe can, and a compressed stream's own check is made."""
        while self._source.read(_READ_BYTES):
            pass


_MAGIC: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def _decompressed(source: BinaryIO) -> BinaryIO:
    stream = buffered(source)
    begin = stream.peek(8)[:8]
    for magic, opener in _MAGIC:
        if begin.startswith(magic):
            return cast(BinaryIO, opener(fileobj=stream) if opener is gzip.GzipFile else opener(stream))
    if begin.startswith(_LZ4_MAGIC):
        import lz4.frame

        return cast(BinaryIO, lz4.frame.LZ4FrameFile(stream))
    if begin.startswith(_ZSTD_MAGIC):
        raise DamagedArchive("it is compressed by zstd, which is not known here; give it through a pipe: zstd -dc FILE")
    return cast(BinaryIO, stream)


# What the readers of archives raise, besides OSError, for what they cannot read; lz4's raises RuntimeError.
_FAULTS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, RuntimeError, ValueError)


@contextmanager
def _naming_faults(name: str) -> Iterator[None]:
    """Turn what the readers of archives raise into one error of ours, which names the archive."""
    try:
        yield
    except _FAULTS as failure:
        raise _damaged(name, failure) from failure
    except OSError as failure:
        if failure.errno is not None:
            raise
        raise _damaged(name, failure) from failure  # so bz2 and gzip say that data are none of theirs


def _damaged(name: str, failure: Exception) -> DamagedArchive:
    return DamagedArchive(
        f"{name} cannot be read as a tar archive: {failure}; it is damaged, cut short, or none; nothing was imported"
    )
