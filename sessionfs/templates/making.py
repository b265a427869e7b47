"""Making a session from a template: all that it begins with in one append, so that there is all of it or no session.

What can be refused is refused before that: the records are planned on a fold of the session's own, by the rules that
hold for everybody, and hooks are asked about each of them. What was written by then are objects that nothing names.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from typing import Any

from sessionfs.artifacts import Directory, check_path, events, from_text, mime, rules, text_of
from sessionfs.objects import Stored
from sessionfs.oid import hash_bytes
from sessionfs.sessions import Configured, Created, Templated
from sessionfs.state import MAX_INLINE_BYTES
from sessionfs.store.artifacts import (
    LimitReached,
    check_artifact_size,
    check_growth,
    encode_attributes,
    with_mime_type,
)
from sessionfs.store.config import Config
from sessionfs.store.session import Session
from sessionfs.store.settings import own_config
from sessionfs.store.store import Store, Write
from sessionfs.templates.content import Entry, find_file, read_text, walk
from sessionfs.templates.filled import Filled, fill_in, naming
from sessionfs.templates.hooks import check_hooks
from sessionfs.templates.substitution import fill, fill_text
from sessionfs.templates.template import BadTemplate, Source, Template
from sessionfs.templates.variables import check_values
from sessionfs.travel.consent import Consent
from sessionfs.travel.plan import Plan

TOP = "."
"""The path of the session's root, where only a tree can be put."""

_OF_NOTHING = hash_bytes(b"")  # stands in for content that is not stored


def make_session(
    store: Store,
    template: Template,
    given: Mapping[str, Any],
    *,
    parent: str | None = None,
    **fields: Any,
) -> Session:
    """Make a session from *template*.

    Args:
        given: Values of its variables.
        fields: As for :func:`fill_in`: ``session_id``, ``name``, ``description``, ``tags``, ``metadata``.

    Raises:
        BadVariable: One is missing, unknown, or cannot have its value; no session was made, as with all that follows.
        BadTemplate: Something cannot be what the variables make of it.
        OutsideTemplate, LostFile: It names a file that it may not, or that is not there.
        HookNotCalled: It names a program that would not be called.
        SessionExists, LimitReached, HookVeto, HookFailed, NoSpace: As when any session is made.

    Durability:
        As the durability mode says. A kill leaves no session, or all of it.
    """
    values = check_values(template, given)
    filled = fill_in(store, template, values, **fields)
    hooks = check_hooks(template, store.layout.templates)
    return store.create_session(
        session_id=filled.session_id,
        name=filled.name,
        description=filled.description,
        tags=filled.tags,
        metadata=filled.metadata,
        parent=parent,
        template=Templated(name=template.name, values=values),
        hooks=hooks,
        prepare=lambda session, data: _prepare(store.config, session, data, filled),
    )


def check_template(store: Store, template: Template, given: Mapping[str, Any]) -> list[str]:
    """Check *template* as far as that goes without making a session, and return the variables that have to be given.

    With a value for each of them all is checked that :func:`make_session` checks, but for the store's limits and
    hooks; without, its files are looked at.

    Raises:
        BadVariable, BadTemplate, OutsideTemplate, LostFile, HookNotCalled: As of :func:`make_session`.
    """
    missing = [name for name, variable in template.variables.items() if variable.is_required and name not in given]
    check_hooks(template, store.layout.templates)
    if missing:
        return missing
    filled = fill_in(store, template, check_values(template, given))
    session = store.unread(filled.session_id)
    _Planning(store.config, session, Created(id=filled.session_id), filled, dry=True)
    return []


def _prepare(config: Config, session: Session, data: Created, filled: Filled) -> Write:
    plan = _Planning(config, session, data, filled).plan
    consent = Consent(session)
    missing = consent.missing(plan)
    if missing:
        consent.ask(missing)
    records = consent.answered(plan.records)
    drafts = [session.draft(type, said) for type, said in records]

    def write(session: Session) -> None:
        session.append_drafts(drafts, [said for _, said in records])
        consent.tell(plan, 0)

    return write


class _Planning:
    """The records with which a session begins."""

    def __init__(self, config: Config, session: Session, data: Created, filled: Filled, *, dry: bool = False) -> None:
        """Plan them.

        Args:
            dry: Store nothing: content gets no object.
        """
        self._config = own_config(config, filled.settings)
        self._session = session
        self._filled = filled
        self._dry = dry
        self._owner = {"uid": data.uid, "gid": data.gid}
        self.plan = Plan(session.empty_fold(), session.make_ino)
        self.plan.record("session.created", data)
        empty = session.empty_fold().tree
        if filled.settings:
            self.plan.record("session.configured", Configured(settings=filled.settings))
        for source in filled.template.artifacts:
            where = f"{filled.template.path}: artifacts.{source.path}"
            try:
                with naming(where):
                    self._add(source, where)
            except LimitReached as failure:
                raise LimitReached(f"{where}: {failure}") from failure
        for key, json in filled.state.items():
            oid = self._put(json).oid if len(json) > MAX_INLINE_BYTES else None
            self.plan.record("state.changed", self.plan.fold.state.describe_change(key, json, oid))
        check_growth(self._config, empty, self.plan.fold.tree)

    def _add(self, source: Source, where: str) -> None:
        text = fill_text(source.path, self._filled.values, where)
        path = check_path(from_text(text)) if text != TOP else ""
        attributes = self._attributes(source, where)
        if source.tree is not None:
            self._add_tree(source, path, attributes, where)
            return
        if not path:
            raise BadTemplate(f"{where}: only a tree can be put at the top; name a path")
        if source.directory:
            self._make_directory(path, attributes)
        elif source.file is not None:
            name = self._text(source.file, f"{where}.file")
            entry = find_file(self._filled.template, name, f"{where}.file")
            self._add_file(entry, path, source, attributes, where)
        elif source.text is not None:
            self._add_content(path, self._text(source.text, f"{where}.text").encode(), attributes)
        elif source.symlink is not None:
            target = self._text(source.symlink, f"{where}.symlink")
            if not target or "\0" in target:
                raise BadTemplate(f"{where}.symlink is {target!r}, which is no target for a symbolic link")
            self._store(path, kind="symlink", target=target, **attributes)
        else:
            link = from_text(self._text(source.link or "", f"{where}.link"))
            self._make_parents(path)
            rules.check_link(self.plan.fold.tree, link, path)
            kind = self.plan.fold.tree.resolve(link).kind
            self.plan.record("artifact.stored", events.Stored(path=text_of(path), kind=kind, link=text_of(link)))

    def _text(self, text: str, where: str) -> str:
        return fill_text(text, self._filled.values, where)

    def _attributes(self, source: Source, where: str) -> dict[str, Any]:
        """Return what records say of an artifact besides its content."""
        attributes = fill(source.attributes, self._filled.values, where)
        if "xattrs" in attributes:
            attributes["xattrs"] = _decode_xattrs(attributes["xattrs"], f"{where}.xattrs")
        if source.mode is not None:
            attributes["mode"] = int(source.mode, 8)
        return encode_attributes(attributes)

    def _add_tree(self, source: Source, path: str, attributes: dict[str, Any], where: str) -> None:
        name = self._text(source.tree or "", f"{where}.tree")
        if path:
            self._make_directory(path, {})
        for entry in walk(self._filled.template, name, f"{where}.tree"):
            target = check_path(f"{path}/{entry.below}".lstrip("/"))
            if entry.kind == "directory":
                self._make_directory(target, encode_attributes({"mode": stat.S_IMODE(entry.status.st_mode)}))
            elif entry.kind == "symlink":
                self._store(target, kind="symlink", target=text_of(os.readlink(entry.path)))
            else:
                self._add_file(entry, target, source, attributes, where)

    def _add_file(self, entry: Entry, path: str, source: Source, attributes: dict[str, Any], where: str) -> None:
        attributes = {**encode_attributes({"mode": stat.S_IMODE(entry.status.st_mode)}), **attributes}
        if source.substitute:
            text = fill_text(read_text(entry, where), self._filled.values, entry.path)
            self._add_content(path, text.encode(), attributes)
            return
        attributes = {**encode_attributes({"mtime_ns": entry.status.st_mtime_ns}), **attributes}
        check_artifact_size(self._config.max_artifact_bytes, entry.status.st_size)
        with open(entry.path, "rb") as file:
            head = file.read(mime.SNIFFED_BYTES)
        stored = _unstored(entry.status.st_size) if self._dry else self._session.objects.put_file(entry.path)
        self._store_file(path, stored, head, attributes)

    def _add_content(self, path: str, data: bytes, attributes: dict[str, Any]) -> None:
        check_artifact_size(self._config.max_artifact_bytes, len(data))
        self._store_file(path, self._put(data), data[: mime.SNIFFED_BYTES], attributes)

    def _put(self, data: bytes) -> Stored:
        return _unstored(len(data)) if self._dry else self._session.objects.put_bytes(data)

    def _store_file(self, path: str, stored: Stored, head: bytes, attributes: dict[str, Any]) -> None:
        check_artifact_size(self._config.max_artifact_bytes, stored.size)  # it may have grown while it was read
        self._store(
            path,
            oid=stored.oid,
            size=stored.size,
            stored_size=None if stored.compression == "none" else stored.stored_size,
            compression="chunks" if stored.compression == "chunks" else None,
            **with_mime_type(attributes, path, head),
        )

    def _make_directory(self, path: str, attributes: dict[str, Any]) -> None:
        there = self.plan.fold.tree.find(path)
        if isinstance(there, Directory):  # made because something is in it
            if attributes:
                self.plan.record("artifact.updated", events.Updated(path=text_of(path), **attributes))
        else:
            self._store(path, kind="directory", **attributes)

    def _store(self, path: str, **fields: Any) -> None:
        rules.check_free(self.plan.fold.tree, path)
        self._make_parents(path)
        data = events.Stored(path=text_of(path), ino=self._session.make_ino(), **{**self._owner, **fields})
        self.plan.record("artifact.stored", data)

    def _make_parents(self, path: str) -> None:
        for parent in rules.missing_parents(self.plan.fold.tree, path):
            self._store(parent, kind="directory")


def _unstored(size: int) -> Stored:
    return Stored(oid=_OF_NOTHING, size=size, stored_size=size, compression="none")


def _decode_xattrs(xattrs: Any, where: str) -> dict[str, bytes]:
    try:
        return {name: base64.b64decode(text, validate=True) for name, text in xattrs.items()}
    except (AttributeError, TypeError, binascii.Error) as failure:
        raise BadTemplate(f"{where} is a table of texts in base64: {failure}") from failure
