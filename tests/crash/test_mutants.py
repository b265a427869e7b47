"""The tests of durability notice when a step of a durable write is left out, or comes too early or too late.

Without this, a test that looks at all power cuts could look at nothing. Each mutant of the functions below must make
one of the checks fail, but for those that are listed with the reason why they change nothing that is promised.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module

import pytest
import scenarios
import test_failing_call as failing
import test_power_cut as cuts
from bench import NOISE, REF, Bench, has_bytes_somewhere, has_file, has_object, new_disk
from disks import MemoryDisk, PowerCut, Watched
from mutants import Mutant, mutants

from sessionfs import refs
from sessionfs.durable import Mode, Needed
from sessionfs.durable.unsynced import Unsynced
from sessionfs.locks import LockHeld
from sessionfs.log.log import Log
from sessionfs.objects.files import ObjectFiles
from sessionfs.oid import hash_bytes

publishing = import_module("sessionfs.durable.publish")  # the package's own publish is the function
again = import_module("sessionfs.durable.again")

FUNCTIONS = [
    publishing.publish, publishing.place, publishing.sync_file, publishing.make_directory, publishing.sync_name,
    publishing.append,
    refs.update, refs._keep, refs._open_for_writing,
    Log.begin, Log.append, Log.commit, Log.owe, Log.sync, Log._keep_names, Log._set_tail_aside,
    Unsynced.sync, Unsynced._sync, Unsynced._sync_directory, Unsynced._sync_file,
    ObjectFiles.keep, ObjectFiles._drop_damaged,
    again.write_log_again, again.write_file_again,
]  # fmt: skip


# What else is checked, besides every cut and every failing call


class Meddling:
    """A disk on which somebody else is quicker: before a lock is given, they have done something."""

    def __init__(self, inner, meddle):
        self._inner, self._meddle = inner, meddle

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def lock(self, fd, what):
        meddle, self._meddle = self._meddle, None
        if meddle is not None:
            meddle()
        self._inner.lock(fd, what)


def check_a_ref_is_compared_with_what_it_is_when_it_is_locked():
    disk = new_disk()
    disk.make_directories(os.path.dirname(REF))
    Bench(disk).move_ref(1)
    other = Bench(disk)
    bench = Bench(Meddling(disk, lambda: other.move_ref(2)))
    with pytest.raises(refs.StaleValue):
        refs.update(
            bench.disk, bench.clock, bench.unsynced, bench.mode, REF, f"{3:064x}", actor="me", expected=f"{1:064x}"
        )
    assert refs.read(disk, REF) == f"{2:064x}"


def check_a_ref_that_is_locked_is_not_moved():
    disk = new_disk()
    disk.make_directories(os.path.dirname(REF))
    Bench(disk).move_ref(1)
    disk.lock(disk.open(REF, os.O_RDWR), "it")
    with pytest.raises(LockHeld):
        Bench(disk).move_ref(2)


def check_a_torn_ref(expected):
    disk = new_disk()
    disk.make_directories(os.path.dirname(REF))
    Bench(disk).move_ref(1)
    torn = disk.content(REF) + b"7777"
    disk.put(REF, torn)
    bench = Bench(disk)
    try:
        refs.update(
            disk, bench.clock, bench.unsynced, bench.mode, REF, f"{2:064x}", actor="me", expected=f"{expected:064x}"
        )
    except refs.StaleValue:
        assert disk.content(REF) == torn  # nothing was changed
    else:
        assert [int(entry.value) for entry in refs.history(disk, REF)] == [1, 2]


def check_a_ref_whose_move_failed_is_where_it_was(mode):
    for fail_at in failing.call_numbers(failing.move_ref, mode):
        watched, bench = failing.prepare(failing.move_ref, mode, fail_at=fail_at)
        before = refs.read(watched.inner, REF)
        try:
            bench.move_ref(1)
        except Exception:
            assert refs.read(watched.inner, REF) == before, watched.calls[fail_at]


def check_a_ref_in_a_missing_directory():
    disk = new_disk()
    disk.make_directories("/s/sessions/one")
    bench = Bench(disk)
    bench.move_ref(1)
    for left in cuts.every_cut(disk, cuts.CUTS):
        cuts.check_promises(left, bench.promises)


def check_a_log_that_is_locked_is_not_written():
    disk = new_disk()
    bench = Bench(disk)
    log = bench.log()
    log.create()
    bench.append(log, number=1)
    disk.lock(disk.open(log.path, os.O_RDWR), "it")
    with pytest.raises(LockHeld), log.writing():
        pass


def check_an_append_follows_what_came_before_the_lock():
    disk = new_disk()
    first = Bench(disk)
    log = first.log()
    log.create()
    first.append(log, number=1)
    other = Bench(disk)
    other_log = other.log()
    other_log.read_new()
    bench = Bench(Meddling(disk, lambda: other.append(other_log, number=2)))
    bench.append(bench.log(), number=3)
    assert [record.seq for record in Bench(disk).log().read_new()] == [0, 1, 2]


def check_nobody_holds_a_lock_afterwards():
    disk = new_disk()
    bench = Bench(disk)
    log = bench.log()
    log.create()
    bench.append(log, number=1)
    bench.move_ref(1)
    other = Bench(disk)
    other.append(other.log(), number=2)
    other.move_ref(2)


def check_nothing_is_left_open(mode):
    disk = new_disk()
    bench = Bench(disk, mode)
    log = bench.log()
    log.create()
    for number in range(3):
        bench.append(log, number=number)
        bench.put(b"%d" % number)
        bench.put(NOISE)
        bench.move_ref(number)
        bench.unsynced.sync()
        if number == 0:
            before = disk.open_count
    assert disk.open_count == before  # the log and its mark stay open
    bench.unsynced.add_log(log.path)
    bench.unsynced._doubtful = {log.path, REF, bench.objects._files.path(hash_bytes(NOISE), "")}
    for path in (REF, bench.objects._files.path(hash_bytes(NOISE), "")):
        (bench.unsynced.add_log if path == REF else bench.unsynced.add_file)(path)
    bench.unsynced.sync()
    assert disk.open_count == before
    tear(disk, log.path)
    bench.append(log, number=4)
    assert disk.open_count == before


def tear(disk, path):
    fd = disk.open(path, os.O_WRONLY | os.O_APPEND)
    disk.write(fd, b"torn")
    disk.close(fd)


def check_watchers_are_told_last(mode):
    """Of what is on stable storage, in full mode."""
    watched = Watched(new_disk())
    bench = Bench(watched, mode)
    log = bench.log()
    log.create()
    bench.append(log, number=1)
    assert watched.calls[-1] == ("touch", "/s/changed/one")


def check_a_log_is_not_written_again_while_somebody_appends():
    disk = new_disk()
    bench = Bench(disk, Mode.RELAXED)
    log = bench.log()
    log.create()
    bench.append(log, number=1)
    bench.unsynced._doubtful.add(log.path)
    holder = disk.open(log.path, os.O_RDWR)
    disk.lock(holder, "it")
    with pytest.raises(LockHeld):
        bench.unsynced.sync()
    disk.unlock(holder)

    def read(fd, length, offset):
        with pytest.raises(LockHeld):
            disk.lock(holder, "it")
        return MemoryDisk.pread(disk, fd, length, offset)

    disk.pread = read
    bench.unsynced.sync()
    cut = disk.power_cut(lambda count: 0)
    cuts.check_promises(cut, bench.promises)


def check_a_file_that_is_written_again_is_whole_before_it_has_its_name():
    disk = new_disk()
    bench = Bench(disk, Mode.RELAXED)
    bench.put(NOISE)
    path = bench.objects._files.path(hash_bytes(NOISE), "")
    disk.sync_directory(os.path.dirname(path))
    watched = Watched(disk, begun=False)
    again.write_file_again(watched, path)
    watched.begun = True
    for stop_at in range(12):
        disk = new_disk()
        bench = Bench(disk, Mode.RELAXED)
        bench.put(NOISE)
        bench.unsynced.sync()  # it is whole; who writes it again must not lose it
        with suppress(PowerCut):
            again.write_file_again(Watched(disk, stop_at=stop_at), path)
        for left in cuts.every_cut(disk, cuts.CUTS):
            cuts.check_promises(left, bench.promises)


def check_records_of_others_need_their_objects_first():
    """One process names an object and is killed; another one appends and is promised that."""
    disk = new_disk()
    first = Bench(disk, Mode.RELAXED)
    log = first.log()
    log.create()
    first.append(log, oid=first.put(NOISE).oid)
    second = Bench(disk, Mode.RELAXED)
    log = second.log()
    log._cover = lambda path, offset: Needed({first.objects._files.path(hash_bytes(NOISE), "")}, set(), set())
    second.append(log, number=1)
    second.unsynced.sync()
    for left in cuts.every_cut(disk, cuts.CUTS):
        cuts.check_promises(left, [*first.promises, *second.promises])


def check_in_relaxed_mode_no_record_is_on_disk_before_its_object():
    for stop_at in range(100):
        disk = new_disk()
        first = Bench(disk, Mode.RELAXED)
        log = first.log()
        log.create()
        first.append(log, number=0)
        first.unsynced.sync()
        watched = Watched(disk, begun=False)
        bench = Bench(watched, Mode.RELAXED)
        put_a_pack(bench)
        watched.begun = True
        watched.stop_after(stop_at)
        with suppress(PowerCut):
            bench.unsynced.sync()
        # Only what the sync has reached so far is there.
        cuts.check_wholeness(disk.power_cut(lambda count: 0))
        if not watched.is_dead:
            return


def check_names_whose_sync_failed_are_synced_again():
    for fail_at in range(20):
        disk = new_disk()
        watched = Watched(disk, fail_at=fail_at, begun=False)
        bench = Bench(watched)
        log = bench.log()
        log.create()
        watched.begun = True
        for number in range(2):
            with suppress(Exception):
                bench.append(log, number=number)
        for left in cuts.every_cut(disk, cuts.CUTS):
            cuts.check_promises(left, bench.promises)


def check_a_torn_tail_is_always_somewhere():
    for stop_at in range(30):
        disk = new_disk()
        bench = Bench(disk)
        log = bench.log()
        log.create()
        bench.append(log, number=1)
        disk.put(log.path, disk.content(log.path) + scenarios.TORN)
        with suppress(PowerCut):
            other = Bench(Watched(disk, stop_at=stop_at))
            other.append(other.log(), number=2)
        for left in cuts.every_cut(disk, cuts.CUTS):
            has_bytes_somewhere(Bench(left), scenarios.TORN)


def check_what_others_were_placing_is_kept():
    """Somebody was killed while publishing a file; who publishes the same is promised it."""
    path = "/s/objects/00/x"
    for stop_at, mode in itertools.product(range(12), Mode):
        disk = new_disk()
        with suppress(PowerCut):
            first = Bench(Watched(disk, stop_at=stop_at), mode)
            publishing.publish(first.disk, first.unsynced, first.mode, b"x", path, staging="/s/tmp")
        second = Bench(disk.process_crash(), mode)
        publishing.publish(second.disk, second.unsynced, second.mode, b"x", path, staging="/s/tmp")
        second.unsynced.sync()
        for left in cuts.every_cut(second.disk, cuts.CUTS):
            has_file(Bench(left), path, b"x")


def put_a_pack(bench):
    """Content in pieces, of which the small ones go into a pack, and a record that names it."""
    log = bench.log()
    log.create()
    for number in range(3):
        with bench.staged(bench.put(NOISE).oid) as (staged, finish):
            staged.append(b"%d" % number * 100)
            bench.append(log, oid=finish())


def check_what_others_packed_is_kept(mode):
    """Somebody packed an object and was killed; who finds it and puts the same is promised it."""
    disk = new_disk()
    first = Bench(disk, Mode.RELAXED)
    put_a_pack(first)
    second = Bench(disk, mode)
    before = disk.open_count
    for data in [content for check, (content, *_) in first.promises if check is has_object]:
        has_object(second, data)
        second.put(data)
    second.unsynced.sync()
    assert disk.open_count == before
    for left in cuts.every_cut(disk, cuts.CUTS):
        cuts.check_promises(left, second.promises)


MORE = [
    check_a_ref_is_compared_with_what_it_is_when_it_is_locked,
    check_a_ref_that_is_locked_is_not_moved,
    partial(check_a_torn_ref, 1),
    partial(check_a_torn_ref, 7),
    *(partial(check_a_ref_whose_move_failed_is_where_it_was, mode) for mode in Mode),
    check_a_ref_in_a_missing_directory,
    check_a_log_that_is_locked_is_not_written,
    check_an_append_follows_what_came_before_the_lock,
    check_nobody_holds_a_lock_afterwards,
    *(partial(check_nothing_is_left_open, mode) for mode in Mode),
    *(partial(check_watchers_are_told_last, mode) for mode in Mode),
    check_a_log_is_not_written_again_while_somebody_appends,
    check_a_file_that_is_written_again_is_whole_before_it_has_its_name,
    check_records_of_others_need_their_objects_first,
    check_in_relaxed_mode_no_record_is_on_disk_before_its_object,
    check_names_whose_sync_failed_are_synced_again,
    check_a_torn_tail_is_always_somewhere,
    check_what_others_were_placing_is_kept,
    *(partial(check_what_others_packed_is_kept, mode) for mode in Mode),
]

# The quick ones: each takes at most a tenth of a second.
SCENARIOS = [scenario for scenario in scenarios.SCENARIOS if scenario is not scenarios.append_to_an_object]


def battery() -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield every check, those that find most first."""
    for scenario in SCENARIOS:
        yield f"{scenario.__name__} then sync", partial(cuts.check_cuts_after_sync, scenario)
    for operation in (failing.append, failing.move_ref):
        for mode in Mode:
            yield "full disk", partial(failing.test_a_full_disk_changes_nothing, operation, mode)
    for check in MORE:
        yield getattr(check, "__name__", str(check)), check
    for scenario in SCENARIOS:
        yield f"{scenario.__name__} in full mode", partial(cuts.check_all_cuts, scenario)
    for scenario in scenarios.REPEATABLE:
        for mode in Mode if scenario in SCENARIOS else ():
            yield f"{scenario.__name__} killed", partial(cuts.check_cuts_after_a_kill, scenario, mode)
    for operation in (failing.put_small, failing.append_with_an_object, failing.move_ref, failing.put_artifact):
        for mode in Mode:
            for number in failing.KINDS:
                yield "failing", partial(failing.test_a_failing_call_is_an_error_of_its_kind, operation, mode, number)
            yield "short", partial(failing.test_a_short_write_is_gone_on_with, operation, mode)
            yield "leak", partial(failing.test_a_failing_call_leaves_no_descriptor_open, operation, mode)


EQUAL = {
    "place: swapped if placed: disk.fsync(temporary.fd) else: with contextlib.su | "
    "disk.sync_directory(os.path.dirname(target))": "both come before it returns",
    "ObjectFiles.keep: swapped if self._mode is Mode.RELAXED: self._unsynced.add_pack(path) | "
    "sync_file(self.disk, path)": "it is synced earlier than it must be",
    "_keep: swapped if mode is Mode.FULL: disk.fdatasync(fd) else: unsynced.add_ | "
    "sync_name(disk, unsynced, mode, path)": "both come before it returns",
    'Log.begin: swapped if self._denied is not None: raise ReadOnlyStore(f"{self.pat | '
    "if self._writers == 0: self._disk.lock(fd, self.path)": "either refuses",
    "Log.owe: swapped if not self._is_named: self._keep_names() | "
    "self._unsynced.add_log(self.path, self._covering())": "both are only noted",
    "Log.sync: swapped write_log_again(self._disk, self.path) | "
    "self._is_doubtful = False": "when it fails, it is doubtful again",
    "Log._set_tail_aside: swapped try: kept = self._disk.open(aside, os.O_WRONLY | os.O_CREAT  | "
    "self._refused = None": "it is read once more",
    "Log._set_tail_aside: swapped self._disk.fsync(kept) | "
    "self._disk.sync_directory(self._staging)": "both come before the cut",
    "Unsynced._sync: swapped for path in sorted(files): self._sync_file(path, self._disk. | "
    "for path in sorted(packs): self._sync_file(path, self._disk.": "both come before the logs",
    "Unsynced._sync: swapped for path in sorted(packs): self._sync_file(path, self._disk. | "
    "for directory in sorted(directories | {os.path.dirname(path)": "both come before the logs",
    "ObjectFiles.keep: swapped if self._mode is Mode.RELAXED and (not is_pack): self._unsyn | "
    "try: if is_pack: sync_name(self.disk, self._unsynced, self._": "it is synced either way",
    "ObjectFiles.keep: swapped sync_file(self.disk, path) | "
    "self.disk.sync_directory(os.path.dirname(path))": "both come before it returns",
}
"""Mutants that keep every promise, and why."""


def is_noticed(mutant: Mutant) -> bool:
    with mutant.applied():
        for _, check in battery():
            try:
                check()
            except (Exception, pytest.fail.Exception):
                return True
    return False


def test_without_a_mutant_every_check_passes():
    for _, check in battery():
        check()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_every_step_is_needed_and_stands_where_it_must(function):
    missed = [mutant.name for mutant in mutants(function) if mutant.name not in EQUAL and not is_noticed(mutant)]
    assert missed == []


def test_the_list_of_equal_mutants_is_up_to_date():
    names = {mutant.name for function in FUNCTIONS for mutant in mutants(function)}
    assert set(EQUAL) - names == set()
