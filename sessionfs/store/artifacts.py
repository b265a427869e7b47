"""The verbs that change a session's artifacts.

Each checks the whole change under the log's lock, then appends its records; a refused change leaves nothing behind
but, at most, an object that nothing names.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionfs.artifacts import (
    Applied,
    BadName,
    Directory,
    IntoItself,
    Node,
    check_path,
    events,
    mime,
    rules,
    text_of,
)
from sessionfs.artifacts.names import MAX_PATH_BYTES, NameTooLong, encode
from sessionfs.artifacts.node import SPECIAL_KINDS, format_mode
from sessionfs.clock import format_time
from sessionfs.errors import Conflict, Corrupt, Denied, InvalidInput, NotFound
from sessionfs.objects import Stored
from sessionfs.sessions import check_metadata, check_tags
from sessionfs.store import conditions, proposals
from sessionfs.store.making import find_making

if TYPE_CHECKING:
    from sessionfs.artifacts import Tree
    from sessionfs.store.config import Config
    from sessionfs.store.session import Session

KNOWN_TYPES = (
    "user_input", "tool_result", "agent_output", "system_generated", "code", "data", "model", "document", "image",
    "audio", "video", "log", "config",
)  # fmt: skip

# Metadata are also xattrs (user.<key>) in the mount, where these names are sessionfs's own.
RESERVED_METADATA_PREFIX = "sessionfs."

_ARTIFACT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}:\d+")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MIME_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*( *;.*)?")


Change = tuple[str, events.Stored | events.Renamed]
"""A record that is about to be appended: its type and what it says."""


class BadAttribute(InvalidInput):
    """An attribute that an artifact does not have, or a value it cannot have."""


class LimitReached(Conflict):
    """A limit of config.toml would be exceeded; nothing was written."""

    errno = errno.EDQUOT


class Artifacts:
    """The changing verbs of one session; reading goes through ``session.tree``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self,
        path: str,
        stored: Stored,
        *,
        head: bytes | None = None,
        ino: int | None = None,
        make_parents: bool = True,
        created_by: str | None = None,
        made_ns: int | None = None,
        entered_ns: int | None = None,
        if_match: str | None = None,
        if_none_match: bool = False,
        **attributes: Any,
    ) -> Node:
        """Make *stored* content the newest version of the file at *path*.

        Args:
            head: The content's first bytes, from which its mime type is guessed when its name says nothing.
            ino: The inode's number, if it is known already.
            make_parents: Make missing directories above it.
            made_ns: When it was made, if it is new and that was before now.
            entered_ns: Then, what its directory's times become; None if somebody has set them since.
            if_match: Only if the file's content has this oid now.
            if_none_match: Only if nothing is there.
            attributes: See :func:`encode_attributes`; what is not given stays, or has its usual value.

        Raises:
            IsADirectory, NotADirectory: Something else is there, or above it.
            LimitReached, SessionNotWritable, BadName, BadAttribute, Stale: Nothing was changed.

        Durability:
            As the durability mode says.
        """
        session = self._session
        path = check_path(path)
        fields = with_mime_type(encode_attributes(attributes), path, head)
        asked = session.asking.ask("artifact.store", lambda: proposals.of_file(session, path, stored, fields))
        if asked is not None:
            path, fields = proposals.answered(asked, path, fields)
        with session.writing():
            session.check_writable()
            known = rules.check_file(session.tree, path)
            if if_match is not None or if_none_match:
                conditions.check_artifact(path, known, if_match, if_none_match)
            self._check_limits(known, stored.size)
            records = self._missing_parents(path, make_parents) if known is None else []
            if known is None or not known.id:
                ino = known.ino if known is not None else ino if ino is not None else session.make_ino()
                fields = _owned(fields)
            making = find_making(session.id)
            data = events.Stored(
                path=text_of(path),
                ino=ino,
                oid=stored.oid,
                size=stored.size,
                stored_size=None if stored.compression == "none" else stored.stored_size,
                compression="chunks" if stored.compression == "chunks" else None,
                created_at=None if made_ns is None else format_time(made_ns),
                entered=None if entered_ns is None else format_time(entered_ns),
                created_by=created_by,
                made_by=None if making is None else making.made_by,
                **fields,
            )
            node = _node(session.asking.append(asked, [*records, ("artifact.stored", data)])[-1])
            if making is not None:
                making.recorded()
            return node

    def make_directory(
        self, path: str, *, make_parents: bool = True, exist_ok: bool = False, **attributes: Any
    ) -> Directory:
        """Make a directory at *path*.

        Raises:
            ArtifactExists: Something is there (a directory is accepted with *exist_ok*).
        """
        if exist_ok:
            self._session.refresh()
            known = self._session.tree.find(check_path(path))
            if isinstance(known, Directory):
                return known
        node = self._make("directory", path, make_parents, attributes)
        assert isinstance(node, Directory)
        return node

    def make_symlink(self, path: str, target: str, *, make_parents: bool = True, **attributes: Any) -> Node:
        """Make a symbolic link at *path*; *target* is kept as it is and need not exist.

        Raises:
            ArtifactExists: Something is there.
            BadName, NameTooLong: *target* is empty, holds NUL, or has more than 4,095 bytes.
        """
        if not target or "\0" in target:
            raise BadName(f"{target!r} is no target for a symbolic link")
        if len(encode(target)) > MAX_PATH_BYTES:
            raise NameTooLong(
                f"a target of {len(encode(target))} bytes was given; at most {MAX_PATH_BYTES} are possible"
            )
        return self._make("symlink", path, make_parents, attributes, target=text_of(target))

    def make_special(
        self, path: str, kind: str, *, rdev: int = 0, make_parents: bool = True, **attributes: Any
    ) -> Node:
        """Make a ``fifo``, ``socket``, ``character_device`` or ``block_device`` (with the number *rdev*) at *path*.

        Raises:
            ArtifactExists: Something is there.
            BadAttribute: There is no such kind.
        """
        if kind not in SPECIAL_KINDS:
            raise BadAttribute(f"{kind!r} is no kind of special file; these are: {', '.join(SPECIAL_KINDS)}")
        return self._make(kind, path, make_parents, attributes, rdev=rdev)

    def link(self, source: str, target: str) -> Node:
        """Make *target* another name of the artifact at *source*: one inode, whose content and attributes both show.

        Raises:
            NoSuchArtifact, ArtifactExists, NotADirectory: Nothing was changed.
            LinkedDirectory, TooManyLinks: It cannot have another name.
            LimitReached: There are too many artifacts.
        """
        session = self._session
        source, target = check_path(source), check_path(target)
        asked = session.asking.ask("artifact.store", lambda: proposals.of_link(session, source, target))
        if asked is not None:
            target, _ = proposals.answered(asked, target, {})
        with session.writing():
            session.check_writable()
            rules.check_link(session.tree, source, target)
            node = session.tree.resolve(source)
            self._check_limits(None, node.size)
            data = events.Stored(path=text_of(target), kind=node.kind, link=text_of(source))
            return _node(session.asking.append(asked, [("artifact.stored", data)])[-1])

    def exchange(self, first: str, second: str) -> Node:
        """Let two artifacts or directories change places, and return the one that was at *first*.

        Raises:
            NoSuchArtifact, IntoItself: Nothing was changed.
        """
        session = self._session
        first, second = check_path(first), check_path(second)
        asked = session.asking.ask(
            "artifact.rename", lambda: proposals.of_rename(session, first, second, exchange=True)
        )
        with session.writing():
            session.check_writable()
            if not rules.check_exchange(session.tree, first, second):
                return session.tree.resolve(first)
            data = events.Renamed(path=text_of(first), to=text_of(second), exchange=True)
            return _node(session.asking.append(asked, [("artifact.renamed", data)])[-1])

    def rename(self, source: str, target: str, *, make_parents: bool = False) -> Node:
        """Move *source* to *target*, replacing a file or an empty directory there, by the rules of rename(2).

        Raises:
            NoSuchArtifact, IsADirectory, NotADirectory, DirectoryNotEmpty, IntoItself: Nothing was changed.
        """
        session = self._session
        source, target = check_path(source), check_path(target)
        asked = session.asking.ask("artifact.rename", lambda: proposals.of_rename(session, source, target))
        with session.writing():
            session.check_writable()
            node = session.tree.resolve(source)
            records: list[Change] = []
            if make_parents and not target.startswith(source + "/"):
                rules.check_parents(session.tree, target)
                records = self._missing_parents(target, True)
            if not records and not rules.check_rename(session.tree, source, target):
                return node
            data = events.Renamed(path=text_of(source), to=text_of(target))
            return _node(session.asking.append(asked, [*records, ("artifact.renamed", data)])[-1])

    def copy(self, source: str, target: str) -> Node:
        """Make *target* a copy of *source*, with all that is below it; no content is copied.

        Raises:
            NoSuchArtifact: There is no *source*.
            ArtifactExists: Something is at *target*; a file replaces a file, as its next version.
        """
        session = self._session
        source, target = check_path(source), check_path(target)
        asked = session.asking.ask("artifact.store", lambda: proposals.of_copy(session, source, target))
        changed: dict[str, Any] = {}
        if asked is not None:
            target, changed = proposals.answered(asked, target, changed)
        with session.writing():
            session.check_writable()
            node = session.tree.resolve(source)
            if target == source or target.startswith(source + "/"):
                raise IntoItself(f"{text_of(source)!r} cannot be copied to itself or below itself")
            if node.is_file:
                known = rules.check_file(session.tree, target)
                self._check_limits(known, node.size)
            else:
                rules.check_free(session.tree, target)
                known = None
            nodes = list(session.tree.walk(source)) if node.is_directory else []
            self._check_copied([node, *(below for _, below in nodes)], known)
            making = find_making(session.id)
            records = self._missing_parents(target, True)
            records.append(self._copied(node, target, known, None if making is None else making.made_by, **changed))
            later = None if making is None else making.made_by_later
            records += [self._copied(below, target + path[len(source) :], None, later) for path, below in nodes]
            session.asking.append(asked, records)
            if making is not None:
                making.recorded()
            return session.tree.resolve(target)

    def delete(self, path: str, *, recursive: bool = False) -> Node:
        """Remove what is at *path*; earlier versions stay in the history.

        Args:
            recursive: Also a directory that is not empty, with everything below it, in one record.

        Raises:
            NoSuchArtifact: Nothing is there.
            DirectoryNotEmpty: It has entries, and *recursive* is not set.
        """
        return self.delete_all([path], recursive=recursive)[0]

    def delete_all(self, paths: Iterable[str], *, recursive: bool = False) -> list[Node]:
        """Remove what is at each of *paths*, all of them or none; otherwise as :meth:`delete`.

        What is inside another one of them goes with that one.
        """
        session = self._session
        chosen = _outermost([check_path(path) for path in paths])
        asked = [
            session.asking.ask("artifact.delete", partial(proposals.of_deletion, session, path, recursive=recursive))
            for path in chosen
        ]
        with session.writing():
            session.check_writable()
            nodes = [self._removable(path, recursive) for path in chosen]
            records = [
                ("artifact.deleted", events.Deleted(path=text_of(path), kind=node.kind))
                for path, node in zip(chosen, nodes, strict=True)
            ]
            session.append_all(records)
            for seq, one in enumerate(asked, session.log.position.seq - len(records)):
                session.asking.tell(one, seq)
            return nodes

    def _removable(self, path: str, recursive: bool) -> Node:
        node = self._session.tree.resolve(path)
        if isinstance(node, Directory):
            if not recursive:
                rules.check_empty(node)
            # Read before it is written down: a tree that cannot be read cannot be taken out of the counts.
            for _ in self._session.tree.walk(path):
                pass
        return node

    def change(self, path: str, **attributes: Any) -> Node:
        """Set attributes of the artifact at *path* ("" is the root directory), and nothing else.

        Args:
            attributes: See :func:`encode_attributes`. ``metadata`` and ``xattrs`` replace all there were.
        """
        session = self._session
        path = check_path(path) if path else path
        fields = encode_attributes(attributes)
        with session.writing():
            session.check_writable()
            node = session.tree.resolve(path)
            if not fields:
                return node
            return _node(session.append("artifact.updated", events.Updated(path=text_of(path), **fields)))

    # Reading

    def note_retrieved(self, path: str, id: str, *, by: str | None = None) -> None:
        """Record that the content of a version is read; each face says so once for each time it is opened.

        Nothing is recorded unless ``events.audit_reads`` is on. Of a session that has ended reads are recorded too.
        Where nothing can be - the store cannot be written by this user, or is mounted read-only; the log is damaged;
        the session has been deleted - what is there can be read all the same.

        Args:
            id: Of the version; the path may hold another one by now.
            by: Who reads it, if that is not who opened the store.

        Raises:
            NoSpace, LockHeld: It could be recorded, and now it was not: what was asked to be audited must not be read.
            HookVeto, HookFailed: It must not be read.
        """
        session = self._session
        asked = session.asking.ask("artifact.retrieve", lambda: proposals.of_retrieval(session, path, id))
        seq = None
        if session.config.audit_reads:
            data = events.Retrieved(path=text_of(path), id=id, by=None if by == session.actor else by)
            with contextlib.suppress(Denied, Corrupt, NotFound), session.writing():
                session.append("artifact.retrieved", data)
                seq = session.log.position.seq - 1
        if asked is not None:
            asked.tell(session, seq)

    # Inside

    def _make(self, kind: str, path: str, make_parents: bool, attributes: dict[str, Any], **more: Any) -> Node:
        session = self._session
        path = check_path(path)
        fields = encode_attributes(attributes)
        ino = attributes.get("ino")
        asked = session.asking.ask("artifact.store", lambda: proposals.of_new(session, path, kind, {**fields, **more}))
        if asked is not None:
            path, fields = proposals.answered(asked, path, fields)
        with session.writing():
            session.check_writable()
            rules.check_free(session.tree, path)
            if kind != "directory":
                self._check_limits(None, 0)
            records = self._missing_parents(path, make_parents)
            data = events.Stored(path=text_of(path), kind=kind, ino=ino or session.make_ino(), **_owned(fields), **more)
            return _node(session.asking.append(asked, [*records, ("artifact.stored", data)])[-1])

    def _missing_parents(self, path: str, allowed: bool) -> list[Change]:
        """Return the records that make the directories above *path* which do not exist.

        Raises:
            NoSuchArtifact: There are some, and they are not *allowed* to be made.
        """
        session = self._session
        missing = rules.missing_parents(session.tree, path)
        if missing and not allowed:
            session.tree.resolve(missing[0])  # raises, naming it
        return [
            (
                "artifact.stored",
                events.Stored(path=text_of(parent), kind="directory", ino=session.make_ino(), **_owned({})),
            )
            for parent in missing
        ]

    def _copied(
        self, node: Node, target: str, known: Node | None, made_by: events.MadeBy | None, **changed: Any
    ) -> Change:
        """Return the record that makes *target* a copy of *node*; *known* is the file that is there."""
        data = events.Stored(
            path=text_of(target),
            kind=node.kind,
            ino=self._session.make_ino() if known is None else None,
            oid=node.oid,
            size=node.size,
            stored_size=None if node.compression == "none" else node.stored_size,
            compression="chunks" if node.compression == "chunks" else None,
            target=None if node.target is None else text_of(node.target),
            rdev=node.rdev,
            made_by=made_by,
            **{**_copied_fields(node), **changed},
        )
        return "artifact.stored", data

    def _check_copied(self, nodes: list[Node], known: Node | None) -> None:
        config = self._session.config
        tree = self._session.tree
        count = sum(not node.is_directory for node in nodes) - (known is not None)
        size = sum(node.size for node in nodes) - (known.size if known is not None else 0)
        _check_limit(
            "limits.max_artifacts_per_session",
            config.max_artifacts_per_session,
            tree.artifact_count + count,
            count,
        )
        _check_limit("limits.max_session_size", config.max_session_bytes, tree.size + size, size)

    def _check_limits(self, known: Node | None, size: int) -> None:
        config = self._session.config
        if (
            config.max_artifact_bytes is None
            and config.max_artifacts_per_session is None
            and config.max_session_bytes is None
        ):
            return
        tree = self._session.tree
        counted = known if known is not None and known.id else None
        new_count = tree.artifact_count + (counted is None)
        new_size = tree.size + size - (counted.size if counted is not None else 0)
        _check_limit("limits.max_artifact_size", config.max_artifact_bytes, size, size)
        _check_limit(
            "limits.max_artifacts_per_session",
            config.max_artifacts_per_session,
            new_count,
            int(counted is None),
        )
        _check_limit("limits.max_session_size", config.max_session_bytes, new_size, size)


def check_artifact_size(limit_bytes: int | None, size: int) -> None:
    """Check content before it is stored, so that too much of it is not written for nothing.

    Raises:
        LimitReached: It is larger than config.toml allows.
    """
    _check_limit("limits.max_artifact_size", limit_bytes, size, size)


def check_growth(config: Config, before: Tree, after: Tree) -> None:
    """Check several changes together, before they are written.

    Raises:
        LimitReached: They would make the session larger than config.toml allows.
    """
    count, size = after.artifact_count, after.size
    limit = config.max_artifacts_per_session
    _check_limit("limits.max_artifacts_per_session", limit, count, count - before.artifact_count)
    _check_limit("limits.max_session_size", config.max_session_bytes, size, size - before.size)


def _check_limit(name: str, limit: int | None, value: int, added: int) -> None:
    if limit is not None and value > limit and added > 0:
        raise LimitReached(
            f"{name} is {limit}, and this would make it {value}; it is set in the store's config.toml or by the session"
        )


def encode_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as their record holds them.

    Args:
        attributes: Any of ``mode`` (permission bits), ``uid``, ``gid``, ``mtime_ns``, ``atime_ns``, ``ctime_ns``
            (when it is not now), ``type``, ``mime_type``, ``description``, ``tags``, ``metadata``, ``xattrs`` (name to
            bytes), ``parent`` (id of the artifact this one was made from).

    Raises:
        BadAttribute, BadField: There is no such attribute, or it cannot have that value.
    """
    fields: dict[str, Any] = {}
    for name, value in attributes.items():
        if name == "ino":
            continue
        encoder = _ENCODERS.get(name)
        if encoder is None:
            raise BadAttribute(f"artifacts have no attribute {name!r}; these can be set: {', '.join(_ENCODERS)}")
        field, encode_value = encoder
        fields[field] = encode_value(value)
    return fields


def with_mime_type(fields: dict[str, Any], path: str, head: bytes | None) -> dict[str, Any]:
    """Return *fields* of a file at *path* with the mime type that its first bytes tell, if nothing else says it."""
    if head is None or "mime_type" in fields or mime.guess_by_name(path.rpartition("/")[2]) is not None:
        return fields
    found = mime.guess_by_content(head)
    return {**fields, "mime_type": None if found == mime.UNKNOWN else found}


def _encode_mode(mode: int) -> str:
    if not isinstance(mode, int) or not 0 <= mode <= 0o7777:
        raise BadAttribute(f"{mode!r} is no mode: permission bits are 0 to 0o7777")
    return format_mode(mode)


def _check_type(type: str | None) -> str | None:
    if type is not None and (not isinstance(type, str) or _TYPE.fullmatch(type) is None):
        raise BadAttribute(
            f"{type!r} is no type: one word of letters, digits, '.', '_' and '-', such as {KNOWN_TYPES[1]!r}"
        )
    return type


def _check_mime_type(mime_type: str | None) -> str | None:
    if mime_type is not None and (not isinstance(mime_type, str) or _MIME_TYPE.fullmatch(mime_type) is None):
        raise BadAttribute(f"{mime_type!r} is no mime type such as 'text/plain'")
    return mime_type


def _check_description(text: str | None) -> str | None:
    if text is not None and not isinstance(text, str):
        raise BadAttribute(f"a description is text, not {type(text).__name__}")
    return text or None


def _check_artifact_metadata(metadata: Any) -> dict[str, Any]:
    plain = check_metadata(metadata)
    for key in plain:
        if key.startswith(RESERVED_METADATA_PREFIX):
            raise BadAttribute(
                f"the metadata key {key!r} is reserved: names that start with {RESERVED_METADATA_PREFIX!r} "
                "are sessionfs's own"
            )
    return plain


def _check_xattrs(xattrs: Any) -> dict[str, bytes]:
    if not all(isinstance(name, str) and isinstance(value, bytes) for name, value in (xattrs or {}).items()):
        raise BadAttribute("xattrs are a mapping from names in text form to bytes")
    return xattrs or {}


def _check_parent(id: str) -> str:
    if not isinstance(id, str) or _ARTIFACT_ID.fullmatch(id) is None:
        raise BadAttribute(f"{id!r} is no id of an artifact: <session>:<number of the record that stored it>")
    return id


def _check_owner(number: int) -> int:
    if not isinstance(number, int) or not 0 <= number < 1 << 32:
        raise BadAttribute(f"{number!r} is no number of a user or group: 0 to 4294967295")
    return number


def _encode_time(time_ns: int) -> str:
    if not isinstance(time_ns, int):
        raise BadAttribute(f"{time_ns!r} is no time: whole nanoseconds since 1970 are needed")
    return format_time(time_ns)


_ENCODERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "mode": ("mode", _encode_mode),
    "uid": ("uid", _check_owner),
    "gid": ("gid", _check_owner),
    "mtime_ns": ("mtime", _encode_time),
    "ctime_ns": ("ctime", _encode_time),
    "atime_ns": ("atime", _encode_time),
    "type": ("type", _check_type),
    "mime_type": ("mime_type", _check_mime_type),
    "description": ("description", _check_description),
    "tags": ("tags", check_tags),
    "metadata": ("metadata", _check_artifact_metadata),
    "xattrs": ("xattrs", _check_xattrs),
    "parent": ("origin", _check_parent),
}


def _owned(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* of something new, with this process's owner unless one is named."""
    if "uid" in fields and "gid" in fields:
        return fields
    return {"uid": os.geteuid(), "gid": os.getegid(), **fields}


def _copied_fields(node: Node) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "tags": node.tags,
        "metadata": node.metadata or {},
        "uid": node.uid,
        "gid": node.gid,
    }
    if node.permissions is not None:
        fields["mode"] = node.permissions
    if node.xattrs:
        fields["xattrs"] = node.xattrs
    for name in ("type", "mime_type", "description"):
        if getattr(node, name) is not None:
            fields[name] = getattr(node, name)
    if node.id and node.is_file:
        fields["origin"] = node.id
    return fields


def _outermost(paths: list[str]) -> list[str]:
    """Return *paths*, each once, without those that are below another one."""
    chosen = set(paths)
    above = {path: path.split("/")[:-1] for path in chosen}
    return [
        path
        for path in dict.fromkeys(paths)
        if not any("/".join(above[path][:depth]) in chosen for depth in range(1, len(above[path]) + 1))
    ]


def _node(applied: Applied | None) -> Node:
    assert applied is not None and applied.node is not None
    return applied.node
