"""Appending a plan: a checkpoint of what is, then all of the plan's records in one go, then what they were for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sessionfs.artifacts import text_of
from sessionfs.oid import ObjectId
from sessionfs.sessions import Moved
from sessionfs.store import snapshot as snapshots
from sessionfs.store.artifacts import check_growth
from sessionfs.store.operation import grouped
from sessionfs.store.session import Session
from sessionfs.travel.automatic import keep_newest
from sessionfs.travel.checkpoints import point_checkpoint
from sessionfs.travel.consent import Consent
from sessionfs.travel.plan import Plan, Record


class Changed(msgspec.Struct, frozen=True):
    """What became of one artifact or one key of the state."""

    what: str  # "artifact" or "state"
    name: str  # its path, or the key
    kind: str  # "added", "deleted", "renamed" or "modified"
    renamed_from: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Return it JSON-ready: paths in text form."""
        is_path = self.what == "artifact"
        return {
            "what": self.what,
            "name": text_of(self.name) if is_path else self.name,
            "kind": self.kind,
            "renamed_from": None if self.renamed_from is None else text_of(self.renamed_from),
        }


class Prepared(NamedTuple):
    """What is to be appended."""

    snapshot: ObjectId  # what :func:`begin_plan` returned
    plan: Plan
    last: Record  # says what all of it was for
    checkpoint: str | None  # the name by which people find what was before
    message: str = ""  # what they read beside that name


def begin_plan(session: Session) -> tuple[ObjectId, Plan]:
    """Return a snapshot of *session*, and an empty plan that starts from it; the caller is inside ``writing()``."""
    oid = session.write_snapshot()
    copy = session.empty_fold()
    snapshots.restore(session.objects, snapshots.read(session.objects, oid), copy)
    return oid, Plan(copy, session.make_ino)


def carry_out(session: Session, prepare: Callable[[], Prepared | None]) -> int | None:
    """Do what *prepare* returns: all of it or nothing.

    Args:
        prepare: Called with the session's lock held, once, or several times if hooks have to be asked meanwhile;
            returns None when there is nothing to do.

    Returns:
        The number of the last record; None when there was nothing to do.

    Raises:
        SessionNotWritable: The session is not active; so nothing was changed, as with all that follows.
        LimitReached: A limit of config.toml would be exceeded.
        HookVeto, HookFailed, KeepsChanging: Hooks did not let it pass.
        NoSpace, ReadOnlyStore, LockHeld, CorruptLog: It cannot be written.
    """
    consent = Consent(session)
    while True:
        with session.writing():
            session.check_writable()
            prepared = prepare()
            missing = [] if prepared is None else consent.missing(prepared.plan)
            if not missing:
                return None if prepared is None else _append(session, prepared, consent)
        consent.ask(missing)


def _append(session: Session, prepared: Prepared, consent: Consent) -> int:
    plan, checkpoint = prepared.plan, prepared.checkpoint
    check_growth(session.config, session.tree, plan.fold.tree)
    saved = Moved(snapshot=prepared.snapshot, checkpoint=checkpoint)
    drafts = [session.draft("session.saved", saved, names_snapshot=True)]
    records = [*consent.answered(plan.records), prepared.last]
    drafts += [session.draft(type, data) for type, data in records]
    if checkpoint is not None:
        point_checkpoint(session, checkpoint, prepared.snapshot, message=prepared.message)
    first_seq = session.log.position.seq + 1
    with grouped(None):  # an operation of its own, also inside one: it may take that one back
        session.append_drafts(drafts, [saved, *(data for _, data in records)])
    if checkpoint is not None:
        keep_newest(session, session.config.keep_automatic_checkpoints)
    consent.tell(plan, first_seq)
    return session.log.position.seq - 1
