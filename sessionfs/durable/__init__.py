"""The ground: how bytes reach the disk, and when they are safe there.

``disk``      the system calls, behind one interface that tests replace by a disk that loses power
``filesystem`` where a store can be written to, and where its locks would not hold
``publish``   the two durable writes, as sequences whose order is the argument
``unsynced``  what ``relaxed`` mode still owes the disk, and the one place that pays it
``background`` syncing once per interval
``group``     one fdatasync for all who wait (``full`` mode)
``at_once``   one sync of the filesystem for all that is written in bulk
``again``     after a sync that failed: write again, never believe a retry
"""

from sessionfs.durable.at_once import SyncedAtOnce
from sessionfs.durable.background import BackgroundSync
from sessionfs.durable.disk import Disk, OsDisk, Temporary, pwrite_all, write_all
from sessionfs.durable.filesystem import disk_at, why_refused
from sessionfs.durable.group import GroupCommit
from sessionfs.durable.publish import Mode, append, place, publish
from sessionfs.durable.unsynced import Needed, Unsynced

__all__ = [
    "BackgroundSync",
    "Disk",
    "GroupCommit",
    "Mode",
    "Needed",
    "OsDisk",
    "SyncedAtOnce",
    "Temporary",
    "Unsynced",
    "append",
    "disk_at",
    "place",
    "publish",
    "pwrite_all",
    "why_refused",
    "write_all",
]
