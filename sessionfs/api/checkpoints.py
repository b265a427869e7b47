"""The checkpoints of a session, as a mapping: moments with names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sessionfs.refs import MalformedRefName
from sessionfs.store.session import Session
from sessionfs.travel import NOW, Moment, moment_of
from sessionfs.travel.checkpoints import (
    Checkpoint,
    delete_checkpoint,
    find_checkpoint,
    list_checkpoints,
    resolve_checkpoint,
)
from sessionfs.travel.mark import make_checkpoint


class Checkpoints(Mapping[str, Checkpoint]):
    """Names and checkpoints, in the order of their moments. Thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getitem__(self, name: str) -> Checkpoint:
        return resolve_checkpoint(self._session, name)

    def __iter__(self) -> Iterator[str]:
        return iter([checkpoint.name for checkpoint in self.list()])

    def __len__(self) -> int:
        return len(self.list())

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and find_checkpoint(self._session, name) is not None
        except MalformedRefName:
            return False

    def list(self) -> list[Checkpoint]:
        """Return all of them."""
        return list_checkpoints(self._session)

    def create(
        self, name: str, *, message: str = "", at: str | int | datetime | Moment = NOW, replace: bool = False
    ) -> Checkpoint:
        """Give a moment a name, by which ``session.at(name)`` finds it.

        Args:
            message: What it is, or why, for people.
            at: The moment, in any of the forms of :meth:`Session.at`; the present by default.
            replace: Take the name from the moment that has it.

        Raises:
            Conflict: The name is taken.
            InvalidInput: It cannot be a name, or means another moment already, as ``5`` and ``yesterday`` do.
            NotFound: There is no such moment.

        Durability:
            As the durability mode says.
        """
        return make_checkpoint(self._session, name, moment_of(at), message=message, replace=replace)

    def delete(self, name: str) -> str:
        """Take a name away, and return the oid of the snapshot that it stood for. The moment itself stays."""
        return delete_checkpoint(self._session, name)

    def __repr__(self) -> str:
        return f"<sessionfs.Checkpoints of {self._session.id!r}>"
