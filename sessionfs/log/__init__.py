"""History: the append-only log of a session.

``record``  one line: its grammar, its chain
``damage``  what stands behind the last good line
``log``     the file: reading on, appending under the lock
"""

from sessionfs.log.damage import CorruptLog
from sessionfs.log.log import Log, NoSuchLog
from sessionfs.log.record import (
    MAX_RECORD_BYTES,
    Body,
    Draft,
    Position,
    Record,
    RecordTooLarge,
    chain_of,
    encode_data,
    parse_linked,
)

__all__ = [
    "MAX_RECORD_BYTES",
    "Body",
    "CorruptLog",
    "Draft",
    "Log",
    "NoSuchLog",
    "Position",
    "Record",
    "RecordTooLarge",
    "chain_of",
    "encode_data",
    "parse_linked",
]
