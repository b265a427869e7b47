"""What is found in a directory or an archive, and its content on its way into the store.

Nothing here writes anywhere but into the store's objects, and no record names those yet: an import that ends in the
middle leaves what the next gc collects, and no session.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple, cast

from sessionfs.artifacts import check_path, mime, text_of
from sessionfs.artifacts.names import MAX_PATH_BYTES
from sessionfs.backup.export_sidecar import SIDECAR, STATE
from sessionfs.errors import Conflict, InvalidInput
from sessionfs.objects import ObjectDatabase, Stored
from sessionfs.store.artifacts import check_artifact_size

_WHOLE_BYTES = 1 << 20  # up to here content is read at once
_READ_BYTES = 1 << 20

USER = b"user."


class BadMember(InvalidInput):
    """Something in the source that no session can have."""


class ChangedSource(Conflict):
    """The source changed while it was read."""


class Taken(NamedTuple):
    """Content that is in the store."""

    stored: Stored
    head: bytes  # its first bytes, which tell what it is


class Found:
    """One inode of the source; one with several names is found at several paths.

    Attributes:
        kind: As of artifacts.
        mode: Permission bits.
        uid, gid: None for whoever imports it.
        xattrs: Those of the namespace ``user``, by their names.
        content: Of a file.
        target: Of a symbolic link, as ``os.fsdecode`` gives it.
    """

    __slots__ = ("content", "gid", "kind", "mode", "mtime_ns", "rdev", "target", "uid", "xattrs")

    def __init__(
        self,
        kind: str,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        mtime_ns: int | None = None,
        xattrs: dict[bytes, bytes] | None = None,
        content: Taken | None = None,
        target: str | None = None,
        rdev: int = 0,
    ) -> None:
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.mtime_ns = mtime_ns
        self.xattrs = xattrs or {}
        self.content = content
        self.target = target
        self.rdev = rdev


class Members:
    """What has been found, by path ("" is the top). A directory is there before what is in it."""

    def __init__(self) -> None:
        self.by_path: dict[str, Found] = {}
        self.left_out: set[str] = set()
        """Namespaces of extended attributes that were seen, and that no session keeps."""

    def add(self, path: str, found: Found) -> None:
        """Note what is at *path*; the last thing there counts, as it does for tar.

        Raises:
            BadMember: Something that holds it is no directory; or a directory is to become something else.
        """
        self._make_parents(path)
        known = self.by_path.get(path)
        if known is not None and (known.kind == "directory") != (found.kind == "directory"):
            if known.kind == "directory" and any(other.startswith(f"{path}/") for other in self.by_path):
                raise _unfit(f"{text_of(path)!r} is there as a directory that holds something, and as a {found.kind}")
            del self.by_path[path]
        self.by_path[path] = found

    def link(self, path: str, target: str) -> None:
        """Note that *path* is another name of what is at *target*.

        Raises:
            BadMember: Nothing is there, or a directory.
        """
        found = self.by_path.get(target)
        if found is None or found.kind == "directory":
            what = "nothing before it" if found is None else "a directory"
            raise _unfit(f"{text_of(path)!r} is a link to {text_of(target)!r}, which is {what}")
        if path != target:
            self.add(path, found)

    def _make_parents(self, path: str) -> None:
        """Make what holds *path*, where the source does not tell of it."""
        above = path
        missing = []
        while above:
            above = above.rpartition("/")[0]
            known = self.by_path.get(above)
            if known is not None:
                if known.kind != "directory":
                    raise _unfit(f"{text_of(path)!r} would be in {text_of(above)!r}, which is a {known.kind}")
                break
            missing.append(above)
        for directory in reversed(missing):
            self.by_path[directory] = Found("directory")


def member_path(name: str) -> str:
    """Return where a member called *name* is, "" for the top: leading ``./`` and doubled slashes mean nothing.

    Raises:
        BadMember: It is absolute, or steps up.
        BadName, NameTooLong: No artifact can be called so.
    """
    names = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in names:
        shown = text_of(name)[:MAX_PATH_BYTES]
        raise _unfit(f"{shown!r} is a member outside the tree that is imported: it is absolute, or steps up")
    return check_path("/".join(names)) if names else ""


def _unfit(what: str) -> BadMember:
    return BadMember(f"{what}; nothing was imported: repair the source, or leave that out")


def _may_be_no_artifact(path: str) -> bool:
    """Say whether this may be the sidecar of an export, or a value of the state: that is known when all was read."""
    names = path.split("/")
    return (len(names) <= 2 and names[-1] == SIDECAR) or STATE in names[:-1][:2]


class Intake:
    """Puts content into a store."""

    def __init__(
        self, objects: ObjectDatabase, limit_bytes: int | None, progress: Callable[[int], None] | None
    ) -> None:
        """Prepare it.

        Args:
            limit_bytes: How much one artifact may have; None for any. What is larger is not read to its end.
            progress: Called with how many bytes have been read more.
        """
        self._objects = objects
        self._limit_bytes = limit_bytes
        self._progress = progress

    def take(self, path: str, source: BinaryIO, size: int) -> Taken:
        """Store what *source* gives until its end, for what is at *path*; it is expected to be *size* bytes.

        Raises:
            LimitReached: It is too much.
            NoSpace, ReadOnlyStore: It was not stored.
        """
        limit_bytes = None if _may_be_no_artifact(path) else self._limit_bytes
        check_artifact_size(limit_bytes, size)
        watched = _Watched(source, limit_bytes, self._progress)
        if size <= _WHOLE_BYTES:
            data = watched.read(size + 1)
            if len(data) <= size:
                return Taken(self._objects.put_bytes(data), watched.head)
            watched.give_back(data)
        return Taken(self._objects.put_stream(cast(BinaryIO, watched)), watched.head)

    def take_sparse(self, extents: Iterable[tuple[int, int]], read: Callable[[int, int], bytes], size: int) -> Taken:
        """Store content of *size* bytes that is zeros but for *extents* (offset, length); the zeros take no space.

        Args:
            read: Returns up to so many bytes from an offset.

        Raises:
            TooLarge: The store's filesystem has no files of that size.
            LimitReached, NoSpace, ReadOnlyStore: It was not stored.
            ChangedSource: There is less than was said.
        """
        check_artifact_size(self._limit_bytes, size)
        staged = self._objects.stage()
        try:
            for start, length in extents:
                end = min(start + length, size)
                while start < end:
                    data = read(min(_READ_BYTES, end - start), start)
                    if not data:
                        raise ChangedSource("a file became shorter while it was read; import it again")
                    staged.pwrite(data, start)
                    start += len(data)
                    if self._progress is not None:
                        self._progress(len(data))
                    if staged.is_behind:
                        staged.catch_up()
            staged.truncate(size)
            head = staged.pread(mime.SNIFFED_BYTES, 0)
            return Taken(staged.finish(), head)
        finally:
            staged.discard()


class _Watched(io.RawIOBase):
    """Passes reads on, keeps the first bytes, counts, and stops what is larger than is allowed."""

    def __init__(self, source: Any, limit_bytes: int | None, progress: Callable[[int], None] | None) -> None:
        self.head = b""
        self._source = source
        self._limit_bytes = limit_bytes
        self._progress = progress
        self._size = 0
        self._given_back = b""

    def give_back(self, data: bytes) -> None:
        """Let the next read begin with *data*."""
        self._given_back = data

    def read(self, size: int = -1) -> bytes:
        if self._given_back:
            data, self._given_back = self._given_back, b""
            return data
        data = self._source.read(_READ_BYTES + 1 if size < 0 else min(size, _READ_BYTES + 1))
        if len(self.head) < mime.SNIFFED_BYTES:
            self.head += data[: mime.SNIFFED_BYTES - len(self.head)]
        self._size += len(data)
        check_artifact_size(self._limit_bytes, self._size)
        if self._progress is not None:
            self._progress(len(data))
        return bytes(data)
