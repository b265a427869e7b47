"""Reading a log's lines from any place, forwards or back, a page at a time.

No descriptor is held between two pages, so a thousand logs can be read at once; that costs 4 us for each page, and
what is in one takes 0.4 ms to look at. Every line is checked against the chain of the one before it. Imports no JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.durable import Disk
from sessionfs.log.damage import CorruptLog, UnreadableLog, is_damage
from sessionfs.log.framing import FRAMING_LENGTH, MAX_RECORD_BYTES, is_followed, is_linked, written_chain
from sessionfs.log.lines import NoSuchLog, line_at, newest_base, opened

_PAGE_BYTES = MAX_RECORD_BYTES  # from where a line begins, the whole line is in it
# Read backwards, a page holds the last line, and enough before it for the chain that the line follows.
_PAGE_BACK_BYTES = 2 * MAX_RECORD_BYTES
_ENDING_BYTES = 128  # of a line: its chain, and whether it is followed

_SEQ = re.compile(rb'\{"seq":(\d{1,18}),')


class Place(NamedTuple):
    """A place between two records."""

    seq: int  # of the record that follows
    offset: int  # in bytes
    chain: str  # of the record before; the session's id at the start


class Line(NamedTuple):
    """A verified line, its LF included, and the place before it."""

    place: Place
    text: bytes

    @property
    def after(self) -> Place:
        """The place behind it."""
        return Place(self.place.seq + 1, self.place.offset + len(self.text), written_chain(self.text[:-1]))


class End(NamedTuple):
    """Where the good part of a log ends, and what is wrong there, if anything."""

    place: Place
    damage: CorruptLog | None


def start_of(session_id: str) -> Place:
    """Return the place before the first record of a session's log."""
    return Place(0, 0, session_id)


def read_on(disk: Disk, path: str, start: Place, end: int) -> Iterator[Line]:
    """Yield the lines from *start* to the offset *end*, behind a line.

    Raises:
        CorruptLog: At what does not follow from the line before it, after all good ones.
        NoSuchLog: The log has gone, or another one is there now.
    """
    place = start
    last = b""  # the line before that place: what is read again must begin with it
    while place.offset < end:
        begin_offset = place.offset
        page = _read(disk, path, begin_offset - len(last), len(last) + min(_PAGE_BYTES, end - begin_offset))
        if not page.startswith(last):
            raise _replaced(path)
        begin = len(last)
        while (newline := page.find(b"\n", begin)) >= 0:
            text = page[begin : newline + 1]
            if not (text.startswith(b'{"seq":%d,' % place.seq) and is_linked(text[:-1], place.chain)):
                break
            line = Line(place, text)
            yield line
            place, last, begin = line.after, text, newline + 1
        if place.offset == begin_offset:
            raise CorruptLog(path, place.seq, place.offset)


def read_back(disk: Disk, path: str, session_id: str, end: Place) -> Iterator[Line]:
    """Yield the lines before *end*, the newest first.

    Raises:
        CorruptLog: At what does not follow from the line before it.
        NoSuchLog: The log has gone, or another one is there now.
    """
    place = end
    while place.offset > 0:
        begin_offset = max(0, place.offset - _PAGE_BACK_BYTES)
        page = _read(disk, path, begin_offset, place.offset - begin_offset)
        while page:
            begin = page.rfind(b"\n", 0, len(page) - 1) + 1
            if begin < FRAMING_LENGTH + 1 and begin_offset > 0:
                break  # the chain before it is not in this page
            text = page[begin:]
            if written_chain(text[:-1]) != place.chain:
                raise _replaced(path)
            chain = session_id if begin_offset + begin == 0 else written_chain(page[: begin - 1])
            before = Place(place.seq - 1, begin_offset + begin, chain)
            if not (text.startswith(b'{"seq":%d,' % before.seq) and is_linked(text[:-1], chain)):
                raise CorruptLog(path, before.seq, before.offset)
            yield Line(before, text)
            place, page = before, page[:begin]
    if place.seq != 0:
        raise CorruptLog(path, 0, 0)


def find_end(disk: Disk, path: str, session_id: str) -> End:
    """Return where the good part of a log ends: behind the last append that is whole.

    Reads from its newest snapshot on, as opening the session does: that is a prefix which the snapshot vouches for.

    Raises:
        NoSuchLog: There is no log.
    """
    try:
        with opened(disk, path) as fd:
            size = disk.size(fd)
            place = _place_of_base(disk, fd, session_id)
    except UnreadableLog as failure:
        return End(start_of(session_id), failure)
    reached = place
    try:
        for line in read_on(disk, path, place, size):
            reached = line.after
            if not is_followed(line.text[:-1]):
                place = reached
    except CorruptLog as failure:
        rest = _read(disk, path, reached.offset, size - reached.offset)
        return End(place, failure if is_damage(rest, reached.seq, reached.chain) else None)
    return End(place, None)


def _place_of_base(disk: Disk, fd: int, session_id: str) -> Place:
    return _place_before(disk, fd, session_id, newest_base(disk, fd)) or start_of(session_id)


def _place_before(disk: Disk, fd: int, session_id: str, offset: int) -> Place | None:
    line = line_at(disk, fd, offset)
    head = None if line is None else _SEQ.match(line)
    if line is None or head is None:
        return None
    length = min(offset, _ENDING_BYTES)
    before = disk.pread(fd, length, offset - length)[:-1]
    chain = written_chain(before) if before else session_id
    # In the middle of an append: whether that is whole has to be told from its beginning.
    return Place(int(head[1]), offset, chain) if is_linked(line, chain) and not is_followed(before) else None


def _read(disk: Disk, path: str, offset: int, length: int) -> bytes:
    with opened(disk, path) as fd:
        return disk.pread(fd, length, offset)


def _replaced(path: str) -> NoSuchLog:
    return NoSuchLog(f"the log at {path} was replaced by another one while it was read; begin again")
