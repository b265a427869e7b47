"""Artifacts and state at the place where a replay is: a fold that goes along.

It goes forwards by the records in between, when there are few, and is made anew anywhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sessionfs.artifacts import Tree
from sessionfs.objects import ObjectDatabase
from sessionfs.replay.tape import Tape
from sessionfs.state import State
from sessionfs.store import past
from sessionfs.store.session import Session
from sessionfs.travel import AfterRecord, resolve_moment

# So many records are applied in about the time in which a snapshot is read.
_MOST_STEPS = 500


class Standing:
    """What a session was after the record that *where* returns the number of; before the first one, for -1.

    Attributes:
        lock: To be held while the tree or the state is read.
    """

    def __init__(self, session: Session, tape: Tape, where: Callable[[], int]) -> None:
        self._session = session
        self._tape = tape
        self._where = where
        self._seq = -2  # of the last record in the fold; nowhere yet
        self.fold = session.empty_fold()
        self.lock = threading.RLock()

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def objects(self) -> ObjectDatabase:
        """Where content is."""
        return self._session.objects

    @property
    def tree(self) -> Tree:
        """The artifacts."""
        return self.fold.tree

    @property
    def state(self) -> State:
        """The keys and values."""
        return self.fold.state

    def refresh(self) -> bool:
        """Go where the replay is; True when that is elsewhere.

        Raises:
            CorruptLog, InconsistentLog, LostBeginning: What was so there cannot be read.
            NoSuchSession: It was deleted meanwhile.
        """
        with self.lock:
            wanted = self._where()
            if wanted == self._seq:
                return False
            known, self._seq = self._seq, -2  # whatever fails leaves a fold that is nowhere
            if 0 <= known < wanted <= known + _MOST_STEPS:
                for seq in range(known + 1, wanted + 1):
                    self.fold.apply(self._tape.event(seq).record)
            elif wanted < 0:
                self.fold = past.begin(self._session).fold
            else:
                position = resolve_moment(self._session, AfterRecord(wanted))
                self.fold = past.fold_at(self._session, position).fold
            self._seq = wanted
            return True
