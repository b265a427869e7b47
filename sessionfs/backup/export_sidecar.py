"""What an exported session says of itself beside its files: ``session.json``. Pure, but for reading the log.

An export is a directory, or a tar archive of one::

    session.json       everything that files cannot say; its first bytes are {"format":"sessionfs export 1"
    artifacts/…        the artifacts, with modes, times, owners, links and extended attributes
    state/<key>        the value of each key, as JSON
    events             with all versions: the log up to the moment, as it is
    objects/<oid>      with all versions: the contents of earlier ones

What the file says of an artifact counts as long as its content is the one that it names; see ``import_items``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from sessionfs.artifacts import Node, events, text_of
from sessionfs.artifacts.node import Entry, entry_of
from sessionfs.errors import Corrupt, NotFound, Unsupported
from sessionfs.log import Record
from sessionfs.objects import ObjectDatabase
from sessionfs.oid import ObjectId
from sessionfs.sessions import Fields
from sessionfs.store.session import Session

FORMAT_NAME = "sessionfs export"
FORMAT = 1
MARK = b'{"format":"' + FORMAT_NAME.encode() + b" "

SIDECAR = "session.json"
ARTIFACTS = "artifacts"
STATE = "state"
EVENTS = "events"
OBJECTS = "objects"


class DamagedExport(Corrupt):
    """What an export says of itself cannot be read, or does not fit what it holds."""


class NewerExport(Unsupported):
    """A newer sessionfs made the export."""


class Moment(msgspec.Struct, frozen=True):
    """Which moment of the session was exported: its last record, and the chain that vouches for it."""

    seq: int
    time: str
    chain: str


class Item(Entry, kw_only=True, omit_defaults=True):
    """One name in the tree: an entry as tree objects have it, under its whole path (text form).

    ``version`` counts; of ``id``, ``stored_size`` and ``compression`` an import makes its own.
    """

    path: str = ""
    link: str | None = None  # it is another name of the artifact at this path, and nothing else is said
    absent: bool = False  # there is no such file in the export, because it could not be made there
    made_by: events.MadeBy | None = None


class Earlier(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One earlier version of a file; its content is ``objects/<oid>``, or that of an artifact."""

    path: str
    version: int
    id: str
    oid: ObjectId
    size: int
    time: str  # when it was stored
    mtime: str
    actor: str


class Head(msgspec.Struct, kw_only=True):
    """What stands before the lists."""

    format: str
    moment: Moment
    session: Fields
    root: Item


class Sidecar(Head, kw_only=True):
    """All of ``session.json``."""

    artifacts: list[Item] = []
    state: dict[str, str] = {}  # when each key was set
    versions: list[Earlier] = []


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Sidecar)
_said = msgspec.json.Decoder(events.Stored)


def encode_head(head: Head) -> bytes:
    """Return the sidecar's first line, without the brace that would end it."""
    return _encoder.encode(head)[:-1]


def encode(value: Any) -> bytes:
    """Return one element of a list as JSON."""
    return _encoder.encode(value)


def is_sidecar(content: bytes) -> bool:
    """Say whether a file that begins with *content* is the sidecar of an export, of whatever format."""
    return content.startswith(MARK)


def parse(content: bytes) -> Sidecar:
    """Return what a sidecar says.

    Raises:
        NewerExport: Its format is newer than this build knows.
        DamagedExport: It cannot be read.
    """
    number = content[len(MARK) : content.find(b'"', len(MARK))]
    if number.isdigit() and int(number) > FORMAT:
        raise NewerExport(
            f"the export has format {int(number)}; this sessionfs knows format {FORMAT}: use a newer sessionfs"
        )
    try:
        return _decoder.decode(content)
    except (msgspec.MsgspecError, RecursionError) as failure:
        raise DamagedExport(
            f"the export's {SIDECAR} cannot be read: {failure}; export the session again, or remove that file to "
            "import the rest as an ordinary tree"
        ) from failure


def item_of(path: str, node: Node) -> Item:
    """Return what is said of *node*, at *path*."""
    entry = entry_of(node)
    item = Item(**{field: getattr(entry, field) for field in Entry.__struct_fields__})
    item.path, item.name, item.tree = text_of(path), "", None
    return item


def read_makers(session: Session, ids: Iterable[str]) -> dict[str, events.MadeBy]:
    """Return which blocks were open when the versions *ids* were stored, of those of which a log says so."""
    wanted: dict[str, set[int]] = {}
    for id in ids:
        home, _, seq = id.rpartition(":")
        wanted.setdefault(home, set()).add(int(seq))
    found: dict[str, events.MadeBy] = {}
    for home, seqs in wanted.items():
        # A fork's first versions are in the log of its parent; when that was deleted, nobody knows any more.
        with contextlib.suppress(NotFound):
            source = session if home == session.id else session.other(home)
            for _, record in source.log.lines():
                if record.type == "artifact.stored" and record.seq in seqs:
                    made_by = _made_by(record, session.objects)
                    if made_by is not None:
                        found[f"{home}:{record.seq}"] = made_by
    return found


def _made_by(record: Record, objects: ObjectDatabase) -> events.MadeBy | None:
    text: bytes | msgspec.Raw = record.data if record.data_oid is None else objects.read(record.data_oid)
    return _said.decode(text).made_by if b'"made_by"' in bytes(text) else None
