"""``versions/<path>/<n>``: the earlier contents of each artifact, also of those that have been deleted.

A path is a directory: of an artifact it holds its versions by number, of a directory what is, or was, in that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sessionfs.artifacts import from_text, text_of
from sessionfs.mount.handles import BytesHandle, Handle
from sessionfs.mount.inodes import KNOWN_SECONDS, Caller, Inode
from sessionfs.mount.namespace import READ_ONLY_DIRECTORY, READ_ONLY_FILE
from sessionfs.mount.of_session import OfSession, OfSessionFolder
from sessionfs.mount.read_only import ContentHandle, ReadOnly, check_reads_only, note_retrieved
from sessionfs.travel.numbering import Version
from sessionfs.travel.versions import NoSuchVersion, VersionContent, VersionIndex, versions_of

if TYPE_CHECKING:
    from sessionfs.mount.view import View


class Versions(ReadOnly, OfSessionFolder):
    """``versions``, and every path in it. Paths are in text form, as virtual inodes have them."""

    mode = READ_ONLY_DIRECTORY

    @property
    def artifact_path(self) -> str:
        """The path in the session; "" for ``versions`` itself."""
        return from_text("/".join(self.path.split("/")[3:]))

    def names(self) -> Sequence[bytes]:
        index, path = self._index(), self.artifact_path
        if index.is_directory(path):
            return [name.encode("utf-8", "surrogateescape") for name in index.names(path)]
        return [str(version.number).encode() for version in index.versions(path)]

    def lookup(self, name: bytes) -> Inode | None:
        index, path, text = self._index(), self.artifact_path, os.fsdecode(name)
        if index.is_directory(path):
            inner = f"{path}/{text}" if path else text
            return None if index.is_directory(inner) is None else self.child(text_of(text), Versions)
        if not (text.isascii() and text.isdecimal()) or text != str(int(text)):
            return None
        try:
            version = index.version(path, int(text))
        except NoSuchVersion:
            return None
        content = index.content(self.mounted.session, version)
        # Something else may be stored at the path later, and begin at 1 again: what it is belongs to its name here.
        return self.child(f"{text}\0{version.id}", lambda view, path: VersionFile(view, path, version, content))

    def _index(self) -> VersionIndex:
        return versions_of(self.mounted.session)


class VersionFile(ReadOnly, OfSession):
    """One version's content."""

    mode = READ_ONLY_FILE
    attr_seconds = KNOWN_SECONDS

    def __init__(self, view: View, path: str, version: Version, content: VersionContent) -> None:
        super().__init__(view, path)
        self._version = version
        self._content = content

    def refresh(self) -> None:
        """Nothing here changes."""

    def size(self) -> int:
        return self._content.size

    def changed_ns(self) -> int:
        return self._content.mtime_ns

    async def open(self, flags: int, caller: Caller) -> Handle:
        check_reads_only(flags)
        mounted = self.mounted
        path = from_text("/".join(self.path.split("/")[3:-1]))
        await note_retrieved(mounted, path, self._version.id, caller)
        if self._content.oid is None:
            return BytesHandle(self, b"")
        return ContentHandle(self, mounted.store.objects, self._content.oid)
