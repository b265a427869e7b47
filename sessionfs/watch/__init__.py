"""Watching: what is appended to the logs of a store, by whichever process, as it happens.

``inotify``       the kernel's events, as values
``notification``  where the kernel tells of changes, and where it does not
``notices``       who says that a session may have new records
``cursor``        a place in one log, and reading on from there
``logs``          all the logs that are followed
``waiting``       until something is told: in a thread, or as a task of trio or asyncio
``watch``         the iterator

A notice says only that something may have happened; what happened is read in the log, from the place where the last
reading ended. So a notice that is lost, doubled or late costs time, and never an event.
"""

from sessionfs.watch.cursor import LogRewritten
from sessionfs.watch.logs import LostLog, Start
from sessionfs.watch.watch import Make, Watch

__all__ = ["LogRewritten", "LostLog", "Make", "Start", "Watch"]
