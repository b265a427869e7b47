"""Content as text, in blocks of whole lines; what is no text is recognised by NUL, whatever its type says.

UTF-16 is recognised by the mark it begins with; everything else is read as UTF-8, and stray bytes in it stay what they
are. A line longer than a block comes in parts that overlap, so that memory is bounded; what matches within one and is
no longer than the overlap is found.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

BLOCK_LENGTH = 1 << 20
"""A block has at least so many characters, if there are as many."""

LINE_LENGTH = 4 << 20
"""A longer line comes in parts."""

OVERLAP = 64 << 10
"""So many characters of a part are the beginning of the next one."""

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class Block(NamedTuple):
    """Whole lines, each with its line feed but perhaps the last one; or a part of one line.

    What is not the beginning of a line has one character before it that does not belong to it.
    """

    text: str
    begins: bool = True  # where a line does
    ends: bool = True


class Content:
    """One content that is read as text, once.

    Attributes:
        binary_at: Where the first NUL is, in bytes, when reading ended there.
    """

    def __init__(self, pieces: Iterable[bytes], *, take_binary: bool = False) -> None:
        """Read *pieces*.

        Args:
            take_binary: Read on behind NUL.
        """
        self._pieces = pieces
        self._take_binary = take_binary
        self.binary_at: int | None = None

    def blocks(self) -> Iterator[Block]:
        """Yield it block by block."""
        parts: list[str] = []
        length = 0
        in_line = False  # what waits is the rest of a line of which parts were given
        for text in self._texts():
            parts.append(text)
            length += len(text)
            if length < BLOCK_LENGTH:
                continue
            rest = "".join(parts)
            if in_line:
                rest, in_line, given = _go_on(rest)
                yield from given
            if not in_line:
                end = rest.rfind("\n") + 1
                if end:
                    yield Block(rest[:end])
                    rest = rest[end:]
                if len(rest) >= LINE_LENGTH:
                    yield Block(rest, True, False)
                    rest, in_line = rest[-OVERLAP - 1 :], True
            parts, length = [rest], len(rest)
        rest = "".join(parts)
        if in_line:
            rest, in_line, given = _go_on(rest)
            yield from (block._replace(ends=True) if in_line else block for block in given)
            if in_line:
                if not given:
                    yield Block(rest, False, True)
                return
        if rest:
            yield Block(rest)

    def _texts(self) -> Iterator[str]:
        decoder: codecs.IncrementalDecoder | None = None
        offset, is_wide = 0, False
        for piece in self._pieces:
            if decoder is None:
                encoding = _UTF_16.get(piece[:2])
                is_wide = encoding is not None
                errors = "replace" if is_wide else "surrogateescape"
                decoder = codecs.getincrementaldecoder(encoding or "utf-8")(errors)
                mark = codecs.BOM_UTF8 if piece.startswith(codecs.BOM_UTF8) else b""
                offset = 2 if is_wide else len(mark)
                piece = piece[offset:]
            if not self._take_binary and not is_wide and (at := piece.find(b"\0")) >= 0:
                self.binary_at = offset + at
                yield decoder.decode(piece[:at], True)
                return
            offset += len(piece)
            yield decoder.decode(piece)
        if decoder is not None:
            yield decoder.decode(b"", True)


def _go_on(rest: str) -> tuple[str, bool, list[Block]]:
    """Go on in a line of which parts were given: return what is left then, whether it goes on, and what is given."""
    end = rest.find("\n", OVERLAP + 1) + 1
    if end:
        return rest[end:], False, [Block(rest[:end], False, True)]
    if len(rest) >= LINE_LENGTH:
        return rest[-OVERLAP - 1 :], True, [Block(rest, False, False)]
    return rest, True, []
