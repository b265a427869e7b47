r"""The frame of a record: its line and its chain, whatever the record says.

Grammar::

    line  = body ',"chain":"' chain '"}' LF        at most 64 KiB, UTF-8 JSON, no NUL
    body  = '{"seq":' … [',"more":' digits] ',"base":' digits
                                                   everything before the chain, its comma excluded
    chain = 32 hex digits: the first 16 bytes of BLAKE3(previous chain, body); before the first stands the session's id

So order and content are tamper-evident, and a torn or damaged line is recognised by itself: `head -c` and `b3sum`
are enough to check a record by hand. Lines that were appended together say how many ``more`` follow: without the last
of them, all are a torn tail.
"""

from __future__ import annotations

import re

from blake3 import blake3

MAX_RECORD_BYTES = 64 << 10

BEFORE_CHAIN = b',"chain":"'
CHAIN_LENGTH = 32
AFTER_CHAIN = b'"}'
_FRAMING = re.compile(rb',"chain":"[0-9a-f]{32}"\}')
FRAMING_LENGTH = len(BEFORE_CHAIN) + CHAIN_LENGTH + len(AFTER_CHAIN)
_FOLLOWED = re.compile(rb',"more":\d{1,18},"base":\d{1,18},"chain":"')
_read_seq = re.compile(rb'\{"seq":(\d{1,18}),').match
_read_type = re.compile(rb'\{"seq":\d+,"time":"[^"]*","type":"([^"]*)"').match
_MAX_ENDING_LENGTH = len(b',"more":,"base":') + 2 * 18 + FRAMING_LENGTH


def chain_of(previous: str, body: bytes | memoryview) -> str:
    """Return the chain of a line whose predecessor's chain is *previous*."""
    return blake3(previous.encode() + body).digest(length=CHAIN_LENGTH // 2).hex()


def is_linked(line: bytes, previous_chain: str) -> bool:
    """Say whether *line* (without its LF) is whole and follows the record with *previous_chain*."""
    mark = len(line) - FRAMING_LENGTH
    if mark < 0 or line[mark : mark + len(BEFORE_CHAIN)] != BEFORE_CHAIN or not line.endswith(AFTER_CHAIN):
        return False
    return line[mark + len(BEFORE_CHAIN) : -len(AFTER_CHAIN)] == chain_of(previous_chain, line[:mark]).encode()


def is_framed(line: bytes) -> bool:
    """Say whether *line* (without its LF) begins and ends as a whole record does, whatever its chain."""
    return line.startswith(b'{"seq":') and _FRAMING.fullmatch(line, max(0, len(line) - FRAMING_LENGTH)) is not None


def is_followed(line: bytes) -> bool:
    """Say whether *line* (without its LF) was appended together with one that follows it."""
    start = line.rfind(b',"more":', max(0, len(line) - _MAX_ENDING_LENGTH))
    return start >= 0 and _FOLLOWED.match(line, start) is not None


def written_type(line: bytes) -> str | None:
    """Return the type of the record in *line*, without decoding it; what its data say cannot be taken for it."""
    found = _read_type(line)
    return None if found is None else found[1].decode("utf-8", "replace")


def written_seq(line: bytes) -> int | None:
    """Return the number of the record in *line*, as it claims; None when it has none."""
    found = _read_seq(line)
    return None if found is None else int(found[1])


def written_chain(line: bytes) -> str:
    """Return the chain that *line* (without its LF) claims; meaningless unless the line is whole."""
    return line[-len(AFTER_CHAIN) - CHAIN_LENGTH : -len(AFTER_CHAIN)].decode("ascii", "replace")
