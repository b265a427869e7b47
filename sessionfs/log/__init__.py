"""History: the append-only log of a session.

``framing``  one line: its grammar, its chain
``record``   what a line says
``damage``   what stands behind the last good line
``lines``    reading lines
``pages``    the same from any place, forwards or back
``appends``  reading on from a known place: whole appends
``search``   finding a record by its number or time
``stretch``  the records between two places
``log``      the file: reading on, appending under the lock

Names are imported when they are first used: ``lines`` needs no JSON library, which takes longer to import than a
plumbing verb may take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionfs.log.damage import CorruptLog
    from sessionfs.log.framing import MAX_RECORD_BYTES, chain_of
    from sessionfs.log.lines import NoSuchLog, read_lines
    from sessionfs.log.log import Log, LogCut
    from sessionfs.log.record import (
        MAX_DEPTH,
        Body,
        Draft,
        Joined,
        Position,
        Record,
        RecordTooLarge,
        UnreadableDepth,
        check_depth,
        encode_data,
        parse_linked,
    )

_MODULE_OF = {
    "CorruptLog": "damage",
    "MAX_RECORD_BYTES": "framing",
    "chain_of": "framing",
    "NoSuchLog": "lines",
    "read_lines": "lines",
    "Log": "log",
    "LogCut": "log",
    "MAX_DEPTH": "record",
    "Body": "record",
    "Draft": "record",
    "Joined": "record",
    "Position": "record",
    "Record": "record",
    "RecordTooLarge": "record",
    "UnreadableDepth": "record",
    "check_depth": "record",
    "encode_data": "record",
    "parse_linked": "record",
}

__all__ = [
    "MAX_DEPTH",
    "MAX_RECORD_BYTES",
    "Body",
    "CorruptLog",
    "Draft",
    "Joined",
    "Log",
    "LogCut",
    "NoSuchLog",
    "Position",
    "Record",
    "RecordTooLarge",
    "UnreadableDepth",
    "chain_of",
    "check_depth",
    "encode_data",
    "parse_linked",
    "read_lines",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.log' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.log.{module}"), name)
