"""Logs that are damaged, or name what is gone: where they can be put together again, and where they must be cut."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sessionfs.errors import Corrupt, Error
from sessionfs.fsck.bits import turn_back_line
from sessionfs.log import Position, Record
from sessionfs.log.damage import UnreadableLog
from sessionfs.log.framing import is_followed, is_linked, written_chain
from sessionfs.oid import ObjectId
from sessionfs.store import past
from sessionfs.store.fold import Fold, InconsistentLog
from sessionfs.store.reach import read_from
from sessionfs.store.references import references
from sessionfs.store.session import Session
from sessionfs.store.store import Store


class Rejoined(NamedTuple):
    """A damaged log, put together again."""

    how: str  # for people
    offset: int  # where what was damaged begins
    content: bytes  # what belongs there, to the end


class Cut(NamedTuple):
    """Where a log must be cut."""

    seq: int  # of the first record that goes
    offset: int
    record_count: int  # that go
    why: str


def rejoin(store: Store, session_id: str, others: Sequence[Store]) -> Rejoined | None:
    """Return how a damaged log can be made whole: by flipped bits, or by another store's copy. Writes nothing."""
    content = read_from(store.disk, store.layout.log(session_id), 0)
    good, chain, seq = good_part(content, session_id)
    lines = content[good:].split(b"\n")[:-1]
    mended = _turn_back_all(lines, chain, seq)
    if mended is not None:
        return Rejoined("single bits of it had flipped", good, mended)
    for other in others:
        theirs = _readable(other, session_id)
        end, their_chain, their_seq = good_part(theirs, session_id)
        if end > good and theirs[:good] == content[:good]:
            # What they have, and behind it what is whole here and follows.
            rest = _following(lines, their_chain, their_seq)
            return Rejoined(f"from {other.path}", good, theirs[good:end] + rest)
    return None


def _readable(other: Store, session_id: str) -> bytes:
    """Return the log of a session in another store; nothing where it cannot be read there either."""
    try:
        return read_from(other.disk, other.layout.log(session_id), 0)
    except UnreadableLog:
        return b""


def find_cut(session: Session, gone: Collection[ObjectId]) -> Cut | None:
    """Return where the log of *session* must be cut, so that its newest state is whole; None when it is.

    Args:
        gone: Objects that nobody has any more.

    It is cut before the first record that is damaged or cannot have happened. Otherwise, if its newest state needs
    what is gone, behind its newest state that does not.
    """
    fold = past.begin(session, heal=False).fold
    position = group = Position(0, 0, session.id, 0)  # the place now, and where the records appended together begin
    last_whole: Position | None = None
    try:
        for line, record in session.log.lines():
            if _introduces(session, record, gone) and _is_whole(fold, gone):
                last_whole = group
            fold.apply(record)
            position = Position(record.seq + 1, position.offset + len(line), record.chain, record.base)
            if not record.more:
                group = position
    except (Corrupt, InconsistentLog) as failure:
        place = group if _is_whole(fold, gone) or last_whole is None else last_whole
        return _cut(session, place, str(failure))
    if gone and not _is_whole(fold, gone) and last_whole is not None:
        return _cut(session, last_whole, "its newest state needs objects that are gone")
    return None


def named_gone(session: Session, gone: Collection[ObjectId], end: int | None) -> set[ObjectId]:
    """Return which of the objects that are *gone* the log names before offset *end*, or anywhere."""
    content = read_from(session.log.disk, session.log.path, 0)[:end]
    return {oid for oid in gone if oid.encode() in content}


def _cut(session: Session, place: Position, why: str) -> Cut:
    rest = read_from(session.log.disk, session.log.path, place.offset)
    return Cut(place.seq, place.offset, rest.count(b"\n"), why)


def _introduces(session: Session, record: Record, gone: Collection[ObjectId]) -> bool:
    try:
        return any(reference.oid in gone for reference in references(record, session.objects))
    except Error:
        return True


def _is_whole(fold: Fold, gone: Collection[ObjectId]) -> bool:
    if not gone:
        return True
    try:
        nodes = any(node.oid in gone for _, node in fold.tree.walk())
    except Error:
        return False
    return not nodes and not any(value.oid in gone for value in fold.state.values.values())


def good_part(content: bytes, session_id: str) -> tuple[int, str, int]:
    """Return how long the good beginning of a log is, its last chain, and the number of the record behind it."""
    offset = reached = seq = 0
    chain = session_id
    good = 0, session_id, 0
    for line in content.split(b"\n")[:-1]:
        if not (line.startswith(b'{"seq":%d,' % seq) and is_linked(line, chain)):
            break
        chain, seq, reached = written_chain(line), seq + 1, offset + len(line) + 1
        offset = reached
        if not is_followed(line):
            good = reached, chain, seq
    return good


def _turn_back_all(lines: list[bytes], chain: str, seq: int) -> bytes | None:
    """Return *lines* with a flipped bit turned back in each that is not linked; None if that does not help.

    Without the last ones, if they were appended together with one that is not there: that is a torn tail.
    """
    whole = []
    end = mended = 0  # behind the last append that is whole, and behind the first line that was mended
    for number, line in enumerate(lines):
        right: bytes | None = line
        if not is_linked(line, chain):
            following = lines[number + 1] if number + 1 < len(lines) else None
            right = turn_back_line(line, chain, following)
        if right is None or not right.startswith(b'{"seq":%d,' % (seq + number)):
            return None
        whole.append(right + b"\n")
        chain = written_chain(right)
        if right != line:
            mended = mended or len(whole)
        if not is_followed(right):
            end = len(whole)
    return b"".join(whole[:end]) if 0 < mended <= end else None


def _following(lines: list[bytes], chain: str, seq: int) -> bytes:
    """Return those of *lines* that follow from the record before number *seq*, which has *chain*."""
    return b"".join(_follow(lines, chain, seq))


def _follow(lines: list[bytes], chain: str, seq: int) -> Iterator[bytes]:
    for line in lines:
        if line.startswith(b'{"seq":%d,' % seq) and is_linked(line, chain):
            yield line + b"\n"
            chain, seq = written_chain(line), seq + 1
