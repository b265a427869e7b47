"""Objects in the trash: they lie there under their own names until the trash is emptied.

    trash/+objects@<time>/<oid><suffix>    moved there at that time, because nobody needed it

Reading one takes it back, so nobody has to know.
"""

from __future__ import annotations

from sessionfs.durable import Disk

NAME = "+objects"
PREFIX = f"{NAME}@"


class Trashed:
    """The objects in one trash."""

    def __init__(self, disk: Disk, directory: str | None) -> None:
        """Look at the trash at *directory*; None for none."""
        self._disk = disk
        self._directory = directory

    def find(self, name: str) -> str | None:
        """Return where the object's file *name* lies in the trash; None when it does not."""
        for directory in self.directories():
            path = f"{directory}/{name}"
            if self._disk.size_at(path) is not None:
                return path
        return None

    def directories(self) -> list[str]:
        """Return the directories with objects, the newest first."""
        if self._directory is None:
            return []
        try:
            names = self._disk.listdir(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [f"{self._directory}/{name}" for name in sorted(names, reverse=True) if name.startswith(PREFIX)]
