"""How owner, permissions and times in the kernel's cache are shown, where the mount was told to show others.

Only the view changes: what is recorded stays what it is, ``chown`` and ``chmod`` are recorded as ever (as bindfs does
it; ntfs-3g too lets them pass), and another mount shows it. The kernel checks permissions by what is shown.
"""

from __future__ import annotations

import stat
from typing import NamedTuple

from pyfuse3 import EntryAttributes, ModeT


class Shown(NamedTuple):
    """What is shown in place of what is recorded; None for no change."""

    uid: int | None = None
    gid: int | None = None
    umask: int | None = None
    cache_seconds: float | None = None

    def apply(self, entry: EntryAttributes) -> EntryAttributes:
        """Change *entry* to what is shown, and return it."""
        if self.uid is not None:
            entry.st_uid = self.uid
        if self.gid is not None:
            entry.st_gid = self.gid
        entry.st_mode = ModeT(self.mode(entry.st_mode))
        entry.attr_timeout = self.seconds(entry.attr_timeout)
        entry.entry_timeout = self.seconds(entry.entry_timeout)
        return entry

    def seconds(self, known: float) -> float:
        """Return how long the kernel may keep what it might keep for *known* seconds."""
        return known if self.cache_seconds is None else min(known, self.cache_seconds)

    def mode(self, mode: int) -> int:
        """Return the type and permissions that are shown for *mode*."""
        if stat.S_ISLNK(mode):
            return mode
        if not stat.S_ISDIR(mode) and (self.uid, self.gid, self.umask) != (None, None, None):
            # Made for another owner than the one that is shown, who might be root.
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
        if self.umask is None:
            return mode
        # What the owner may do, everybody may, except for what the umask takes away: as if it had been made under
        # that umask. So programs stay programs, and what is read-only stays that.
        owner = (mode & stat.S_IRWXU) >> 6
        return (mode & ~0o777) | (owner * 0o111 & ~self.umask)
