"""What belongs to one session and is no node of its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.clock import parse_time
from sessionfs.mount.namespace import Folder, Virtual

if TYPE_CHECKING:
    from sessionfs.mount.mounted import MountedSession
    from sessionfs.mount.view import View


class OfSession(Virtual):
    """What belongs to one session; its path is ``sessions/<id>/…``."""

    def __init__(self, view: View, path: str) -> None:
        super().__init__(view, path)
        self._session_id = path.split("/")[1]

    @property
    def mounted(self) -> MountedSession:
        """The session: not kept, because another one may have the same id later."""
        return self.view.mounted(self._session_id)

    @property
    def name(self) -> str:
        """Its name in its directory."""
        return self.path.rpartition("/")[2]

    def refresh(self) -> None:
        self.mounted.refresh()

    def changed_ns(self) -> int:
        return parse_time(self.mounted.session.fold.fields.updated_at)


class OfSessionFolder(OfSession, Folder):
    """A directory in it."""
