"""Objects against their names: in this process, or many files at once in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from sessionfs.errors import Corrupt, Denied, NotFound
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.found import Damaged, Found
from sessionfs.fsck.parallel import in_processes
from sessionfs.objects import BrokenPieces, ObjectFile
from sessionfs.store.store import Store

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes there are."""

# Starting processes costs 30 ms, in which one checks so much.
_MANY_FILES = 1000
_MANY_BYTES = 100 << 20

# What is handed to a process at a time.
_BATCH_FILES = 256
_BATCH_BYTES = 32 << 20

Verify = Callable[[ObjectFile], None]
"""Raises Corrupt for a file that is not whole, NotFound for one that has gone."""


def check_objects(
    store: Store, found: Found, files: list[ObjectFile], verify: Verify, *, jobs: int, progress: Progress | None
) -> None:
    """Check *files*; what is found goes to *found*.

    Content in pieces comes last, the shorter before the longer, in this process: they have most of their pieces in
    common, and what is known of one saves reading the next.

    Args:
        jobs: How many processes check at once, if there is enough to do.
    """
    for file in files:
        found.present.setdefault(file.oid, set()).add(file.kind)
    verifier = store.objects.verifier()
    alone = [file for file in files if file.compression != "chunks"]
    in_pieces = sorted((file for file in files if file.compression == "chunks"), key=verifier.size)
    total = sum(file.stored_size for file in files)
    done = 0
    is_many = len(alone) >= _MANY_FILES or total >= _MANY_BYTES
    batches = _check_in_processes(alone, verify, jobs) if jobs > 1 and is_many else _check_here(alone, verify)
    for batch, damaged in batches:
        for one in damaged:
            found.add_damaged(one)
        done += sum(file.stored_size for file in batch)
        if progress is not None:
            progress(done, total)
    for file in in_pieces:
        for one in _check(file, verify):
            found.add_damaged(one)
        done += file.stored_size
        if progress is not None:
            progress(done, total)


def check_packs(store: Store) -> Iterator[Fault]:
    """Yield what in the packs is no object, and the indexes that are none."""
    for path, start, end, is_followed in store.objects.damaged_packs():
        where = f"{os.path.relpath(path, store.path)} at {start}"
        if is_followed:
            yield Fault("damaged-pack", where, f"{end - start} bytes are no object; what they were cannot be told")
        else:
            message = f"its last {end - start} bytes are no object: a writer was killed, or is at work"
            yield Fault("torn-pack", where, message, is_damage=False)
    for path in store.objects.damaged_indexes():
        where = os.path.relpath(path, store.path)
        yield Fault("damaged-index", where, "it is not the index of its pack; until it is rebuilt, the pack is read")


def _check_here(files: list[ObjectFile], verify: Verify) -> Iterator[tuple[list[ObjectFile], list[Damaged]]]:
    for file in files:
        yield [file], _check(file, verify)


def _check_in_processes(
    files: list[ObjectFile], verify: Verify, jobs: int
) -> Iterator[tuple[list[ObjectFile], list[Damaged]]]:
    batches = list(_batches(files))
    yield from zip(batches, in_processes(lambda batch: _check_all(batch, verify), batches, jobs), strict=True)


def _batches(files: Iterable[ObjectFile]) -> Iterator[list[ObjectFile]]:
    batch: list[ObjectFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.stored_size
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_all(files: list[ObjectFile], verify: Verify) -> list[Damaged]:
    return [damaged for file in files for damaged in _check(file, verify)]


def _check(file: ObjectFile, verify: Verify) -> list[Damaged]:
    try:
        verify(file)
    except BrokenPieces as failure:
        return [Damaged(file, "broken-pieces", f"object {file.oid} is damaged: {fault}") for fault in failure.faults]
    except Corrupt as failure:
        return [Damaged(file, "damaged-object", str(failure))]
    except Denied as failure:  # it may be whole; a repair leaves it alone
        return [Damaged(file, "unreadable-object", str(failure))]
    except NotFound:
        return []  # moved to the trash since it was listed
    return []
