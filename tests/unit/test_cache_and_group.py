import threading

import pytest

from sessionfs.durable import GroupCommit
from sessionfs.objects import BlockCache


def test_a_cache_keeps_to_its_limit_and_lets_the_oldest_go():
    cache = BlockCache(limit_bytes=30)
    for index in range(3):
        cache.add("a", index, bytes(10))
    assert cache.find("a", 0) == bytes(10)  # now it is the newest
    cache.add("b", 0, bytes(10))
    assert cache.find("a", 1) is None
    assert cache.find("a", 0) is not None
    assert cache.used_bytes == 30
    cache.add("c", 0, bytes(31))
    assert cache.find("c", 0) is None and cache.used_bytes == 30
    cache.add("b", 0, b"again")
    assert cache.find("b", 0) == bytes(10)


class File:
    """An append-only file that counts its syncs, each of which waits for leave."""

    def __init__(self):
        self.written = 0
        self.synced = 0
        self.sync_count = 0
        self.failing = False
        self.begun = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)

    def sync(self):
        covered = self.written
        self.begun.release()
        self.leave.acquire()
        self.sync_count += 1
        if self.failing:
            self.failing = False
            raise OSError("EIO")
        self.synced = max(self.synced, covered)


def start(group, file, end, outcomes):
    def wait():
        try:
            group.wait(end, lambda: file.written, file.sync)
            outcomes.append((end, file.synced >= end))
        except OSError:
            outcomes.append((end, "failed"))

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_one_sync_serves_all_who_came_during_the_one_before():
    group, file, outcomes = GroupCommit(), File(), []
    file.written = 1
    threads = [start(group, file, 1, outcomes)]
    file.begun.acquire()
    file.written = 9
    threads += [start(group, file, end, outcomes) for end in range(2, 10)]
    file.leave.release(2)
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == [(end, True) for end in range(1, 10)]
    assert file.sync_count == 2


def test_what_is_synced_is_not_synced_again():
    group, file = GroupCommit(), File()
    file.written = 5
    file.leave.release(1)
    group.wait(5, lambda: file.written, file.sync)
    group.wait(3, lambda: file.written, file.sync)
    assert file.sync_count == 1


def test_a_failed_sync_is_the_callers_and_nobody_elses_promise():
    group, file, outcomes = GroupCommit(), File(), []
    file.written, file.failing = 1, True
    threads = [start(group, file, 1, outcomes)]
    file.begun.acquire()
    file.written = 2
    threads.append(start(group, file, 2, outcomes))
    file.leave.release(2)
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes, key=str) == [(1, "failed"), (2, True)]
    with pytest.raises(OSError, match="EIO"):
        file.written, file.failing = 3, True
        file.leave.release(1)
        group.wait(3, lambda: file.written, file.sync)
