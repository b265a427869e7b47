"""What is seen of an artifact's content: lines of text, JSON put in order, bytes; only its beginning is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sessionfs.api import Artifact, Version
from sessionfs.shown import human_size, unmistakable
from sessionfs.travel.unified import is_text

if TYPE_CHECKING:
    from pygments.lexer import Lexer

    from sessionfs.ui.picture import Picture

READ_BYTES = 256 << 10
_LINE_SIGNS = 2000
# Colouring takes about a second for so much, and a regular expression that is at work stops every thread.
_COLOURED_BYTES = 64 << 10
_COLOURED_LINE_SIGNS = 1000
_TAB = 4
_HEX_BYTES = 16
# Of what is mostly text, stray bytes are shown escaped.
_STRAY_PART = 0.1

Piece = tuple[str, str]
"""Text that can be shown, and its role: what a table's cells have, or ``keyword string number comment name title``."""

Line = tuple[Piece, ...]


class Content(NamedTuple):
    """Something to look at."""

    lines: list[Line]
    note: str = ""  # what should be known of it
    picture: Picture | None = None


# By the beginning of a token's name, as Pygments writes it; the first one decides.
_ROLES = (
    ("Token.Comment", "comment"),
    ("Token.Keyword", "keyword"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Name.Tag", "name"),
    ("Token.Name.Function", "name"),
    ("Token.Name.Class", "name"),
    ("Token.Name.Decorator", "name"),
    ("Token.Name.Builtin", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Generic.Heading", "title"),
    ("Token.Generic.Subheading", "title"),
    ("Token.Generic.Deleted", "bad"),
    ("Token.Generic.Inserted", "good"),
)


def read_content(found: Artifact | Version, *, name: str, mime_type: str) -> Content:
    """Return what is seen of the content of an artifact or a version.

    Raises:
        Corrupt: It is damaged or missing.
    """
    data = _beginning(found)
    if mime_type.startswith("image/") or name.lower().endswith(_IMAGES):
        from sessionfs.ui.picture import MAX_BYTES, read_picture  # late: decoding them is optional

        if found.size <= MAX_BYTES:
            picture = read_picture(found.read_bytes())
            if isinstance(picture, str):
                return Content(list(_hex_lines(data)), f"{picture}; {_extent(found.size, len(data))}")
            return Content([], f"{picture.about}, {human_size(found.size)}", picture)
    return content_of(data, found.size, name=name, mime_type=mime_type)


_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".ico", ".ppm")


def content_of(data: bytes, size: int, *, name: str, mime_type: str) -> Content:
    """Return what is seen of content that begins with *data* and has *size* bytes."""
    if not size:
        return Content([], "empty")
    text = _decode(data, is_whole=len(data) == size)
    extent = _extent(size, len(data))
    if text is None:
        return Content(list(_hex_lines(data)), f"bytes, {extent}")
    is_json = mime_type.endswith("json") or name.endswith(".json")
    if is_json and len(data) == size:
        try:
            text = msgspec.json.format(data, indent=2).decode()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            extent += ", not JSON"
        else:
            name = "x.json"
    return Content(coloured(text, name=name, mime_type=mime_type), extent)


def _beginning(found: Artifact | Version) -> bytes:
    if found.size <= READ_BYTES:
        return found.read_bytes()  # checked against its hash, which a part cannot be
    if isinstance(found, Version):
        if found.oid is None:
            return b""
        with found.objects.open(found.oid) as reader:
            return reader.pread(READ_BYTES, 0)
    with found.open("rb") as file:
        data: bytes = file.read(READ_BYTES)
        return data


def _extent(size: int, read: int) -> str:
    return human_size(size) if read >= size else f"the first {human_size(read)} of {human_size(size)}"


def _decode(data: bytes, *, is_whole: bool) -> str | None:
    """Return *data* as text, as far as it is; None for what is no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[: len(data) & ~1].decode("utf-16", "replace")
    if not is_text(data):
        return None
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    if not is_whole:
        text = text[:-3] + text[-3:].rstrip(_STRAYS)  # a character that was cut through
    strays = sum(text.count(stray) for stray in set(text) & _STRAY_SET)
    return text if strays <= _STRAY_PART * len(text) else None


_STRAYS = "".join(map(chr, range(0xDC80, 0xDD00)))
_STRAY_SET = frozenset(_STRAYS)


def coloured(text: str, *, name: str = "", mime_type: str = "") -> list[Line]:
    """Return the lines of *text*, in colours where something is known of its language."""
    head, rest = _split(text)
    lexer = _lexer(name, mime_type)
    if lexer is None:
        return plain(text)
    lines: list[list[Piece]] = [[]]
    for token, value in lexer.get_tokens(head):
        role = _role(str(token))
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append((part, role))
    if lines and not lines[-1]:
        lines.pop()
    return [_shown(line) for line in lines] + (plain(rest) if rest else [])


def plain(text: str, role: str = "") -> list[Line]:
    """Return the lines of *text* as they are."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [_shown([(line, role)]) for line in lines]


def wrapped(text: str, width: int, role: str = "") -> list[Line]:
    """Return *text*, which is for people, in lines of at most *width* cells."""
    return [((line, role),) for part in text.splitlines() for line in wrap(unmistakable(part), max(20, width))]


def _split(text: str) -> tuple[str, str]:
    """Return what is to be coloured, and the rest, from the beginning of a line on."""
    head = text[:_COLOURED_BYTES]
    if any(len(line) > _COLOURED_LINE_SIGNS for line in head.split("\n")):
        return "", text
    if len(text) <= len(head):
        return text, ""
    end = head.rfind("\n") + 1
    return text[:end], text[end:]


def _lexer(name: str, mime_type: str) -> Lexer | None:
    from pygments.lexers import get_lexer_for_filename, get_lexer_for_mimetype  # late: before it there is much to see
    from pygments.util import ClassNotFound

    options = {"stripnl": False, "ensurenl": False}
    if name.endswith((".jsonl", ".ndjson")):
        name = "x.json"
    for find, text in ((get_lexer_for_filename, name.rpartition("/")[2]), (get_lexer_for_mimetype, mime_type)):
        try:
            found: Lexer = find(text, **options)
        except ClassNotFound:
            continue
        if found.name != "Text only":
            return found
    return None


@lru_cache(maxsize=1024)
def _role(token: str) -> str:
    return next((role for kind, role in _ROLES if token.startswith(kind)), "")


def _shown(pieces: list[Piece]) -> Line:
    """Return a line with nothing in it that a terminal would do, and no longer than anybody reads."""
    shown: list[Piece] = []
    length = 0
    for text, role in pieces:
        if length + len(text) > _LINE_SIGNS:
            shown += [(unmistakable(text[: _LINE_SIGNS - length]), role), ("…", "dim")]
            break
        if "\t" in text:
            text = text.expandtabs(_TAB)
        shown.append((unmistakable(text.rstrip("\r")), role))
        length += len(text)
    return tuple(shown)


def _hex_lines(data: bytes) -> Iterator[Line]:
    for offset in range(0, len(data), _HEX_BYTES):
        row = data[offset : offset + _HEX_BYTES]
        half = _HEX_BYTES // 2
        text = f"{row[:half].hex(' '):<{half * 3}} {row[half:].hex(' '):<{half * 3}}"
        signs = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        yield ((f"{offset:08x}  ", "dim"), (text, ""), (f" {signs}", "string"))


def json_lines(value: object) -> list[Line]:
    """Return a JSON value as lines."""
    return coloured(msgspec.json.format(msgspec.json.encode(value), indent=2).decode(), name="x.json")
