"""Importing: ordinary files, or an export, become a session - all of it or nothing.

First everything is read, and content is put into the store's objects, which no record names yet. Then the records are
made, checked by applying them to a fold, and appended together with the first one: whatever happens before that, there
is no session; from then on there is all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple

import msgspec
from msgspec.structs import replace

from sessionfs.artifacts import Tree, from_text, text_of
from sessionfs.backup.export_sidecar import Sidecar
from sessionfs.backup.import_directory import read_directory
from sessionfs.backup.import_items import Items, Record, Source
from sessionfs.backup.import_members import Intake, Members
from sessionfs.backup.import_tar import read_tar
from sessionfs.clock import format_time
from sessionfs.log import Body
from sessionfs.sessions import Configured, Created, Moved, Pinned, Status
from sessionfs.state import Changed
from sessionfs.store import proposals
from sessionfs.store.artifacts import check_artifact_size, check_growth
from sessionfs.store.fold import Fold
from sessionfs.store.hooked import Action, Asked, HookFailed, StateAction
from sessionfs.store.session import NoSuchSession, Session
from sessionfs.store.settings import check_setting
from sessionfs.store.store import Store, Write

_POINT_OF = {"artifact.stored": "artifact.store", "state.changed": "state.change"}


class Imported(NamedTuple):
    """What was made.

    Attributes:
        came_from: The id of the session that had been exported; None for ordinary files.
        left_out: Namespaces of extended attributes that no session keeps.
    """

    session_id: str
    artifact_count: int
    size: int
    state_count: int
    version_count: int
    came_from: str | None
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {**self._asdict(), "left_out": list(self.left_out)}


def import_session(
    store: Store,
    source: str | BinaryIO,
    *,
    session_id: str | None = None,
    fields: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Make a session of a directory or a tar archive, and return what it is.

    Args:
        source: A path; or a stream that gives an archive.
        session_id: That of the session that was exported by default, and a UUIDv7 for ordinary files.
        fields: ``name``, ``description``, ``tags`` and ``metadata``, where they are not to be what the export says.
        progress: Called with how many bytes have been read more.

    Raises:
        SessionExists: The id is taken.
        OSError: *source* cannot be read.
        BadMember, BadName, NameTooLong, …: It holds what no session can have.
        DamagedArchive, DamagedExport, NewerExport, ChangedSource: It cannot be read as what it is.
        LimitReached, NoSpace, ReadOnlyStore, HookVeto, HookFailed: The store does not take it.
        So with all that is raised: there is no session.

    Durability:
        As the durability mode says.
    """
    if session_id is not None:
        store.check_id_free(session_id)
    members = _read(store, source, progress)
    sorted_out = Source(members, store.objects)
    name = text_of(os.path.basename(os.path.abspath(source))) if isinstance(source, str) else "-"
    imported = _Import(store, sorted_out, name, session_id, fields or {}).run()
    return imported._replace(left_out=tuple(sorted(members.left_out)))


def _read(store: Store, source: str | BinaryIO, progress: Callable[[int], None] | None) -> Members:
    intake = Intake(store.objects, store.config.max_artifact_bytes, progress)
    keep_owners = os.geteuid() == 0  # as tar and cp -a do
    if not isinstance(source, str):
        return read_tar(source, "the stream", intake, keep_owners=keep_owners)
    if os.path.isdir(source):
        return read_directory(source, intake, keep_owners=keep_owners)
    with open(source, "rb") as file:
        return read_tar(file, source, intake, keep_owners=keep_owners)


class _Import:
    """One import, when everything has been read."""

    def __init__(self, store: Store, source: Source, name: str, session_id: str | None, fields: dict[str, Any]) -> None:
        self._store = store
        self._source = source
        self._name = name
        self._session_id = session_id
        self._fields = fields
        self._asked: list[tuple[Asked, int]] = []  # what hooks let pass, and the number of its record

    def run(self) -> Imported:
        store, sidecar = self._store, self._source.sidecar
        items = Items(
            self._source,
            now=format_time(store.clock()),
            owner=(os.geteuid(), os.getegid()),
            actor=store.actor,
        )
        root = items.root
        session = store.create_session(
            session_id=self._session_id or (None if sidecar is None else sidecar.session.id),
            **self._session_fields(sidecar),
            uid=root.uid,
            gid=root.gid,
            prepare=lambda session, created: self._prepare(session, created, items),
        )
        for asked, seq in self._asked:
            asked.tell(session, seq)
        info = session.info()
        return Imported(
            session_id=session.id,
            artifact_count=info.artifact_count,
            size=info.size,
            state_count=info.state_count,
            version_count=items.version_count,
            came_from=None if sidecar is None else sidecar.session.id,
            left_out=(),
        )

    def _session_fields(self, sidecar: Sidecar | None) -> dict[str, Any]:
        if sidecar is None:
            return self._fields
        said = sidecar.session
        known = {"name": said.name, "description": said.description, "tags": said.tags, "metadata": said.metadata}
        return {**known, "parent": self._parent(said.parent), **self._fields}

    def _parent(self, session_id: str | None) -> str | None:
        """Return the parent, if it is in this store."""
        if session_id is None:
            return None
        try:
            return self._store.session(session_id).id
        except NoSuchSession:
            return None

    def _prepare(self, session: Session, created: Created, items: Items) -> Write:
        """Return what appends all records, after hooks were asked."""
        fold = session.empty_fold(heal=False)
        before = Tree.empty(fold.load_tree, "", "")
        body = Body(seq=0, time=format_time(self._store.clock()), type="session.created", actor=session.actor, base=0)
        fold.apply_decoded(body, created)
        records: list[Record] = [("session.created", created)]
        for type, data in self._records(items):
            seq = len(records)
            records.append((type, data))
            applied = fold.apply_decoded(Body(seq=seq, time=body.time, type=type, actor=session.actor, base=0), data)
            node = None if applied is None else applied.node
            if type == "artifact.stored" and node is not None:
                action = proposals.of_node(session, from_text(data.path), node, link=data.link)
                records[-1] = type, self._ask(type, replace(action, id=None), seq, data)
            elif isinstance(data, Changed):
                records[-1] = type, self._ask(type, _of_value(session, fold, data), seq, data)
            if node is not None:
                check_artifact_size(session.config.max_artifact_bytes, node.size)
        check_growth(session.config, before, fold.tree)
        drafts = [session.draft(type, data) for type, data in records]
        return lambda session: session.append_drafts(drafts, [data for _, data in records])

    def _records(self, items: Items) -> Iterable[Record]:
        yield from items.artifacts()
        yield from items.state(self._store.objects)
        sidecar = self._source.sidecar
        if sidecar is None:
            yield "session.imported", {"source": self._name}
            return
        # Not its hooks: these are programs, which a file that somebody sent has no say in.
        if sidecar.session.settings:
            checked = {key: check_setting(key, value) for key, value in sidecar.session.settings.items()}
            yield "session.configured", Configured(settings=checked)
        for path, pin in sidecar.session.pins.items():
            yield "session.pinned", Pinned(path=path, message=pin.message)
        yield "session.imported", {"source": self._name, "from": sidecar.session, "moment": sidecar.moment}
        yield from _steps(sidecar.session.status, sidecar.session.reason)

    def _ask(self, type: str, action: Action, seq: int, data: Any) -> Any:
        """Return *data* as hooks let it pass."""
        hooks = self._store.hooks
        at = None if hooks is None else hooks.at(_POINT_OF[type])
        if at is None:
            return data
        asked = Asked(at, None, action)
        self._asked.append((asked, seq))
        if "name" in asked.modified:
            raise HookFailed(f"a hook gave {action.about!r} another name; what is imported keeps its own")
        return replace(data, **asked.modified) if asked.modified else data


def _of_value(session: Session, fold: Fold, data: Changed) -> StateAction:
    return StateAction(session=session.id, key=data.key, json=msgspec.Raw(fold.state.get_json(data.key)))


def _steps(status: Status, reason: str | None) -> Iterable[Record]:
    """Yield the steps of the lifecycle that lead from active to *status*."""
    end = ("session.completed", Moved()) if reason is None else ("session.failed", Moved(reason=reason))
    match status:
        case Status.ACTIVE:
            return
        case Status.SUSPENDED:
            yield "session.suspended", Moved()
        case Status.ARCHIVED:
            yield end
            yield "session.archived", Moved()
        case Status.COMPLETED | Status.FAILED:
            yield end
