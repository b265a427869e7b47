"""The lines of one content that match, with those around them, in one pass and bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from sessionfs.search.blocks import OVERLAP, Block, Content
from sessionfs.search.pattern import Pattern, Span, Stopwatch

# A pattern has so much more time for each so many characters.
_ALLOWED_SECONDS = 1.0
_ALLOWED_LENGTH = 8 << 20

# Of a line that comes in parts, so much is given on either side of what matches.
_SHOWN_LENGTH = 200

_SPAN_BYTES = 120


class Line(msgspec.Struct, frozen=True):
    """One line of a content."""

    number: int  # counted from 1
    text: str  # without the line feed; what is no UTF-8 in it as os.fsdecode gives it
    spans: tuple[Span, ...] = ()  # what matches in it, the first 10,000 times
    is_match: bool = True  # otherwise it stands near one that is
    is_whole: bool = True  # otherwise only what is around a match, of a line of more than 4 MiB

    @property
    def length(self) -> int:
        """About how many bytes it takes in memory."""
        return len(self.text) + _SPAN_BYTES * len(self.spans)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are wanted, and what of them."""

    invert: bool = False  # those that do not match
    before: int = 0  # so many lines before each, too
    after: int = 0
    max_count: int | None = None  # no more lines that match than these, of each content
    spans: bool = True  # also where in the line


def search_lines(content: Content, pattern: Pattern, wanted: Wanted, watch: Stopwatch) -> Iterator[Line]:
    """Yield the wanted lines of *content*, in order.

    Raises:
        TimeoutError: The pattern takes too long.
    """
    if wanted.max_count == 0:
        return
    search = _Search(pattern, wanted, watch)
    for block in content.blocks():
        watch.allow(_ALLOWED_SECONDS * len(block.text) / _ALLOWED_LENGTH)
        if block.begins and block.ends:
            yield from search.lines(block.text)
        else:
            yield from search.part(block)
        if search.is_done:
            return


def count_lines(content: Content, pattern: Pattern, wanted: Wanted, watch: Stopwatch) -> int:
    """Return how many lines are wanted, without those around them; otherwise as :func:`search_lines`."""
    plain = msgspec.structs.replace(wanted, before=0, after=0, spans=False)
    if wanted.invert or wanted.max_count is not None:
        return sum(1 for _ in search_lines(content, pattern, plain, watch))
    search, count = _Search(pattern, plain, watch), 0
    for block in content.blocks():
        watch.allow(_ALLOWED_SECONDS * len(block.text) / _ALLOWED_LENGTH)
        if block.begins and block.ends:
            count += pattern.count_lines(block.text, watch)
        else:
            count += sum(1 for _ in search.part(block))
    return count


class _Search:
    """What is known between the blocks of one content."""

    def __init__(self, pattern: Pattern, wanted: Wanted, watch: Stopwatch) -> None:
        self._pattern = pattern
        self._wanted = wanted
        self._watch = watch
        self._number = 1  # of the next line
        self._left = wanted.max_count
        self._before: deque[tuple[int, str]] = deque(maxlen=wanted.before)  # given to nobody yet
        self._after = 0  # so many lines are wanted because of the last match
        self._has_matched = False  # in the parts of this line so far

    @property
    def is_done(self) -> bool:
        """Whether nothing more is wanted."""
        return self._left == 0 and self._after == 0

    def lines(self, text: str) -> Iterator[Line]:
        """Yield the wanted lines of a block of whole lines."""
        at = 0
        for span in self._chosen(text):
            if self._left == 0:
                break
            yield from self._between(text, at, span.start)
            yield from self._matched(text[span.start : span.end])
            at = span.end + 1
        yield from self._between(text, at, len(text))

    def _chosen(self, text: str) -> Iterator[Span]:
        matching = self._pattern.matching_lines(text, self._watch)
        if not self._wanted.invert:
            yield from matching
            return
        at = 0
        for span in matching:
            yield from _split(text, at, span.start)
            at = span.end + 1
        yield from _split(text, at, len(text))

    def _matched(self, line: str, *, is_whole: bool = True) -> Iterator[Line]:
        for number, before in self._before:
            yield Line(number, before, is_match=False)
        self._before.clear()
        spans: tuple[Span, ...] = ()
        if self._wanted.spans and not self._wanted.invert:
            spans = self._pattern.find_all(line, self._watch)
        yield Line(self._number, line, spans, is_whole=is_whole)
        self._number += 1
        self._after = self._wanted.after
        if self._left is not None:
            self._left -= 1

    def _between(self, text: str, start: int, end: int) -> Iterator[Line]:
        """Yield what is wanted of the lines that do not match, from *start* to *end*."""
        while self._after and start < end:
            line_end = text.find("\n", start, end)
            line_end = end if line_end < 0 else line_end
            yield Line(self._number, text[start:line_end], is_match=False)
            self._number += 1
            self._after -= 1
            start = line_end + 1
        if start >= end or self.is_done:
            return
        count = text.count("\n", start, end) + (text[end - 1] != "\n")
        if self._wanted.before:
            last = list(_last_lines(text, start, end, self._wanted.before))
            self._before.extend(zip(range(self._number + count - len(last), self._number + count), last, strict=True))
        self._number += count

    def part(self, block: Block) -> Iterator[Line]:
        """Take in a part of one long line; yields it at the first match, or at its end if that is wanted."""
        text = block.text[:-1] if block.ends and block.text.endswith("\n") else block.text
        found = None
        if not self._has_matched:
            found = self._pattern.find(text, self._watch, 0 if block.begins else 1)
            if found is not None and not block.ends and found.start >= len(text) - OVERLAP:
                found = None  # the next part has it
        shown = text[:_SHOWN_LENGTH]
        if found is not None:
            self._has_matched = True
            shown = text[max(0, found.start - _SHOWN_LENGTH) : min(found.end, found.start + OVERLAP) + _SHOWN_LENGTH]
            if not self._wanted.invert:
                yield from self._matched(shown, is_whole=False)
                self._number -= 1  # it goes on
        if not block.ends:
            return
        if self._wanted.invert and not self._has_matched:
            yield from self._matched(shown, is_whole=False)
        elif not self._has_matched or self._wanted.invert:
            yield from self._between(shown or "\n", 0, len(shown) or 1)
        else:
            self._number += 1
        self._has_matched = False


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        line_end = text.find("\n", start, end)
        line_end = end if line_end < 0 else line_end
        yield Span(start, line_end)
        start = line_end + 1


def _last_lines(text: str, start: int, end: int, count: int) -> Iterator[str]:
    """Return the last so many lines between *start* and *end*, in order."""
    last: list[str] = []
    if text[end - 1] == "\n":
        end -= 1
    while len(last) < count and end >= start:
        begin = text.rfind("\n", start, end) + 1 or start
        last.append(text[begin:end])
        end = begin - 1
    return reversed(last)
