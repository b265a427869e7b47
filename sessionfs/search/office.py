"""Text out of office documents: the XML in their archives, read to a limit, however much it would unpack to."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from typing import IO
from xml.parsers import expat

# Which files of an archive hold text: of Word, PowerPoint, Excel, and of OpenDocument.
_PARTS = re.compile(
    r"word/(document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml|ppt/(slides|notesSlides)/[^/]+\.xml"
    r"|xl/(sharedStrings|comments\d*|worksheets/[^/]+)\.xml|content\.xml"
)
_NUMBER = re.compile(r"\d+")

# In XML there is so much more than text; in all files of an archive together no more is read.
_XML_FACTOR = 8
_READ_BYTES = 64 << 10

# What opening a file costs, as so much that is read.
_OPENING_BYTES = 4 << 10

# What the archive raises that is damaged, encrypted, or packed in a way nobody knows.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
)  # fmt: skip

# Where text stands, and where it is interrupted; names without the part before the colon.
_TEXT = frozenset({"t", "p", "h", "span", "a"})
_BREAKS = frozenset({"p", "h", "br", "tab", "si", "row", "tr", "tc", "c", "table-cell", "line-break"})


def read_office(data: bytes, limit_bytes: int) -> str | None:
    """Return the text of an office document; None when it is another archive, or damaged.

    Args:
        limit_bytes: About so much text, from the beginning.
    """
    parts: list[str] = []
    left, allowed = limit_bytes, limit_bytes * _XML_FACTOR
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {name for name in archive.namelist() if _PARTS.fullmatch(name)}
            for name in sorted(names, key=_place):
                with archive.open(name) as file:
                    text, read = _text_of(file, left, allowed)
                parts.append(text)
                left -= len(text)
                allowed -= read + _OPENING_BYTES
                if left <= 0 or allowed <= 0:
                    break
    except _UNREADABLE:
        return None
    return "\n".join(parts)[:limit_bytes] if names else None


def _place(name: str) -> tuple[str, int]:
    """Slide 10 comes behind slide 9."""
    number = _NUMBER.search(name)
    return _NUMBER.sub("", name), int(number[0]) if number else 0


def _text_of(file: IO[bytes], limit: int, allowed_bytes: int) -> tuple[str, int]:
    """Return the text in a file of XML, to about *limit* characters, and how many bytes of it were read.

    What is not well-formed ends it, and so does having read *allowed_bytes*.
    """
    found: list[str] = []
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += name.rpartition(":")[2] in _TEXT

    def end(name: str) -> None:
        nonlocal depth
        local = name.rpartition(":")[2]
        depth -= local in _TEXT
        if local in _BREAKS:
            found.append("\n" if local not in ("tab", "tc", "c") else "\t")

    def data(text: str) -> None:
        if depth:
            found.append(text)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, data
    texts: list[str] = []
    read = given = 0
    while given < limit and read < allowed_bytes and (piece := file.read(_READ_BYTES)):
        read += len(piece)
        try:
            parser.Parse(piece, False)
        except expat.ExpatError:
            break
        given += sum(map(len, found))
        texts += found
        found.clear()
    return "".join(texts), read
