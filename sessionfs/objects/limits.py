"""The sizes at which content that is being written changes its form. Tests pass small ones."""

from __future__ import annotations

from typing import NamedTuple

from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.pieces import MAX_DEPTH


class Limits(NamedTuple):
    """Every number of them is a matter of taste within a factor of two; the reasons say what would change."""

    packed_bytes: int = 8 << 10  # up to here what is new in appended content goes into a pack; 0 for never
    memory_bytes: int = 1 << 20  # up to here content stays in memory until it is finished, and is stored whole
    whole_bytes: int = 8 << 10  # up to here an appended content is stored whole, too: two files cost more
    piece_bytes: int = PIECE_BYTES  # what grows is written in pieces of this size; a multiple of a frame's block
    # How far from its end growing content may be written in any order. A kernel that writes back dirty pages has a few
    # requests of 1 MiB on their way at once.
    window_bytes: int = 4 << 20
    behind_pieces: int = 2  # from here the writer should wait, when it can
    waiting_pieces: int = 4  # from here it must
    growing_count: int = 16  # more contents than this do not grow at once: each may hold 30 MiB
    edited_bytes: int = 1 << 20  # so much of what was written into existing content stays in memory
    tail_count: int = 8  # a list has so many entries beside its base before it becomes the base of another
    depth: int = MAX_DEPTH  # lists are nested so deep before their small pieces are merged
    small_bytes: int = 16 << 10  # pieces below this are small
    near_bytes: int = (
        8 << 10
    )  # what lies between two changes is written with them if it is less: an entry costs 90 bytes
    piece_count: int = 8192  # entries of one list; for content below 8 MiB one per KiB

    def most_pieces(self, size: int) -> int:
        """Return how many pieces content of *size* bytes may have in one list (which then is a twelfth of it)."""
        return max(self.tail_count + 1, min(self.piece_count, size >> 10))
