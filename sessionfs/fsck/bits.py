"""One flipped bit, turned back: the hash says when it is right.

A bit that memory or a disk has flipped is the commonest damage of all. A record of a log has 3,000 bits, a tree or a
small artifact some 10,000, and trying one costs a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable

from sessionfs.log.framing import BEFORE_CHAIN, FRAMING_LENGTH, chain_of, is_linked, written_chain

# 130,000 tries, half a second.
MAX_BYTES = 16 << 10


def turn_back(data: bytes, is_right: Callable[[bytearray], bool]) -> bytes | None:
    """Return *data* with the one bit flipped with which it is right; None if there is none, or it is too long."""
    if len(data) > MAX_BYTES:
        return None
    tried = bytearray(data)
    for place in range(len(tried)):
        for bit in range(8):
            tried[place] ^= 1 << bit
            if is_right(tried):
                return bytes(tried)
            tried[place] ^= 1 << bit
    return None


def turn_back_line(line: bytes, chain: str, following: bytes | None) -> bytes | None:
    """Return the record that *line* was before one of its bits flipped; None if that is not what happened.

    Args:
        line: Without its LF.
        chain: That of the record before.
        following: The line behind it, if there is one.
    """
    body, written = line[:-FRAMING_LENGTH], written_chain(line)
    right = chain_of(chain, body)
    if following is not None and is_linked(following, right):  # the flipped bit is in the frame, which says no more
        return body + BEFORE_CHAIN + right.encode() + b'"}'
    found = turn_back(body, lambda tried: chain_of(chain, bytes(tried)) == written)
    if found is not None:
        return found + line[len(body) :]
    if following is None:  # perhaps it is in the frame of the last one
        return turn_back(line, lambda tried: is_linked(bytes(tried), chain)) if len(line) < 4096 else None
    return None
