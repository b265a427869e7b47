"""A session as it was at one moment: a fold that ends there, which nothing changes any more.

It is made from the newest snapshot before the moment and the records behind that, every one's chain checked (see
:mod:`sessionfs.store.past`). Views that were opened last are kept, within bounds: the same moment again costs
microseconds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sessionfs.artifacts import Tree
from sessionfs.clock import parse_time
from sessionfs.log import Log, Position
from sessionfs.objects import ObjectDatabase
from sessionfs.sessions import Fields, SessionInfo
from sessionfs.state import State
from sessionfs.store import past
from sessionfs.store.describe import describe
from sessionfs.store.fold import Fold
from sessionfs.store.session import Session
from sessionfs.travel.moment import Moment
from sessionfs.travel.resolve import resolve_moment

# How many views are kept, and how many artifacts they may have together: each takes about 1 KiB once it was looked at.
_MAX_VIEWS = 16
_MAX_ARTIFACTS = 200_000


class View:
    """A session after its record number ``seq``. Read-only: what its tree and state say never changes.

    Attributes:
        session_id: Whose it is.
        position: The place in the log that it ends at; its ``chain`` names the moment in all copies of the session.
        lock: To be held while the tree or the state is read: directories are read when somebody first looks.
        objects: Where content is.
    """

    def __init__(self, session_id: str, position: Position, fold: Fold, objects: ObjectDatabase) -> None:
        self.session_id = session_id
        self.position = position
        self.fold = fold
        self.objects = objects
        self.lock = threading.RLock()

    @property
    def id(self) -> str:
        """The session's id, as live sessions call it."""
        return self.session_id

    @property
    def seq(self) -> int:
        """The number of the last record that it is made of."""
        return self.position.seq - 1

    @property
    def time_ns(self) -> int:
        """When that record was written."""
        return parse_time(self.fold.fields.updated_at)

    @property
    def tree(self) -> Tree:
        """The artifacts."""
        return self.fold.tree

    @property
    def state(self) -> State:
        """The keys and values."""
        return self.fold.state

    @property
    def fields(self) -> Fields:
        """What the session said about itself."""
        return self.fold.fields

    def refresh(self) -> bool:
        """Do nothing: it is what it was. Live sessions have the same method."""
        return False

    def info(self) -> SessionInfo:
        """Return what the session was."""
        with self.lock:
            return describe(self.fold, event_count=self.position.seq)

    def __repr__(self) -> str:
        return f"<View of {self.session_id!r} after record {self.seq}>"


def view_at(session: Session, moment: Moment | Position) -> View:
    """Return *session* as it was at *moment*.

    Views are shared: nobody may change one. For a fold of one's own there is :func:`sessionfs.store.past.fold_at`.

    Args:
        moment: Or a place in the log, as :func:`sessionfs.travel.resolve_moment` gives it.

    Raises:
        BeforeSession, InFuture, NoSuchCheckpoint: The session has no such moment.
        CorruptLog, InconsistentLog: The log is damaged before it.
        NoSuchSession: It was deleted.

    Concurrency:
        Takes no file lock, and the session's thread lock only while it looks for the place.
    """
    position = moment if isinstance(moment, Position) else resolve_moment(session, moment)
    key = (session.log, position.chain)
    view = _kept.find(key)
    if view is None:
        fold = past.fold_at(session, position).fold
        view = _kept.keep(key, View(session.id, position, fold, session.objects))
    return view


_Key = tuple[Log, str]


class _Kept:
    """The views that were opened last. Thread-safe."""

    def __init__(self) -> None:
        self._views: OrderedDict[_Key, View] = OrderedDict()
        self._artifact_count = 0
        self._lock = threading.Lock()

    def find(self, key: _Key) -> View | None:
        with self._lock:
            view = self._views.get(key)
            if view is not None:
                self._views.move_to_end(key)
            return view

    def keep(self, key: _Key, view: View) -> View:
        """Keep *view*, let go of those that were not asked for longest, and return the one that is kept."""
        with self._lock:
            known = self._views.get(key)
            if known is not None:
                return known  # another thread was faster
            self._views[key] = view
            self._artifact_count += view.tree.artifact_count
            while len(self._views) > _MAX_VIEWS or (self._artifact_count > _MAX_ARTIFACTS and len(self._views) > 1):
                _, old = self._views.popitem(last=False)
                self._artifact_count -= old.tree.artifact_count
            return view


_kept = _Kept()
