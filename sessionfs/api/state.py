"""The state of a session, as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from sessionfs.store.session import Session


class State(MutableMapping[str, Any]):
    """Keys and JSON values; every change is an event. Thread-safe.

    A value that is read is a copy: change it and set it again.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __getitem__(self, key: str) -> Any:
        self._session.refresh()
        with self._session.log.lock:
            return self._session.fold.state.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._session.values.set(key, value)

    def __delitem__(self, key: str) -> None:
        self._session.values.delete(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.list())

    def __len__(self) -> int:
        self._session.refresh()
        return len(self._session.fold.state)

    def __contains__(self, key: object) -> bool:
        self._session.refresh()
        return key in self._session.fold.state

    def list(self, prefix: str = "") -> list[str]:
        """Return the keys that start with *prefix*, sorted."""
        self._session.refresh()
        with self._session.log.lock:
            return self._session.fold.state.keys(prefix)

    def to_dict(self, prefix: str = "") -> dict[str, Any]:
        """Return keys and values at one moment."""
        self._session.refresh()
        with self._session.log.lock:
            state = self._session.fold.state
            return {key: state.get(key) for key in state.keys(prefix)}

    def __repr__(self) -> str:
        return f"<sessionfs.State of {self._session.id!r}>"
