"""The verbs that change a session's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.state import MAX_INLINE_BYTES, NoSuchKey, check_key, encode_value

if TYPE_CHECKING:
    from sessionfs.store.session import Session


class Values:
    """The changing verbs of one session's state; reading goes through ``session.fold.state``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, key: str, value: Any) -> None:
        """Set *key* to *value*, any JSON.

        Raises:
            BadKey, BadValue, SessionNotWritable: Nothing was changed.

        Durability:
            As the durability mode says.
        """
        self.set_json(key, encode_value(value))

    def set_json(self, key: str, json: bytes) -> None:
        """Set *key* to the value whose compact JSON is *json*."""
        session = self._session
        check_key(key)
        oid = session.objects.put_bytes(json).oid if len(json) > MAX_INLINE_BYTES else None
        with session.writing():
            session.check_writable()
            session.append("state.changed", session.fold.state.describe_change(key, json, oid))

    def delete(self, key: str) -> None:
        """Delete *key*.

        Raises:
            NoSuchKey: It has no value.
        """
        session = self._session
        check_key(key)
        with session.writing():
            session.check_writable()
            if key not in session.fold.state:
                raise NoSuchKey(f"the state of session {session.id} has no key {key!r}")
            session.append("state.changed", session.fold.state.describe_change(key, None))
