r"""Bundles: sessions in one file, for mail and archives. The grammar, and checking it; pure, but for the streams.

::

    bundle  = "sessionfs bundle 1" LF  header LF  *section  end
    header  = JSON: {"created_at":…,"sessions":[{"id":…,"start":place,"end":place},…]}, parents before their forks
    place   = {"seq":…,"offset":…,"chain":…}: between two records of the session's log
    section = "log " id SP length LF  bytes           the lines of the log from start to end
            | "ref " id SP name SP length LF  bytes   the lines of a ref, all of them
            | "object " oid suffix SP length LF bytes what the object's own file would hold
    end     = "end " section-count SP content-bytes SP hash LF

The hash is BLAKE3 of everything before the end. The suffix says the form: none, .lz4, .chunks, .tree or .snapshot. A
session whose start is not 0 needs what is before that: whoever takes the bundle in must have it. Logs come first, then
refs, then objects, lists of pieces last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec
from blake3 import blake3

from sessionfs.backup.import_stream import buffered
from sessionfs.errors import Corrupt, Unsupported
from sessionfs.log.pages import Place
from sessionfs.sessions import check_id

FORMAT = 1
_NAME = b"sessionfs bundle "
_MAX_LINE_BYTES = 256 << 20  # the header, of a million sessions
_MAX_HEAD_BYTES = 1024
_READ_BYTES = 1 << 20

_HEAD = re.compile(
    rb"(?:(?P<log>log) (?P<log_of>[A-Za-z0-9][A-Za-z0-9._-]{0,127})"
    rb"|(?P<ref>ref) (?P<ref_of>[A-Za-z0-9][A-Za-z0-9._-]{0,127}) (?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,127})"
    rb"|(?P<object>object) (?P<oid>[0-9a-f]{64})(?P<suffix>|\.lz4|\.chunks|\.tree|\.snapshot)"
    rb") (?P<length>\d{1,18})\n"
)
_END = re.compile(rb"end (\d{1,18}) (\d{1,18}) ([0-9a-f]{64})\n")


class DamagedBundle(Corrupt):
    """A bundle is cut short, was changed, or is none."""


class NewerBundle(Unsupported):
    """A newer sessionfs made the bundle."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle has of one session."""

    id: str
    start: Place
    end: Place

    @property
    def record_count(self) -> int:
        """How many records it has."""
        return self.end.seq - self.start.seq


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle says first."""

    created_at: str
    sessions: tuple[Part, ...]


class Section(NamedTuple):
    """The head of one section."""

    kind: str  # "log", "ref" or "object"
    session_id: str  # of a log or ref
    name: str  # of a ref; of an object its oid
    suffix: str
    length: int


class BundleWriter:
    """Writes a bundle to a stream, from its beginning to its end."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self._out = out
        self._hasher = blake3()
        self._left = 0
        self._section_count = 0
        self._size = 0
        self._write(_NAME + b"%d\n" % FORMAT + msgspec.json.encode(header) + b"\n")

    def begin(self, section: Section) -> None:
        """Begin a section; its bytes follow."""
        assert self._left == 0, "the section before it is not complete"
        words = [section.kind, section.session_id, section.name + section.suffix, str(section.length)]
        self._write(" ".join(word for word in words if word).encode() + b"\n")
        self._left = section.length
        self._section_count += 1
        self._size += section.length

    def write(self, data: bytes) -> int:
        """Write some of the bytes of the section that was begun."""
        self._left -= len(data)
        assert self._left >= 0, "the section has more than it said"
        self._write(data)
        return len(data)

    def finish(self) -> None:
        """Write the end."""
        assert self._left == 0, "the last section is not complete"
        self._out.write(b"end %d %d %s\n" % (self._section_count, self._size, self._hasher.hexdigest().encode()))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._hasher.update(data)


class BundleReader:
    """Reads a bundle from a stream, once. What it has given is only to be believed when :meth:`sections` has ended."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        """Read the header.

        Args:
            name: What to call it in messages.

        Raises:
            DamagedBundle: It is no bundle, or cut short.
            NewerBundle: This build does not know its format.
        """
        self.name = name
        self._source = buffered(source)
        self._hasher = blake3()
        self._left = 0
        self.section_count = 0
        self.size = 0
        first = self._line(_MAX_HEAD_BYTES)
        number = first[len(_NAME) :].strip()
        if not first.startswith(_NAME) or not number.isdigit():
            raise self._damaged("it does not begin as a bundle does")
        if int(number) != FORMAT:
            raise NewerBundle(
                f"{name} has format {int(number)}; this sessionfs knows format {FORMAT}: use a newer sessionfs"
            )
        try:
            self.header = msgspec.json.decode(self._line(_MAX_LINE_BYTES), type=Header)
            for part in self.header.sessions:
                check_id(part.id)
                _check_part(part)
        except (msgspec.MsgspecError, ValueError) as failure:
            raise self._damaged(f"its header cannot be read: {failure}") from failure

    def sections(self) -> Iterator[Section]:
        """Yield each section; its bytes are to be had from :meth:`read` until the next one.

        Raises:
            DamagedBundle: At what is not as it was written; at the end, when counts or hash are wrong.
        """
        while True:
            while self.read(_READ_BYTES):
                pass
            hash_before = self._hasher.hexdigest()
            line = self._line(_MAX_HEAD_BYTES)
            end = _END.fullmatch(line)
            if end is not None:
                self._check_end(end, hash_before)
                return
            match = _HEAD.fullmatch(line)
            if match is None:
                raise self._damaged("something stands in it that is no section")
            self._left = int(match["length"])
            self.section_count += 1
            self.size += self._left
            yield _section(match, self._left)

    def read(self, size: int = -1) -> bytes:
        """Return up to *size* bytes of the section that was yielded last; nothing at its end.

        Raises:
            DamagedBundle: The bundle is cut short.
        """
        wanted = min(self._left, _READ_BYTES if size < 0 else size, _READ_BYTES)
        if wanted == 0:
            return b""
        data = self._source.read(wanted)
        if not data:
            raise self._damaged("it is cut short")
        self._hasher.update(data)
        self._left -= len(data)
        return data

    def pieces(self) -> Iterator[bytes]:
        """Yield what is left of the section that was yielded last."""
        while data := self.read():
            yield data

    def _check_end(self, end: re.Match[bytes], hash_before: str) -> None:
        if (int(end[1]), int(end[2])) != (self.section_count, self.size) or end[3].decode() != hash_before:
            raise self._damaged("its bytes are not those that were written: counts or hash at its end differ")
        if self._source.read(1):
            raise self._damaged("something follows its end")

    def _line(self, limit: int) -> bytes:
        line = self._source.readline(limit)
        if not line.endswith(b"\n"):
            raise self._damaged("it is cut short" if len(line) < limit else "a line in it is too long")
        self._hasher.update(line)
        return line

    def _damaged(self, what: str) -> DamagedBundle:
        return DamagedBundle(f"{self.name} is no whole bundle: {what}; nothing was taken from it: get it again")


def _section(match: re.Match[bytes], length: int) -> Section:
    if match["log"]:
        return Section("log", match["log_of"].decode(), "", "", length)
    if match["ref"]:
        return Section("ref", match["ref_of"].decode(), match["name"].decode(), "", length)
    return Section("object", "", match["oid"].decode(), match["suffix"].decode(), length)


def _check_part(part: Part) -> None:
    start, end = part.start, part.end
    if not (0 <= start.seq <= end.seq and 0 <= start.offset <= end.offset) or (start.offset == 0) != (start.seq == 0):
        raise ValueError(f"session {part.id} is from {start} to {end}")
