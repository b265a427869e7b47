"""Looking through the contents of artifacts for a pattern: on two threads, each object once, in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator

import msgspec

from sessionfs.artifacts import text_of
from sessionfs.errors import Error
from sessionfs.index import IndexedArtifact
from sessionfs.search.blocks import Content
from sessionfs.search.lines import Line, Wanted, count_lines, search_lines
from sessionfs.search.ordered import Stopped, each_in_order
from sessionfs.search.pattern import DEFAULT_SECONDS, Pattern, SlowPattern, Stopwatch

# Handing something to a thread takes 50 us, so small contents are handed over together.
_TOGETHER = 64
_TOGETHER_BYTES = 1 << 20

# So many lines are given at once, or fewer that are long.
_BATCH = 256
_BATCH_BYTES = 1 << 20

Read = Callable[[IndexedArtifact], Iterable[bytes]]
"""Gives an artifact's content."""


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one artifact; those of one with many come in several of these."""

    artifact: IndexedArtifact
    lines: tuple[Line, ...]
    count: int  # of those that match
    binary_at: int | None = None  # it is no text: reading ended at the NUL at this byte, behind what matches
    failure: Error | None = None  # it could not be read (further)


class How(msgspec.Struct, frozen=True, kw_only=True):
    """How contents are looked through."""

    wanted: Wanted = Wanted()
    take_binary: bool = False
    seconds: float = DEFAULT_SECONDS  # that the pattern may take on one content, and one more for each 8 MiB
    only_count: bool = False  # no lines, only how many there are
    each_once: bool = False  # what has the same content as one before is left out


def grep(
    found: Iterable[IndexedArtifact], pattern: Pattern, how: How, read: Read, *, workers: int | None = None
) -> Iterator[Lines]:
    """Return the lines of *found* that are wanted, in order; of what has none, nothing.

    Args:
        read: Called in threads.
        workers: Threads; as many as there are processors by default.

    Raises:
        SlowPattern: The pattern takes too long on one of them.
    """
    searcher = _Searcher(pattern, how, read)
    count = workers or min(8, os.cpu_count() or 1)
    together = _together(searcher.needed(found))
    return each_in_order(together, searcher.run, workers=count, length=_length_of, stopped=searcher.stopped)


class _Searcher:
    def __init__(self, pattern: Pattern, how: How, read: Read) -> None:
        self._pattern = pattern
        self._how = how
        self._read = read
        self.stopped = threading.Event()
        self._met: set[str] = set()  # objects that were begun (or in which nothing was found)

    def needed(self, found: Iterable[IndexedArtifact]) -> Iterator[IndexedArtifact]:
        """Yield what has to be searched: not what has no content, or one that is known already."""
        for one in found:
            if one.oid is None or one.oid in self._met:
                continue
            if self._how.each_once:
                self._met.add(one.oid)
            yield one

    def run(self, some: list[IndexedArtifact]) -> Generator[Lines]:
        for one in some:
            has_any = False
            for lines in self._search(one):
                has_any = True
                yield lines
            if not has_any and one.oid is not None:
                self._met.add(one.oid)

    def _pieces(self, one: IndexedArtifact) -> Iterator[bytes]:
        for piece in self._read(one):
            if self.stopped.is_set():
                raise Stopped
            yield piece

    def _search(self, one: IndexedArtifact) -> Iterator[Lines]:
        binary_at, failure = None, None
        batch: list[Line] = []
        length = 0
        has_any, count = False, 0
        try:
            content = Content(self._pieces(one), take_binary=self._how.take_binary)
            watch = Stopwatch(self._how.seconds)
            if self._how.only_count:
                count = count_lines(content, self._pattern, self._how.wanted, watch)
                has_any = count > 0
            for line in () if self._how.only_count else search_lines(content, self._pattern, self._how.wanted, watch):
                has_any = True
                batch.append(line)
                length += line.length
                if len(batch) == _BATCH or length >= _BATCH_BYTES:
                    yield _lines(one, batch)
                    batch.clear()
                    length = 0
            binary_at = content.binary_at
        except TimeoutError as late:
            raise SlowPattern(
                f"the pattern {self._pattern.text!r} took longer than {self._how.seconds:g} s on {one.session}/"
                f"{text_of(one.path)}; write it so that it has fewer ways to match the same text (not (a+)+), or give "
                "it more time"
            ) from late
        except Error as raised:
            failure = raised
        if batch or failure is not None or count or (has_any and binary_at is not None):
            last = _lines(one, batch, binary_at=binary_at if has_any else None, failure=failure)
            yield msgspec.structs.replace(last, count=count) if count else last


def _lines(
    one: IndexedArtifact, batch: list[Line], binary_at: int | None = None, failure: Error | None = None
) -> Lines:
    count = sum(1 for line in batch if line.is_match)
    return Lines(artifact=one, lines=tuple(batch), count=count, binary_at=binary_at, failure=failure)


def _length_of(lines: Lines) -> int:
    return sum(line.length for line in lines.lines)


def _together(found: Iterable[IndexedArtifact]) -> Iterator[list[IndexedArtifact]]:
    some: list[IndexedArtifact] = []
    size = 0
    for one in found:
        some.append(one)
        size += one.size
        if len(some) >= _TOGETHER or size >= _TOGETHER_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
