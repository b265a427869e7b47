"""What stands behind the last good record: a torn tail, or damage.

A crash leaves the end of the file incomplete: half a line, NULs, or NULs followed by an older text. The next writer
cuts that off and keeps it aside. A line that was whole once, or that stands before good records, is damage: the disk
broke its promise, and it is reported by name and never skipped over. After a power cut newer records can stand behind
NULs, too; these are cut off when the store is opened, before anybody asks here (:mod:`sessionfs.store.suspicion`).
"""

from __future__ import annotations

from sessionfs.errors import Corrupt
from sessionfs.log.framing import FRAMING_LENGTH, chain_of, is_framed, is_linked, written_chain, written_seq


class CorruptLog(Corrupt):
    """A log is damaged before its end.

    Attributes:
        seq: Number of the first record that is damaged.
        offset: Where in the file it stands, in bytes.
    """

    def __init__(self, path: str, seq: int, offset: int) -> None:
        super().__init__(
            f"{path} is damaged: record {seq}, at byte {offset}, is not what was written; "
            "the session is read-only until it is repaired: see sessionfs fsck"
        )
        self.seq = seq
        self.offset = offset


class UnreadableLog(CorruptLog):
    """Nothing of a log can be read, because what it is kept in is damaged."""

    def __init__(self, message: str) -> None:
        Corrupt.__init__(self, message)
        self.seq = self.offset = 0


def is_damage(rest: bytes, seq: int, chain: str) -> bool:
    """Say whether what follows the good part of a log is damage rather than a torn tail.

    Args:
        rest: The file from the end of the last good record on; its first line is not a good record.
        seq: Number of the record that would be next.
        chain: That of the last good record.

    A line was good once if it was written whole, as its end shows, or if some line after it follows from the one
    before, for then records were appended to it. A record never has a NUL, and what a crash leaves unwritten reads as
    NULs: such a line is torn, unless what stands behind are later records, and not an older text.
    """
    first, separator, after = rest.partition(b"\n")
    if not separator:
        return False
    if is_framed(first) and b"\0" not in first:
        return True
    # The damage may be in the body (its chain is still the one the next line follows) or in the chain itself.
    candidates = {written_chain(first), chain_of(chain, first[:-FRAMING_LENGTH])}
    for line in after.split(b"\n")[:-1]:
        if any(is_linked(line, candidate) for candidate in candidates):
            return b"\0" not in first or (written_seq(line) or 0) > seq
        candidates = {written_chain(line)}
    return False
