"""Which sessions have which name, tag, status, date and parent: what the ``by-*`` directories show.

Read when somebody first looks there, and then session by session as they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sessionfs.artifacts.names import MAX_NAME_BYTES
from sessionfs.clock import format_time
from sessionfs.errors import Error
from sessionfs.sessions import SessionInfo, Status
from sessionfs.store.store import Store

_SHORTEST_PREFIX = 8

_KEYS: dict[str, Callable[[SessionInfo], Iterable[str]]] = {
    "by-tag": lambda info: info.tags,
    "by-status": lambda info: (info.status.value,),
    "by-date": lambda info: (format_time(info.created_ns)[:10],),
}


class Overview:
    """What is known of every session."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._infos: dict[str, SessionInfo] = {}
        self._changed: set[str] = set()

    def changed(self, session_id: str) -> None:
        """Note that a session is not what it was; it is read again when somebody looks."""
        self._changed.add(session_id)

    def keys(self, folder: str) -> list[str]:
        """Return the values that sessions have, sorted; every status, whether a session has it or not."""
        if folder == "by-status":
            return [status.value for status in Status]
        keys_of = _KEYS[folder]
        return sorted({key for info in self._read().values() for key in keys_of(info)})

    def sessions(self, folder: str, key: str) -> list[str]:
        """Return the ids of the sessions with a value, sorted."""
        keys_of = _KEYS[folder]
        return [session_id for session_id, info in self._read().items() if key in keys_of(info)]

    def names(self) -> dict[str, str]:
        """Return session ids by name, each name once; see :func:`unique_names`."""
        return unique_names(
            {session_id: info.name for session_id, info in self._read().items() if info.name is not None}
        )

    def children(self, parent: str) -> list[str]:
        """Return the ids of the sessions with this parent, sorted."""
        return [session_id for session_id, info in self._read().items() if info.parent == parent]

    def _read(self) -> dict[str, SessionInfo]:
        ids = self._store.session_ids()
        changed, self._changed = self._changed, set()
        infos: dict[str, SessionInfo] = {}
        for session_id in ids:
            info = self._infos.get(session_id)
            if info is None or session_id in changed:
                info = self._read_one(session_id)
            if info is not None:
                infos[session_id] = info
        self._infos = infos
        return infos

    def _read_one(self, session_id: str) -> SessionInfo | None:
        try:
            return self._store.session(session_id).info()
        except Error:
            return None  # gone, damaged beyond reading, or never came to be; fsck tells


def unique_names(names: dict[str, str]) -> dict[str, str]:
    """Return ids by a file name for each.

    It is the session's name where that is one session's alone and can be a file's name. Otherwise ``/`` becomes ``_``,
    what is too long is cut, and ``~`` and the shortest prefix of the id that tells it apart (8 or more) are added.

    Args:
        names: Names by id.
    """
    shown: dict[str, list[str]] = {}
    for session_id, name in sorted(names.items()):
        shown.setdefault(name.replace("/", "_"), []).append(session_id)
    unique: dict[str, str] = {}
    for name, ids in shown.items():
        for session_id in ids:
            is_plain = len(ids) == 1 and names[session_id] == name and name not in (".", "..")
            if is_plain and len(name.encode()) <= MAX_NAME_BYTES:
                unique[name] = session_id
                continue
            ending = "~" + _prefix(session_id, ids)
            room = MAX_NAME_BYTES - len(ending)
            unique[name.encode()[:room].decode("utf-8", "ignore") + ending] = session_id
    return unique


def _prefix(session_id: str, ids: list[str]) -> str:
    length = _SHORTEST_PREFIX
    while length < len(session_id) and sum(other.startswith(session_id[:length]) for other in ids) > 1:
        length += 1
    return session_id[:length]
