"""What the session's log says of a directory that is collected: what was taken from it, and how that looked there.

Before a burst is recorded, an event of type ``custom.collected`` says what will be taken. So it is known after a crash
at any moment which artifacts come from the directory (whatever else the session has is none of the collector's
business), and what has changed there since. Its data::

    {"directory": "/work", "to": "src",       collected from where, to where in the session
     "whole": true,                           nothing before counts; without, what follows is a change
     "moved": {"old": "new", "gone": null},   at once; with all that is in them
     "entries": {"a.txt": ["f", 12, …]}}      after that: what was taken, by path from the directory on

An entry is ``["d", inode, mode]`` for a directory, and ``["f" or "l", inode, size, mtime_ns, ctime_ns, mode]`` for a
file or a symbolic link. With a capital letter it is not sure that what looked so was taken; with a letter alone nothing
is known but that something was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from sessionfs.artifacts import text_of
from sessionfs.artifacts.names import from_text
from sessionfs.collect.mirror import Found

TYPE = "custom.collected"

_LETTER_OF = {"file": "f", "directory": "d", "symlink": "l"}
_KIND_OF = {letter: kind for kind, letter in _LETTER_OF.items()}

Moved = Mapping[str, str | None]


class Entry(NamedTuple):
    """What was taken. Without ``found`` it is not sure what; ``hint`` says what it may have been."""

    kind: str
    found: Found | None = None
    hint: Found | None = None


Known = dict[str, Entry]
"""By path from the directory on."""


class Collected(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The data of one event; paths in text form."""

    directory: str
    to: str = ""
    whole: bool = False
    moved: dict[str, str | None] = {}
    entries: dict[str, list[int | str]] = {}

    @property
    def weight(self) -> int:
        """How much it says, in lines as it were."""
        return len(self.moved) + len(self.entries)


class _Change(msgspec.Struct):
    """What is needed of the records that a burst makes."""

    path: str
    to: str | None = None
    exchange: bool = False
    kind: str = "file"


_decoder = msgspec.json.Decoder(Collected)
_change_decoder = msgspec.json.Decoder(_Change)


class Source(NamedTuple):
    """What is collected to where."""

    directory: str
    to: str


def describe(
    source: Source, entries: Mapping[str, Entry], moved: Moved | None = None, *, whole: bool = False
) -> Collected:
    """Return what an event says."""
    return Collected(
        directory=text_of(source.directory),
        to=text_of(source.to),
        whole=whole,
        moved={text_of(path): None if to is None else text_of(to) for path, to in (moved or {}).items()},
        entries={text_of(path): _encode(entry) for path, entry in entries.items()},
    )


class Recalled(NamedTuple):
    """What events say of a directory.

    Attributes:
        known: What was in it, and in the session.
        weight: How much the events say.
        unfinished: The number of the last event if its recorder may have been killed before it was done, and what it
            says, which is not in ``known``: :func:`follow_records` tells what was done.
    """

    known: Known
    weight: int
    unfinished: tuple[int, Collected] | None


def recall(source: Source, newest_first: Iterable[tuple[int, bytes]]) -> Recalled:
    """Return what the events of :data:`TYPE` say of *source*.

    What cannot be read, because somebody recorded it who knows another form, says nothing.

    Args:
        newest_first: Their numbers and data.
    """
    found = list(_until_whole(source, newest_first))
    known: Known = {}
    for _, collected in reversed(found[1:]):
        known = _follow(known, collected)
    unfinished = None
    if found:
        if found[0][1].whole:
            known = _follow(known, found[0][1])
        else:
            unfinished = found[0]
    return Recalled(known, sum(collected.weight for _, collected in found), unfinished)


def follow_records(known: Known, source: Source, collected: Collected, records: Iterable[tuple[str, bytes]]) -> Known:
    """Return what is known after the records that were made of an event, as far as they were made.

    Args:
        records: Types and data of those that belong to the operation of the event.
    """
    said = _follow({}, collected)
    for type, data in records:
        change = _change_decoder.decode(data)
        path = _below(source.to, from_text(change.path))
        to = None if change.to is None else _below(source.to, from_text(change.to))
        if type == "artifact.renamed" and to is not None:
            moved = {path: to, to: path} if change.exchange else {path: to, to: None}
            known = _move(known, moved)
        elif type == "artifact.deleted":
            known = _move(known, {path: None})
        elif type == "artifact.stored":
            taken = said.get(path)
            known = {**known, path: taken if taken is not None and taken.kind == change.kind else Entry(change.kind)}
    # What was said to be taken may not have been, or not all of it.
    return {path: entry if path not in said else _unsure(entry) for path, entry in known.items()}


def in_order(known: Known) -> Known:
    """Return *known* with each directory before what is in it."""
    return dict(sorted(known.items(), key=lambda item: item[0].count("/")))


def _until_whole(source: Source, newest_first: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Collected]]:
    for seq, data in newest_first:
        try:
            collected = _decoder.decode(data)
        except msgspec.MsgspecError:
            continue
        if (collected.directory, collected.to) == (text_of(source.directory), text_of(source.to)):
            yield seq, collected
            if collected.whole:
                return


def _follow(known: Known, collected: Collected) -> Known:
    followed = _move(
        known,
        {from_text(path): None if to is None else from_text(to) for path, to in collected.moved.items()},
    )
    for text, values in collected.entries.items():
        entry = _decode(values)
        if entry is not None:
            followed[from_text(text)] = entry
    return followed


def _unsure(entry: Entry) -> Entry:
    return Entry(entry.kind, None, entry.found or entry.hint)


def _move(known: Known, moved: Moved) -> Known:
    return {to: entry for path, entry in known.items() if (to := _moved(path, moved)) is not None}


def _below(to: str, path: str) -> str:
    """Return a path in the session as it is below *to*."""
    return path[len(to) + 1 :] if to else path


def _moved(path: str, moved: Moved) -> str | None:
    """Return where *path* is afterwards; None when it is gone."""
    above, rest = path, ""
    while above:
        if above in moved:
            to = moved[above]
            return None if to is None else to + rest
        above, _, name = above.rpartition("/")
        rest = f"/{name}{rest}"
    return path


def _encode(entry: Entry) -> list[int | str]:
    kind, found, hint = entry
    letter = _LETTER_OF[kind]
    looks = found or hint
    if looks is None:
        return [letter]
    if found is None:
        letter = letter.upper()
    if kind == "directory":
        return [letter, looks.ino, looks.mode]
    return [letter, looks.ino, looks.size, looks.mtime_ns, looks.ctime_ns, looks.mode]


def _decode(values: list[int | str]) -> Entry | None:
    letter, *others = values or [""]
    kind = _KIND_OF.get(str(letter).lower())
    if kind is None:
        return None
    numbers = [number for number in others if isinstance(number, int)]
    looks = None
    if kind == "directory" and len(numbers) == 2:
        looks = Found(kind, numbers[0], 0, 0, 0, numbers[1])
    elif kind != "directory" and len(numbers) == 5:
        looks = Found(kind, *numbers)
    return Entry(kind, looks if str(letter).islower() else None, looks)
