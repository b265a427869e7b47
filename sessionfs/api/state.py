"""The state of a session, as a mapping."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from sessionfs.api.reading import StateView
from sessionfs.state import encode_value
from sessionfs.store.session import Session

_ANYTHING: Any = object()


class State(StateView, MutableMapping[str, Any]):
    """Keys and JSON values; every change is an event. Thread-safe.

    A value that is read is a copy: change it and set it again.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def set(self, key: str, value: Any, *, if_match: Any = _ANYTHING, if_none_match: bool = False) -> None:
        """Set *key* to *value*, if its value now is what is expected; ``state[key] = value`` sets it whatever it is.

        Args:
            if_match: The value that it must have now.
            if_none_match: It must have none.

        Raises:
            Conflict: It is another one; nothing was changed. Read it again and decide anew.
        """
        expected = None if if_match is _ANYTHING else encode_value(if_match)
        self._session.values.set(key, value, if_match=expected, if_none_match=if_none_match)

    def __setitem__(self, key: str, value: Any) -> None:
        self._session.values.set(key, value)

    def __delitem__(self, key: str) -> None:
        self._session.values.delete(key)
