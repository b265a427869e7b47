"""Checking a bundle without any store: its own hash, the chain of each log, each object against its name.

What is in pieces is checked as far as the bundle goes: its pieces, which may be in the receiver's store, are objects by
themselves, and whoever takes the bundle in checks the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import lz4.frame

from sessionfs.backup.bundle_create import Bundled
from sessionfs.backup.bundle_format import BundleReader, DamagedBundle, Part, Section
from sessionfs.log.framing import MAX_RECORD_BYTES, is_followed, is_linked, written_chain
from sessionfs.log.pages import Place
from sessionfs.objects.pieces import MAX_LIST_BYTES, MalformedPieces
from sessionfs.objects.pieces import parse as parse_pieces
from sessionfs.oid import Hasher

_DECOMPRESSED_BYTES = 1 << 20
_MAX_REF_BYTES = 64 << 20


def verify_bundle(source: BinaryIO, name: str) -> Bundled:
    """Check all of a bundle, and return what it holds.

    Args:
        name: What to call it in messages.

    Raises:
        DamagedBundle: It is not what was written.
        NewerBundle: This build does not know its format.
    """
    reader = BundleReader(source, name)
    order = Order(reader)
    object_count = 0
    for section in reader.sections():
        part = order.check(section)
        if section.kind == "log" and part is not None:
            for _ in check_log(reader, part):
                pass
        elif section.kind == "object":
            check_object(reader, section)
            object_count += 1
    order.finish()
    return Bundled(reader.header.sessions, object_count, reader.size)


class Order:
    """Whether the sections of a bundle are those that its header tells of."""

    def __init__(self, reader: BundleReader) -> None:
        self._reader = reader
        self._parts = {part.id: part for part in reader.header.sessions}
        self._left = iter(reader.header.sessions)
        self._log_count = 0

    def check(self, section: Section) -> Part | None:
        """Return what the header says of the session of *section*, which comes next; None for an object.

        Raises:
            DamagedBundle: It should not come, or be so long.
        """
        part = self._parts.get(section.session_id)
        if section.kind == "log":
            self._log_count += 1
            if part is None or part != next(self._left, None):
                raise self._damaged(f"the log of session {section.session_id} is not expected there")
            if section.length != part.end.offset - part.start.offset:
                raise self._damaged(f"the log of session {part.id} has another length than its header says")
            return part
        if self._log_count < len(self._parts):
            raise self._damaged("a log is missing")
        if section.kind == "ref":
            if part is None:
                raise self._damaged(f"it has a ref of session {section.session_id}, and not the session")
            if section.length > _MAX_REF_BYTES:
                raise self._damaged(f"the ref {section.name} of session {section.session_id} is too long")
        return None

    def finish(self) -> None:
        """Check that nothing is missing; otherwise DamagedBundle."""
        if self._log_count < len(self._parts) or len(self._parts) != len(self._reader.header.sessions):
            raise self._damaged("a log is missing")

    def _damaged(self, what: str) -> DamagedBundle:
        return damaged(self._reader, what)


def check_log(reader: BundleReader, part: Part) -> Iterator[bytes]:
    """Yield the lines of the log that comes next, each with its LF, as they are found to follow from each other.

    Raises:
        DamagedBundle: They do not, or do not lead where the header says.
    """
    place = part.start
    followed = False
    for line in _lines(reader):
        if not line.startswith(b'{"seq":%d,' % place.seq) or not is_linked(line, place.chain):
            raise damaged(reader, f"record {place.seq} of session {part.id} does not follow from the one before it")
        place = Place(place.seq + 1, place.offset + len(line) + 1, written_chain(line))
        followed = is_followed(line)
        yield line + b"\n"
    if place != part.end or followed:
        raise damaged(reader, f"the log of session {part.id} does not end where the header says")


def _lines(reader: BundleReader) -> Iterator[bytes]:
    kept = b""
    for piece in reader.pieces():
        *lines, kept = (kept + piece).split(b"\n")
        yield from lines
        if len(kept) > MAX_RECORD_BYTES:
            break
    if kept:
        raise damaged(reader, "a record in it is too long, or cut short")


def check_object(reader: BundleReader, section: Section) -> None:
    """Read the object that comes next, and check it against its name; a list of pieces only for being one.

    Raises:
        DamagedBundle: It is something else.
    """
    what = f"object {section.name}{section.suffix} is not what its name says"
    if section.suffix == ".chunks":
        if section.length > MAX_LIST_BYTES:
            raise damaged(reader, f"{what}: it is too long")
        try:
            parse_pieces(b"".join(reader.pieces()))
        except MalformedPieces as failure:
            raise damaged(reader, f"{what}: {failure}") from failure
        return
    hasher = Hasher()
    content: Iterable[bytes] = reader.pieces()
    if section.suffix == ".lz4":
        content = _decompressed(reader, what)
    for piece in content:
        hasher.update(piece)
    if hasher.oid() != section.name:
        raise damaged(reader, what)


def _decompressed(reader: BundleReader, what: str) -> Iterator[bytes]:
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        for piece in reader.pieces():
            data = piece
            while data or not decompressor.needs_input:
                yield decompressor.decompress(data, _DECOMPRESSED_BYTES)
                data = b""
                if decompressor.eof:
                    break
    except (RuntimeError, EOFError) as failure:
        raise damaged(reader, f"{what}: {failure}") from failure
    if not decompressor.eof or decompressor.unused_data:
        raise damaged(reader, f"{what}: its frame does not end where it should")


def damaged(reader: BundleReader, what: str) -> DamagedBundle:
    """Return the error that says *what* is wrong with a bundle."""
    return DamagedBundle(f"{reader.name} is no whole bundle: {what}; nothing was taken from it: get it again")
