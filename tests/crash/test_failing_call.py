"""Each call of each operation fails once: the error is of the right kind, nothing half done, and a new try works."""

from __future__ import annotations

import errno
import io
import random
from contextlib import suppress

import pytest
from bench import LONG_VALUE, NOISE, TEXT, Bench, check_promises, check_wholeness, has_object, new_disk
from disks import SYNCS, Watched, every_cut

from sessionfs.durable import Mode
from sessionfs.errors import Conflict, DiskFault, Error, NoSpace, ReadOnlyStore, from_os_error
from sessionfs.objects.incoming import PIECE_BYTES

# Its first piece does not shrink, its second does: turned into a frame on the way.
LONG = random.Random(2).randbytes(PIECE_BYTES) + TEXT
KINDS = {errno.EIO: DiskFault, errno.ENOSPC: NoSpace, errno.EROFS: ReadOnlyStore}


def put_small(bench):
    bench.put(b"small")


def put_compressed(bench):
    bench.put(TEXT)


def put_twice(bench):
    bench.put(NOISE)
    bench.put(NOISE)


def put_a_stream(bench):
    bench.objects.put_stream(io.BytesIO(LONG))
    bench.promise(has_object, LONG)


def stage_in_order(bench):
    with bench.staged() as (staged, finish):
        staged.append(LONG[: len(LONG) // 16])
        staged.append(LONG[len(LONG) // 16 : len(LONG) // 8])
        finish()


def stage_in_any_order(bench):
    with bench.staged() as (staged, finish):
        staged.pwrite(NOISE, 50_000)
        staged.pwrite(NOISE, 0)
        finish()


def append_to_an_object(bench):
    with bench.staged(bench.put(NOISE).oid) as (staged, finish):
        for _ in range(6):
            staged.append(b"tail" * 20)
            finish()


def edit_an_object(bench):
    with bench.staged(bench.put(NOISE * 3).oid) as (staged, finish):
        staged.pwrite(b"x" * 10, 5000)
        staged.append(NOISE * 2)
        finish()


def rewrite_an_object(bench):
    with bench.staged(bench.put(NOISE * 3).oid) as (staged, finish):
        staged.pwrite(NOISE, 10)
        staged.pwrite(NOISE, 17_000)
        finish()


def append(bench):
    bench.append(bench.the_log, number=1)


def append_with_an_object(bench):
    bench.append(bench.the_log, oid=bench.put(TEXT).oid)


def move_ref(bench):
    bench.move_ref(len(bench.promises) + 1)


def put_artifact(bench):
    bench.the_session.artifacts.put("new/directory/f", bench.put(b"content"))


def set_state(bench):
    bench.the_session.values.set("key", LONG_VALUE)


def save(bench):
    bench.the_session.save()


def copy_directory(bench):
    bench.the_session.artifacts.copy("d", f"copy{bench.the_session.log.position.seq}")


LOG_OPERATIONS = [append, append_with_an_object]
SESSION_OPERATIONS = [put_artifact, set_state, save, copy_directory]
OBJECT_OPERATIONS = [
    put_small, put_compressed, put_twice, put_a_stream, stage_in_order, stage_in_any_order, append_to_an_object,
    edit_an_object, rewrite_an_object,
]  # fmt: skip
OPERATIONS = [
    *OBJECT_OPERATIONS,
    *LOG_OPERATIONS, move_ref, *SESSION_OPERATIONS,
]  # fmt: skip


def prepare(operation, mode, **watch):
    """Return the bench for *operation*: from here on calls are counted."""
    disk = new_disk()
    watched = Watched(disk, begun=False, **watch)
    bench = Bench(watched, mode)
    if operation in LOG_OPERATIONS:
        bench.the_log = bench.log()
        bench.the_log.create()
        bench.append(bench.the_log, number=0)
    if operation in SESSION_OPERATIONS:
        bench.the_session = bench.create_session()
        for name in ("d/1", "d/2"):
            bench.the_session.artifacts.put(name, bench.put(b"1"))
    if operation is move_ref:
        disk.make_directories("/s/sessions/one/refs")
    bench.unsynced.sync()
    watched.begun = True
    return watched, bench


def sync(bench):
    try:
        bench.unsynced.sync()
    except OSError as failure:
        raise from_os_error(failure, "sync") from failure


def call_numbers(operation, mode):
    watched, bench = prepare(operation, mode)
    operation(bench)
    bench.unsynced.sync()
    return range(len(watched.calls))


def check_after(watched, bench, operation):
    """Everything visible is whole; tried again it works, and stays."""
    check_promises(watched.inner.process_crash(), bench.promises)
    operation(bench)
    bench.unsynced.sync()
    for left in every_cut(watched.inner, 10):
        check_promises(left, bench.promises)
    check_wholeness(watched.inner.process_crash())


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("number", KINDS)
def test_a_failing_call_is_an_error_of_its_kind(operation, mode, number):
    for fail_at in call_numbers(operation, mode):
        watched, bench = prepare(operation, mode, fail_at=fail_at, error=number)
        try:
            operation(bench)
            sync(bench)
        except Error as failure:
            assert type(failure) is KINDS[number], watched.calls[fail_at]
        check_after(watched, bench, operation)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_short_write_is_gone_on_with(operation, mode):
    for short_at in call_numbers(operation, mode):
        watched, bench = prepare(operation, mode, short_at=short_at)
        operation(bench)
        check_after(watched, bench, operation)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_failing_call_leaves_no_descriptor_open(operation, mode):
    for fail_at in call_numbers(operation, mode):
        watched, bench = prepare(operation, mode)
        operation(bench)
        after_success = watched.inner.open_count
        assert after_success == 0 or operation not in OBJECT_OPERATIONS
        watched, bench = prepare(operation, mode, fail_at=fail_at)
        with suppress(Error):
            operation(bench)
        assert watched.inner.open_count <= after_success, watched.calls[fail_at]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("operation", [append, put_artifact, copy_directory, move_ref])
def test_a_full_disk_changes_nothing(operation, mode):
    for fail_at in call_numbers(operation, mode):
        watched, bench = prepare(operation, mode, fail_at=fail_at, error=errno.ENOSPC, spare=SYNCS)
        before = dict(watched.inner.all_files())
        try:
            operation(bench)
        except Conflict:
            after = dict(watched.inner.all_files())
            changed = {path for path in before | after if before.get(path) != after.get(path)}
            assert all(path.startswith("/s/objects/") for path in changed if after.get(path)), watched.calls[fail_at]
