"""Which stored contents the rules keep, and which they give up. Pure.

A content is kept when any rule keeps it:

* it is live, or in a checkpoint, or a value of the state, or something else than an artifact names it;
* it is pinned, or in a directory that is;
* it is one of the last N versions of its artifact, deleted ones included. Counted by artifact, as ``versions`` counts,
  and also by path, so that what is deleted and stored again, as some tools save, does not lose its history at once;
* it was live at some time in the last D, so every moment of that time is whole.

Without N and D everything is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sessionfs.errors import InvalidInput
from sessionfs.oid import ObjectId
from sessionfs.retention.history import Content, History
from sessionfs.sessions import Pin
from sessionfs.store.pinned import covers


class NoRule(InvalidInput):
    """Nothing was said about what is to be kept, or nothing that can be."""


class Keep(NamedTuple):
    """What of the versions is kept; None is no rule."""

    versions: int | None = None  # the last so many of each artifact
    duration_ns: int | None = None  # those that were live in so long

    @staticmethod
    def of(versions: int | None, duration_ns: int | None) -> Keep:
        """Return the rules that somebody asks for.

        Raises:
            NoRule: Neither, or no versions at all.
        """
        if versions is None and duration_ns is None:
            raise NoRule("say what is to be kept: how many versions of each artifact, or the versions of how long")
        if versions is not None and versions < 1:
            raise NoRule(f"{versions} versions cannot be kept: the newest one always is, so 1 is the least")
        return Keep(versions, duration_ns)

    @property
    def is_everything(self) -> bool:
        """Whether nothing may go."""
        return self.versions is None and self.duration_ns is None


class Unneeded(NamedTuple):
    """The contents of one session that no rule keeps."""

    oids: frozenset[ObjectId]
    version_count: int  # how many times they were stored
    size: int  # bytes, each content counted once
    paths: tuple[str, ...]  # of the artifacts, in text form


def unneeded(
    history: History,
    keep: Keep,
    pins: Mapping[str, Pin],
    *,
    needed: Collection[ObjectId],
    since: str,
    only: Collection[str] = (),
) -> Unneeded:
    """Return what of *history* no rule keeps.

    Args:
        needed: What is live, was live at *since*, or is in a checkpoint.
        since: From when on all is kept (RFC 3339); what is later than all is for no such rule.
        only: Give up versions of these artifacts only, and of those below them; of all by default.
    """
    if keep.is_everything or covers(pins, ""):
        return Unneeded(frozenset(), 0, 0, ())
    kept: set[ObjectId] = {*needed, *history.named_otherwise, *history.pruned}
    for path, versions in history.files():
        kept.update(_oids(versions if covers(pins, path) else _last(versions, keep.versions)))
    by_path: dict[str, deque[ObjectId]] = {}
    for content in history.contents.values():
        if content.time >= since or covers(pins, content.path) or not _is_in(content.path, only):
            kept.add(content.oid)
        by_path.setdefault(content.path, deque(maxlen=keep.versions or 0)).append(content.oid)
    for last in by_path.values():
        kept.update(last)
    gone = [content for content in history.contents.values() if content.oid not in kept]
    sizes = {content.oid: content.size for content in gone}
    paths = dict.fromkeys(content.path for content in gone)
    return Unneeded(frozenset(sizes), len(gone), sum(sizes.values()), tuple(paths))


def _oids(contents: Iterable[Content]) -> set[ObjectId]:
    return {content.oid for content in contents}


def _last(versions: list[Content], count: int | None) -> list[Content]:
    return versions[-count:] if count else []


def _is_in(path: str, only: Collection[str]) -> bool:
    return not only or any(path == one or path.startswith(f"{one}/") for one in only)
