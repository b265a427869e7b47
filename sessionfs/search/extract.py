"""The text of a content. What it is, its bytes say, not its name: so the same content has the same text everywhere."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple

from sessionfs.artifacts import mime
from sessionfs.search import documents
from sessionfs.search.office import read_office
from sessionfs.search.schema import NO_TEXT, TEXT, WAITING

# A document is read whole, and is larger than its text.
_DOCUMENT_FACTOR = 16

_HEAD_BYTES = mime.SNIFFED_BYTES
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what text of no encoding with bytes has
_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")


class Extracted(NamedTuple):
    """What was made of a content."""

    state: int  # NO_TEXT, TEXT or WAITING
    text: str = ""


def extract(pieces: Iterable[bytes], size: int, limit_bytes: int) -> Extracted:
    """Return the text of a content.

    Args:
        pieces: It; of text no more is read than is needed.
        size: Its length in bytes.
        limit_bytes: So much of text, from the beginning; longer documents of other kinds have none.
    """
    coming = iter(pieces)
    head = next(coming, b"")
    kind = mime.guess_by_content(head[:_HEAD_BYTES])
    if kind in ("application/pdf", "application/zip"):
        if size > limit_bytes * _DOCUMENT_FACTOR:
            return Extracted(NO_TEXT)
        if kind == "application/pdf" and not documents.can_read():
            return Extracted(WAITING)
        read = documents.read_pdf if kind == "application/pdf" else read_office
        text = read(b"".join([head, *coming]), limit_bytes)
        return Extracted(NO_TEXT) if text is None else Extracted(TEXT, text)
    encoding = _encoding(head[:_HEAD_BYTES])
    if encoding is None:
        return Extracted(NO_TEXT)
    parts, left = [head[:limit_bytes]], limit_bytes - len(head)
    while left > 0 and (piece := next(coming, None)) is not None:
        parts.append(piece[:left])
        left -= len(piece)
    data = b"".join(parts)
    if encoding == "utf-8" and b"\0" in data:
        return Extracted(NO_TEXT)  # it only began like text
    text = _decode(data, encoding)
    return Extracted(TEXT, _unescape(text) if text[:1] in ("{", "[") else text)


def _encoding(head: bytes) -> str | None:
    """Return how text that begins so is encoded; None when it is none."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8" if head and _CONTROL.search(head) is None else None


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as failure:
        if encoding == "utf-8" and failure.start < len(data) - 3:  # not only a character that the limit cuts
            return data.decode("cp1252", "replace")
        return data.decode(encoding, "replace")


def _unescape(text: str) -> str:
    r"""Return JSON with ``\u4e2d`` as what it stands for."""
    if "\\u" not in text:
        return text
    return _ESCAPED.sub(lambda found: _from_utf_16(found[0]), text)


def _from_utf_16(escapes: str) -> str:
    units = [int(unit, 16) for unit in escapes.split("\\u")[1:]]
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace")
