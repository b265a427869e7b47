"""A regular expression, and how lines are looked through with it.

The ``regex`` package compiles it: it knows all that ``re`` does, lets other threads run while it searches, and stops at
a time limit. Of ``re``, RE2 and it, it was the fastest on source code (40 MiB: ``def \\w+_handler`` 0.03 s, RE2 0.25,
``re`` 0.72), and RE2 knows neither back references nor looking around.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import regex

from sessionfs.errors import InvalidInput
from sessionfs.search.bound import bind_to_lines

MAX_LENGTH = 64 << 10

DEFAULT_SECONDS = 10.0

MAX_SPANS = 10_000
"""So many matches in one line are told of, from its beginning."""

_SHOWN_LENGTH = 80
# Below so many characters, letting other threads run costs more than it gives.
_CONCURRENT_LENGTH = 4096
# Unless that takes longer than this: nobody would hear of an interrupt meanwhile.
_ALONE_SECONDS = 0.1
# The regex package counts in a number that much larger ones overflow.
_LONGEST_SECONDS = 3600.0


class BadPattern(InvalidInput):
    """A regular expression that cannot be understood.

    Attributes:
        column: Where, counted from 1.
    """

    def __init__(self, text: str, problem: str, column: int) -> None:
        shown = text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…"
        super().__init__(
            f"the pattern {shown!r} goes wrong at column {column}: {problem}; -F takes it as plain text, and a "
            "backslash takes a sign's meaning away"
        )
        self.column = column


class SlowPattern(InvalidInput):
    """A regular expression that takes too long on a content."""


Call = Callable[..., Any]
"""Searches a text: takes it, where to begin, and by name ``timeout`` and ``concurrent``."""


class Span(NamedTuple):
    """A part of a line: from a character up to but without another."""

    start: int
    end: int


class Stopwatch:
    """The time that a pattern may take on one content."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def allow(self, seconds: float) -> None:
        """Give more time, for more content."""
        self._left += seconds

    def run(self, call: Call, text: str, start: int = 0) -> Any:
        """Search *text* from *start* with *call*.

        Raises:
            TimeoutError: The time is over.
        """
        concurrent = len(text) > _CONCURRENT_LENGTH
        while True:
            begun = time.monotonic()
            timeout = min(max(self._left, 0.0), _LONGEST_SECONDS if concurrent else _ALONE_SECONDS)
            try:
                return call(text, start, timeout=timeout, concurrent=concurrent)
            except TimeoutError:
                concurrent = True
                # What it counts is the processor time of the whole process, in which other threads search too.
                if self._left <= time.monotonic() - begun:
                    raise
            finally:
                self._left -= time.monotonic() - begun


class Pattern:
    """A compiled regular expression that is tried on lines. Thread-safe."""

    def __init__(
        self,
        text: str,
        *,
        fixed: bool = False,
        ignore_case: bool = False,
        words: bool = False,
        whole_lines: bool = False,
    ) -> None:
        """Compile it.

        Args:
            text: In the syntax of Python's ``re`` (and of the ``regex`` package).
            fixed: It is plain text.
            ignore_case: As Unicode folds it.
            words: No letter, digit or ``_`` stands next to a match.
            whole_lines: Only lines that match from end to end.

        Raises:
            BadPattern: It cannot be understood.
        """
        self.text = text
        if len(text) > MAX_LENGTH:
            raise BadPattern(text, f"it has {len(text)} characters, and {MAX_LENGTH} are the most", MAX_LENGTH + 1)
        flags = regex.MULTILINE | (regex.IGNORECASE if ignore_case else 0)
        source = regex.escape(text, special_only=True) if fixed else text
        _compile(source, flags, text)  # alone, so that what is wrong with it is said of it, and parentheses close
        bound = None if fixed and "\n" in text else source if fixed else bind_to_lines(source)
        self._line = _compile(_dress(source, words, whole_lines), flags, text)
        self._block = None
        if bound is not None:  # each match takes the rest of its line, so that there is one for each line
            self._block = _compile(rf"(?:{_dress(bound, words, whole_lines)})[^\n]*+\n?", flags, text)

    def find(self, line: str, watch: Stopwatch, start: int = 0) -> Span | None:
        """Return the first match in one line, or a part of one."""
        found = watch.run(self._line.search, line, start)
        return None if found is None else Span(*found.span())

    def find_all(self, line: str, watch: Stopwatch) -> tuple[Span, ...]:
        """Return the matches in one line that do not overlap, at most :data:`MAX_SPANS`."""

        def spans(text: str, start: int, **how: Any) -> tuple[Span, ...]:
            found = islice(self._line.finditer(text, start, **how), MAX_SPANS)
            return tuple(Span(*match.span()) for match in found)

        return tuple(watch.run(spans, line))

    def matching_lines(self, block: str, watch: Stopwatch) -> Iterator[Span]:
        """Yield where the lines of *block* stand that match, without the line feeds behind them."""
        if self._block is None:
            yield from self._one_by_one(block, watch)
            return
        at = 0
        for where, end in self._found_in(block, watch):
            yield Span(block.rfind("\n", at, where) + 1 or at, end - block.startswith("\n", end - 1))
            at = end

    def count_lines(self, block: str, watch: Stopwatch) -> int:
        """Return how many lines of *block* match."""
        if self._block is None:
            return sum(1 for _ in self._one_by_one(block, watch))
        return len(self._found_in(block, watch))

    def _found_in(self, block: str, watch: Stopwatch) -> list[tuple[int, int]]:
        """Return where each matching line's first match begins, and the place behind its line feed."""
        found: list[tuple[int, int]] = watch.run(self._all_in, block)
        # There is nothing behind the last line but its end, where what may be empty matches once more.
        length = len(block)
        if found and found[-1][0] == length and (block.endswith("\n") or (len(found) > 1 and found[-2][1] == length)):
            found.pop()
        return found

    def _all_in(self, block: str, start: int, **how: Any) -> list[tuple[int, int]]:
        assert self._block is not None
        return [found.span() for found in self._block.finditer(block, start, **how)]

    def _one_by_one(self, block: str, watch: Stopwatch) -> Iterator[Span]:
        start, length = 0, len(block)
        while start < length:
            end = block.find("\n", start)
            end = length if end < 0 else end
            if self.find(block[start:end], watch) is not None:
                yield Span(start, end)
            start = end + 1


def _dress(source: str, words: bool, whole_lines: bool) -> str:
    if whole_lines:
        return f"^(?:{source})$"
    return rf"(?<!\w)(?:{source})(?!\w)" if words else source


def _compile(source: str, flags: int, text: str) -> Any:
    try:
        return regex.compile(source, flags)
    except regex.error as failure:
        # Its stubs do not know what it says.
        at = min(getattr(failure, "pos", None) or 0, len(text))
        raise BadPattern(text, str(getattr(failure, "msg", failure)), at + 1) from failure
    except (RecursionError, OverflowError, MemoryError) as failure:
        raise BadPattern(text, "it is too deep or too large", 1) from failure
