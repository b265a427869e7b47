"""A small cache of decompressed blocks, bounded in bytes; the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sessionfs.locks import renew_in_children
from sessionfs.oid import ObjectId

DEFAULT_LIMIT_BYTES = 32 << 20


class BlockCache:
    """Decompressed blocks by object and position. Thread-safe."""

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._blocks: OrderedDict[tuple[ObjectId, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """How many bytes of content are kept."""
        return self._used_bytes

    def find(self, oid: ObjectId, index: int) -> bytes | None:
        """Return block *index* of *oid* if it is kept."""
        with self._lock:
            block = self._blocks.get((oid, index))
            if block is not None:
                self._blocks.move_to_end((oid, index))
            return block

    def add(self, oid: ObjectId, index: int, block: bytes) -> None:
        """Keep *block*, and let go of others for it."""
        with self._lock:
            if (oid, index) in self._blocks or len(block) > self._limit_bytes:
                return
            self._blocks[(oid, index)] = block
            self._used_bytes += len(block)
            while self._used_bytes > self._limit_bytes:
                _, dropped = self._blocks.popitem(last=False)
                self._used_bytes -= len(dropped)
