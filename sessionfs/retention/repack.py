"""Repacking: many small objects into few large files, which are quicker to copy and take less of the disk.

An object is removed from where it was when the pack that has it, and the pack's index, are on stable storage. Between
the two it is in both places, and whoever looks finds it in the first; so a crash at any moment loses nothing, and
readers and writers need not know. What is not what its name says is left where it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sessionfs.errors import Corrupt, NotFound
from sessionfs.objects import ObjectFile
from sessionfs.objects.adding import COMPLETE_BYTES
from sessionfs.retention.alone import alone
from sessionfs.retention.shelve import count_archived, shelve
from sessionfs.store.store import Store

# What is larger wastes little of its last block, and would make packs that are written anew for one object.
SMALL_BYTES = 64 << 10

# Packs below this are put together.
_SMALL_PACK_BYTES = COMPLETE_BYTES // 2

Progress = Callable[[int, int], None]
"""Called with the objects done, and all there are."""


class Repacked(NamedTuple):
    """What was done."""

    object_count: int  # that went into a pack
    size: int  # their bytes
    pack_count: int  # new packs
    merged_count: int  # packs that were put together with them
    damaged_count: int  # objects that were left alone
    session_count: int = 0  # archived ones that were put on a shelf
    session_size: int = 0  # bytes of their logs and refs

    def to_dict(self) -> dict[str, int]:
        """Return it JSON-ready."""
        return self._asdict()


def repack(
    store: Store, *, small_bytes: int = SMALL_BYTES, dry_run: bool = False, progress: Progress | None = None
) -> Repacked:
    """Put the small objects of *store* that have files of their own, and those in small packs, into packs.

    Archived sessions are put on shelves (see :mod:`sessionfs.retention.shelve`).

    Args:
        small_bytes: How large a file may be.
        dry_run: Only count.

    Raises:
        LockHeld: Somebody else collects or repacks.
        NoSpace, ReadOnlyStore: What had not been packed is where it was.

    Durability:
        What is packed survives a power cut.

    Concurrency:
        Safe beside readers and writers; one at a time.
    """
    with alone(store):
        loose = [file for file in store.objects.list() if file.start is None and file.stored_size <= small_bytes]
        small = store.objects.small_packs(_SMALL_PACK_BYTES)
        merged = small if len(small) > 1 or (small and loose) else []
        inside = [file for path in merged for file in store.objects.list_pack(path)]
        if dry_run:
            size = sum(file.stored_size for file in loose)
            return Repacked(len(loose), size, 0, len(merged), 0, *count_archived(store))
        shelved = shelve(store)
        count = size = pack_count = damaged_count = 0
        for batch in _batches([*inside, *loose]):
            whole = [file for file in batch if _is_whole(store, file)]
            damaged_count += len(batch) - len(whole)
            pack_count += len(store.objects.write_packs(whole))
            for file in whole:
                if file.start is None:
                    with contextlib.suppress(FileNotFoundError):  # to the trash, or another has repacked it
                        store.disk.unlink(file.path)
                    count, size = count + 1, size + file.stored_size
            if progress is not None:
                progress(count, len(loose))
        for path in merged:
            kept = {file.oid for file in inside if file.path == path and not _is_whole(store, file)}
            store.objects.repack(path, lambda oid, kept=kept: oid in kept)  # type: ignore[misc]
    return Repacked(count, size, pack_count, len(merged), damaged_count, shelved.session_count, shelved.size)


def _batches(files: list[ObjectFile]) -> Iterator[list[ObjectFile]]:
    batch: list[ObjectFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.stored_size
        if size >= COMPLETE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_whole(store: Store, file: ObjectFile) -> bool:
    """Say whether a file is what its name says; of a list of pieces, that it is one."""
    verifier = store.objects.verifier()
    try:
        (verifier.look if file.compression == "chunks" else verifier.verify)(file)
    except (Corrupt, NotFound):
        return False
    return True
