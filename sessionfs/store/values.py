"""The verbs that change a session's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.state import MAX_INLINE_BYTES, NoSuchKey, check_key, encode_value
from sessionfs.store import conditions, proposals

if TYPE_CHECKING:
    from sessionfs.store.session import Session


class Values:
    """The changing verbs of one session's state; reading goes through ``session.fold.state``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, key: str, value: Any, **conditions: Any) -> None:
        """Set *key* to *value*, any JSON.

        Args:
            conditions: As for :meth:`set_json`.

        Raises:
            BadKey, BadValue, SessionNotWritable, Stale: Nothing was changed.

        Durability:
            As the durability mode says.
        """
        self.set_json(key, encode_value(value), **conditions)

    def set_json(self, key: str, json: bytes, *, if_match: bytes | None = None, if_none_match: bool = False) -> None:
        """Set *key* to the value whose compact JSON is *json*.

        Args:
            if_match: Only if its value is this JSON now.
            if_none_match: Only if it has none.
        """
        session = self._session
        check_key(key)
        oid = session.objects.put_bytes(json).oid if len(json) > MAX_INLINE_BYTES else None
        asked = session.asking.ask("state.change", lambda: proposals.of_value(session, key, json))
        with session.writing():
            session.check_writable()
            if if_match is not None or if_none_match:
                conditions.check_value(key, session.fold.state, if_match, if_none_match)
            change = session.fold.state.describe_change(key, json, oid)
            session.asking.append(asked, [("state.changed", change)])

    def delete(self, key: str) -> None:
        """Delete *key*.

        Raises:
            NoSuchKey: It has no value.
        """
        session = self._session
        check_key(key)
        asked = session.asking.ask("state.change", lambda: proposals.of_value(session, key, None))
        with session.writing():
            session.check_writable()
            if key not in session.fold.state:
                raise NoSuchKey(f"the state of session {session.id} has no key {key!r}")
            session.asking.append(asked, [("state.changed", session.fold.state.describe_change(key, None))])
