"""What this process has stored lately and may be asked to add to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from sessionfs.locks import renew_in_children
from sessionfs.oid import Hasher, ObjectId

DEFAULT_COUNT = 1024  # 2 KiB each


class Remembered(NamedTuple):
    """A content's hasher, to be copied, and how deep its lists of pieces are nested."""

    hasher: Hasher
    depth: int


class Recent:
    """Hashers by the content they have hashed: what is appended to it is all that has to be hashed. Thread-safe.

    What is in here was stored by this process, which has synced it or owes it. So is a hasher that was wrong about the
    content on the disk (damage since then) no danger: the name it gives is the right one, and a read finds the damage.
    """

    def __init__(self, limit_count: int = DEFAULT_COUNT) -> None:
        self._limit_count = limit_count
        self._known: OrderedDict[ObjectId, Remembered] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()

    def find(self, oid: ObjectId) -> Remembered | None:
        """Return what is known of *oid*."""
        with self._lock:
            known = self._known.get(oid)
            if known is not None:
                self._known.move_to_end(oid)
            return known

    def add(self, oid: ObjectId, hasher: Hasher, depth: int) -> None:
        """Remember *oid*; *hasher* must not be updated any more."""
        with self._lock:
            self._known[oid] = Remembered(hasher, depth)
            self._known.move_to_end(oid)
            if len(self._known) > self._limit_count:
                self._known.popitem(last=False)
