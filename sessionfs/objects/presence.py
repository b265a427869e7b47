"""Whether a blob is there already, and looks whole: without reading it.

"It is already there" is believed only when its size is right: a power cut in relaxed mode can leave an empty or short
file under the right name (git's empty loose object). Of a blob in pieces, all those are looked at, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sessionfs.errors import Corrupt, DiskFault
from sessionfs.objects import frame
from sessionfs.objects.blobs import reading
from sessionfs.objects.files import COMPRESSION_OF_SUFFIX, SUFFIX_OF_COMPRESSION, ObjectFiles
from sessionfs.objects.pieces import MAX_DEPTH, MAX_LIST_BYTES, PieceList, parse
from sessionfs.objects.stored import Place, Stored
from sessionfs.oid import ObjectId


class _Form(NamedTuple):
    """The file of a blob, as far as a look at its ends can tell."""

    place: Place
    compression: str
    size: int  # of the content
    listed: PieceList | None


class Presence:
    """A look at the blobs below one ``objects/``. Thread-safe."""

    def __init__(self, files: ObjectFiles) -> None:
        self._files = files

    def find(self, oid: ObjectId, size: int, *, in_pieces: bool = True) -> tuple[Stored | None, list[str], str | None]:
        """Look for a blob of *size* bytes that is believed to be whole.

        Args:
            in_pieces: It may be in pieces; False saves a look.

        Returns:
            Where it is, and the files it needs; or None, and the path of the one that is not whole.
        """
        there = self._place(oid, list(SUFFIX_OF_COMPRESSION)[: 3 if in_pieces else 2], refresh=False)
        if there is None:
            return None, [], None
        place, compression = there
        seen: dict[ObjectId, _Form | None] = {}
        form = self._look(oid, compression, place)
        if form is None or form.size != size or not self._has_pieces(form, seen, 1):
            # What is damaged in a pack stays there: the object's own file is looked for first.
            return None, [], place.path if place.start is None else None
        pieces = (piece.place.path for piece in seen.values() if piece is not None)
        return Stored(oid, size, place.length, compression), list(dict.fromkeys([place.path, *pieces])), None

    def paths(self, oid: ObjectId) -> list[str]:
        """Return the files that a blob needs: its own and those of its pieces, as far as they are there."""
        seen: dict[ObjectId, _Form | None] = {}
        self._believe(oid, seen, 0)
        return list({form.place.path: None for form in seen.values() if form is not None})

    def _place(
        self, oid: ObjectId, compressions: Iterable[str] = SUFFIX_OF_COMPRESSION, *, refresh: bool = True
    ) -> tuple[Place, str] | None:
        """Return where a blob lies, and in which form; without *refresh*, what others packed lately may be missed."""
        for compression in compressions:
            path = self._files.path(oid, SUFFIX_OF_COMPRESSION[compression])
            stored_size = self._files.disk.size_at(path)
            if stored_size is not None:
                return Place(path, None, stored_size), compression
        packed = self._files.packs.find(oid, *SUFFIX_OF_COMPRESSION.values(), refresh=refresh)
        if packed is None:
            return None
        path, entry = packed
        return Place(path, entry.start, entry.length), COMPRESSION_OF_SUFFIX[entry.suffix]

    def _look(self, oid: ObjectId, compression: str, place: Place) -> _Form | None:
        """Return the content's size and pieces by a look at the file; None if it is not whole."""
        if compression == "none":
            return _Form(place, compression, place.length, None)
        try:
            with reading(oid):
                if compression == "lz4":
                    return _Form(place, compression, self._size_of_frame(place), None)
                limit_bytes = MAX_LIST_BYTES + 1 if place.start is None else place.length
                listed = parse(self._files.read(place.path, limit_bytes, place.start or 0) or b"")
                return _Form(place, compression, listed.size, listed)
        except DiskFault:
            raise
        except Corrupt:
            return None

    def _size_of_frame(self, place: Place) -> int:
        fd = self._files.open(place.path)
        if fd is None:
            raise frame.MalformedFrame("it is gone")
        start = place.start or 0
        try:
            if self._files.disk.pread(fd, 4, start + max(0, place.length - 4)) != frame.END_MARK:
                raise frame.MalformedFrame("it is cut short")
            return frame.parse_header(self._files.disk.pread(fd, frame.HEADER_BYTES, start))
        finally:
            self._files.disk.close(fd)

    def _has_pieces(self, form: _Form, seen: dict[ObjectId, _Form | None], depth: int) -> bool:
        if form.listed is None:
            return True
        for piece in form.listed.pieces:
            found = self._believe(piece.oid, seen, depth)
            if found is None or not piece.fits(found.size):
                return False
        return True

    def _believe(self, oid: ObjectId, seen: dict[ObjectId, _Form | None], depth: int) -> _Form | None:
        if oid not in seen:
            seen[oid] = None  # until it is known; a list that names itself is damaged
            there = self._place(oid)
            form = None if there is None else self._look(oid, there[1], there[0])
            is_deep = form is not None and form.listed is not None and depth >= MAX_DEPTH
            if form is not None and not is_deep and self._has_pieces(form, seen, depth + 1):
                seen[oid] = form
        return seen[oid]
