"""Text out of office documents: the XML in their archives, read to a limit, however much it would unpack to."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from xml.parsers import expat

# Which files of an archive hold text: of Word, PowerPoint, Excel, and of OpenDocument.
_PARTS = re.compile(
    r"word/(document|footnotes|endnotes|comments|header\d*|footer\d*)\.xml|ppt/(slides|notesSlides)/[^/]+\.xml"
    r"|xl/(sharedStrings|comments\d*|worksheets/[^/]+)\.xml|content\.xml"
)
_NUMBER = re.compile(r"\d+")

# In XML there is so much more than text.
_XML_FACTOR = 8
_READ_BYTES = 64 << 10

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
    left = limit_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if _PARTS.fullmatch(name)]
            for name in sorted(names, key=_place):
                with archive.open(name) as file:
                    text = "".join(_texts(iter(lambda: file.read(_READ_BYTES), b""), left))
                parts.append(text)
                left -= len(text)
                if left <= 0:
                    break
    except _UNREADABLE:
        return None
    return "\n".join(parts)[:limit_bytes] if names else None


def _place(name: str) -> tuple[str, int]:
    """Slide 10 comes behind slide 9."""
    number = _NUMBER.search(name)
    return _NUMBER.sub("", name), int(number[0]) if number else 0


def _texts(pieces: Iterator[bytes], limit: int) -> Iterator[str]:
    """Yield the text in a file of XML, to about *limit* characters; what is not well-formed ends it."""
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
    read = given = 0
    for piece in pieces:
        try:
            parser.Parse(piece, False)
        except expat.ExpatError:
            return
        read += len(piece)
        given += sum(map(len, found))
        yield from found
        found.clear()
        if given >= limit or read >= limit * _XML_FACTOR:
            return
