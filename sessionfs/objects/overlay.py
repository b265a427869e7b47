"""Content that was there before and is written to: nothing is copied when that begins.

Below lies the base: a blob, or growing content that is no longer written in order. What is written into it are edits;
what is written after its end is a tail, staged as any other new content. :meth:`Overlay.finish` stores the least it
can:

1. Nothing has changed: nothing.
2. Something was appended: the tail, and a list that names the base and the tail. The name is computed from a copy of
   the base's hasher if this process stored it, otherwise by reading the base.
3. Some of it was edited: what was changed, in pages, and a list that names the parts of the base between.
4. Much was edited, or cut off, or the list would become long, or the content is small: all of it, anew. What was
   edited on the disk is completed where it is, and that file becomes the object.

A base that is read for a new name is checked against its own: content that is damaged never gets a name that says that
it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sessionfs.objects.assembly import Assembly
from sessionfs.objects.base import Base
from sessionfs.objects.edits import Edits
from sessionfs.objects.incoming import PIECE_BYTES
from sessionfs.objects.joining import Range
from sessionfs.objects.sparse import Sparse
from sessionfs.objects.staging import Staging, Tail, Waiting
from sessionfs.objects.stored import Stored
from sessionfs.objects.writer import recut
from sessionfs.oid import Hasher


class Overlay:
    """One content over a base. Its owner holds a lock."""

    is_in_memory = False

    def __init__(self, staging: Staging, base: Base, begin_tail: Callable[[Staging], Tail]) -> None:
        """Lie over *base*, which belongs to it from now on."""
        self._staging = staging
        self._limits = staging.limits
        self._base = base
        self._kept = base.size  # so much of the base is still there; the tail begins here
        self._edits = Edits(staging, self._read_base)
        self._begin_tail = begin_tail
        self._tail: Tail | None = None

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        return self._kept + self._tail_size

    @property
    def is_over_blob(self) -> bool:
        """Whether it has to be checked what lies below."""
        return self._base.is_stored

    @property
    def waiting(self) -> Waiting | None:
        """What another thread writes of it."""
        return None if self._tail is None else self._tail.waiting

    @property
    def unfinished_bytes(self) -> int:
        """What has to be hashed and written: all of it, unless something was appended to what was stored here."""
        if not self._edits.is_empty or self._kept < self._base.size or not self._base.is_remembered:
            return self.size
        return 0 if self._tail is None else self._tail.unfinished_bytes

    def pread(self, length: int, offset: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        end = min(offset + length, self.size)
        kept = self._kept
        data = b""
        if offset < min(end, kept):
            data = self._edits.patch(self._base.pread(min(end, kept) - offset, offset), offset)
        if end > kept and self._tail is not None:
            start = max(offset, kept)
            data += self._tail.pread(end - start, start - kept)
        return data

    def pwrite(self, data: memoryview, offset: int) -> None:
        """Write all of *data* (not empty) at *offset*; a gap before it reads as zeros."""
        if offset < self._kept:
            part = data[: self._kept - offset]
            self._edits.write(part, offset)
            offset += len(part)
            data = data[len(part) :]
        if data:
            self._the_tail().pwrite(data, offset - self._kept)

    def truncate(self, size: int) -> None:
        """Cut the content to *size* bytes, or extend it with zeros."""
        if size > self._kept:
            self._the_tail().truncate(size - self._kept)
            return
        self._kept = size
        self._edits.cut(size)
        self._drop_tail()

    def finish(self) -> Stored:
        """Store the content as a blob, as the module says. What fails may be tried again, or written to."""
        if self._kept == 0:
            return self._the_tail().finish()
        self._base.settle()
        self._edits.drop_unchanged(self._kept)
        while True:
            edited = self._edits.runs(self._kept)
            if not edited and not self._tail_size and self._kept == self._base.size:
                return self._base.stored()
            if self._is_better_whole(edited):
                self._write_whole(edited, with_tail=self._has_small_tail or self.size <= self._limits.memory_bytes)
                continue
            stored = self._join(edited)
            if stored is not None:
                return stored
            self._write_whole(edited, with_tail=True)

    def discard(self) -> None:
        """Let go of the content; what is stored stays."""
        self._base.discard()
        self._edits.discard()
        self._drop_tail()

    # The parts

    @property
    def _tail_size(self) -> int:
        return 0 if self._tail is None else self._tail.size

    @property
    def _has_small_tail(self) -> bool:
        return self._tail is not None and self._tail.is_in_memory

    def _the_tail(self) -> Tail:
        if self._tail is None:
            self._tail = self._begin_tail(self._staging)
        return self._tail

    def _drop_tail(self) -> None:
        tail, self._tail = self._tail, None
        if tail is not None:
            tail.discard()

    def _read_base(self, length: int, offset: int) -> bytes:
        return self._base.pread(length, offset)

    # Writing all of it

    def _is_better_whole(self, edited: list[Range]) -> bool:
        if self.size <= self._limits.whole_bytes:
            return True
        if not edited and self._kept == self._base.size:
            return False  # something was appended
        return (
            self.size <= self._limits.memory_bytes or self._kept * 2 < self._base.size or _is_much(edited, self._kept)
        )

    def _write_whole(self, edited: list[Range], *, with_tail: bool) -> None:
        """Store what is left of the base with its edits: it is the base from now on."""
        size = self.size if with_tail else self._kept
        if size <= self._limits.memory_bytes:
            stored = self._staging.writer.put_bytes(b"".join(self._whole_content(edited, with_tail)), remember=True)
        elif self._edits.is_on_disk and _is_much(edited, self._kept):
            self._complete_edits(edited)
            return
        else:
            stored = self._staging.writer.put_pieces(recut(self._whole_content(edited, with_tail)))
        if with_tail:
            self._drop_tail()
        self._go_on_with(Base.of(self._staging, stored))

    def _complete_edits(self, edited: list[Range]) -> None:
        """Make the file of the edits the whole content: only what they leave out is written."""
        if not self._is_all_new(edited):
            offset = 0
            for data in self._base.contents():
                if offset < self._kept:
                    self._edits.fill(data[: self._kept - offset], offset)
                offset += len(data)
        sparse = Sparse(self._staging, self._edits.take_file(self._kept), self._kept)
        self._go_on_with(Base(self._staging, sparse, size=self._kept))
        self._base.settle()

    def _is_all_new(self, edited: list[Range]) -> bool:
        """Whether there is no byte of the base left, so that it does not matter whether it is damaged."""
        return edited == [(0, self._kept)] and not self._edits.holds_base

    def _go_on_with(self, base: Base) -> None:
        self._base.discard()
        self._edits.discard()
        self._base, self._kept = base, base.size

    def _whole_content(self, edited: list[Range], with_tail: bool) -> Iterator[bytes]:
        yield from self._kept_content(edited)
        if with_tail:
            yield from self._tail_content()

    def _kept_content(self, edited: list[Range]) -> Iterator[bytes]:
        """Yield what is left of the base with its edits; raise at the end if the base is damaged."""
        if self._is_all_new(edited):
            for offset in range(0, self._kept, PIECE_BYTES):
                yield self.pread(min(PIECE_BYTES, self._kept - offset), offset)
            return
        offset = 0
        for data in self._base.contents():
            if offset < self._kept:
                yield self._edits.patch(data[: self._kept - offset], offset)
            offset += len(data)

    def _tail_content(self) -> Iterator[bytes]:
        for offset in range(self._kept, self.size, PIECE_BYTES):
            yield self.pread(PIECE_BYTES, offset)

    # Putting it together

    def _join(self, edited: list[Range]) -> Stored | None:
        """Store the content as a list of pieces; None when it is better written whole."""
        tail = None
        if self._tail is not None and self._tail.size and not self._tail.is_in_memory:
            tail = self._finish_tail(self._tail)
        changed = [*edited, (self._kept, self.size)] if self._has_small_tail else edited
        assembly = Assembly.plan(self._staging, self._base, changed, self.size, tail)
        if assembly is None:
            return None
        if not edited and self._kept == self._base.size:
            assembly.check_rewritten()  # in the other case all is read
        return assembly.put(self._hash(edited), self.pread)

    def _finish_tail(self, tail: Tail) -> Stored:
        stored = tail.finish()
        tail.discard()
        self._tail = Overlay(self._staging, Base.of(self._staging, stored), self._begin_tail)
        return stored

    def _hash(self, edited: list[Range]) -> Hasher:
        """Return a hasher that has seen the content."""
        oid = self._base.settle()
        remembered = self._staging.recent.find(oid)
        if edited or self._kept < self._base.size:
            hasher = Hasher()
            for data in self._kept_content(edited):
                hasher.update(data)
        elif remembered is not None:
            hasher = remembered.hasher.copy()
        else:
            hasher = Hasher()
            for _ in self._base.contents(hasher):
                pass
        if remembered is None:
            self._staging.writer.keep(oid)
        for data in self._tail_content():
            hasher.update(data)
        return hasher


def _is_much(edited: list[Range], size: int) -> bool:
    return sum(end - start for start, end in edited) * 3 > size
