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
    unfinished = found[0] if found and not found[0][1].whole else None
    paths = _Paths({})
    for _, collected in reversed(found if unfinished is None else found[1:]):
        paths.move({from_text(path): None if to is None else from_text(to) for path, to in collected.moved.items()})
        for path, entry in _entries(collected).items():
            paths.put(path, entry)
    return Recalled(paths.known(), sum(collected.weight for _, collected in found), unfinished)


def follow_records(known: Known, source: Source, collected: Collected, records: Iterable[tuple[str, bytes]]) -> Known:
    """Return what is known after the records that were made of an event, as far as they were made.

    Args:
        records: Types and data of those that belong to the operation of the event.
    """
    paths = _Paths(known)
    said = _entries(collected)
    for type, data in records:
        change = _change_decoder.decode(data)
        path = _below(source.to, from_text(change.path))
        to = None if change.to is None else _below(source.to, from_text(change.to))
        if not path:
            continue  # a directory above, which was made on the way
        if type == "artifact.renamed" and to is not None:
            paths.move({path: to or None, to: path if change.exchange else None})
        elif type == "artifact.deleted":
            paths.move({path: None})
        elif type == "artifact.stored":
            taken = said.get(path)
            paths.put(path, taken if taken is not None and taken.kind == change.kind else Entry(change.kind))
    # What was said to be taken may not have been, or not all of it.
    return {path: entry if path not in said else _unsure(entry) for path, entry in paths.known().items()}


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


def _entries(collected: Collected) -> Known:
    """Return what an event says was taken, as far as it can be read."""
    decoded = {from_text(text): _decode(values) for text, values in collected.entries.items()}
    return {path: entry for path, entry in decoded.items() if entry is not None}


def _unsure(entry: Entry) -> Entry:
    return Entry(entry.kind, None, entry.found or entry.hint)


def _below(to: str, path: str) -> str:
    """Return a path in the session as it is below *to*; "" when it is not below that."""
    if not to:
        return path
    return path[len(to) + 1 :] if path.startswith(f"{to}/") else ""


class _Place:
    """What is known at one path, and below it."""

    __slots__ = ("below", "entry")

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.below: dict[str, _Place] = {}


class _Paths:
    """Entries by path, as a tree: what is moved or goes is found without a look at all the rest."""

    def __init__(self, known: Known) -> None:
        self._top = _Place()
        for path, entry in known.items():
            self.put(path, entry)

    def put(self, path: str, entry: Entry) -> None:
        """Note that *entry* is at *path*; what is below that stays."""
        place = self._top
        for name in path.split("/"):
            place = place.below.setdefault(name, _Place())
        place.entry = entry

    def move(self, moved: Moved) -> None:
        """Move what is at these paths, with all that is below them, at once; None for nowhere."""
        deepest_first = sorted(moved.items(), key=lambda item: -item[0].count("/"))
        for to, taken in [(to, self._take(path)) for path, to in deepest_first]:
            if to is not None and taken is not None:
                for below, entry in _flat(taken, to):
                    self.put(below, entry)

    def known(self) -> Known:
        """Return them all, each directory before what is in it."""
        return {path: entry for name, place in self._top.below.items() for path, entry in _flat(place, name)}

    def _take(self, path: str) -> _Place | None:
        """Return what is at *path*, which is not there any more; None when there is nothing."""
        *above, name = path.split("/")
        place: _Place | None = self._top
        for part in above:
            place = place.below.get(part) if place is not None else None
        return place.below.pop(name, None) if place is not None else None


def _flat(place: _Place, path: str) -> Iterator[tuple[str, Entry]]:
    """Yield what is known at *path*, where *place* is, and below it: all it is in before it."""
    waiting = [(path, place)]
    while waiting:
        path, place = waiting.pop()
        if place.entry is not None:
            yield path, place.entry
        waiting += [(f"{path}/{name}", below) for name, below in place.below.items()]


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
