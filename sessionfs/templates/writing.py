"""Making a template from a session: its own file, and beside it a directory with the session's files."""

from __future__ import annotations

import base64
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sessionfs import locks
from sessionfs.artifacts import Directory, Node, text_of
from sessionfs.errors import Conflict, from_os_error
from sessionfs.oid import ObjectId
from sessionfs.sessions import Fields
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.templates.keys import from_json
from sessionfs.templates.places import STORE, SUFFIX, Places, check_name
from sessionfs.templates.reading import MAX_TEMPLATE_BYTES
from sessionfs.templates.substitution import escape
from sessionfs.templates.template import BadTemplate
from sessionfs.templates.toml import format_key, format_table, format_value

# Below the template's directory.
_FILES = "files"
_HOOKS = "hooks"

# The template's text, until it is in its own place too: a directory that has it was never finished. Its maker holds a
# lock on it, so that what a killed process left can be told from what is being made.
_TEXT = ".template.toml"

_ASIDE = "-unfinished"

_PLAIN_MODES = (0o644, 0o755)  # any other is written down: a file must stay one that its owner can read


class TemplateExists(Conflict):
    """There is a template of this name in the same place, or a directory of its files."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A template that was made."""

    path: str
    files: int  # beside it
    left_out: tuple[str, ...] = ()  # artifacts, in text form, that a template cannot have


class _Node(msgspec.Struct, frozen=True):
    """What is known of an artifact once the session's lock has been released."""

    path: str
    kind: str
    mode: int
    mtime_ns: int
    oid: ObjectId | None
    target: str | None
    link: str | None  # the path of an earlier name of the same artifact
    is_plain: bool  # a directory that is there because something is in it
    attributes: dict[str, Any]


def write_template(
    store: Store, places: Places, name: str, session: Session, *, place: str = STORE, about: str | None = None
) -> Written:
    """Make the template *name* from what *session* is now: sessions made from it begin with the same.

    Variables can be written into it afterwards. Sockets, fifos and devices are left out.

    Args:
        place: ``store`` or ``user``.

    Raises:
        TemplateExists, BadTemplateName: Nothing was made; as with all that follows.
        BadTemplate: It would be too large.
        DamagedObject, NoSuchObject: The session's content cannot be read.
        NoSpace, ReadOnlyStore: It cannot be written.

    Durability:
        A kill leaves no template, or all of it; and perhaps files in a hidden directory, in ``tmp/``, or where those of
        the template were to be, which the next one of this name takes away.
    """
    check_name(name)
    directory = places.directories[place]
    target = f"{directory}/{name}"
    _check_free(target)
    fields, state, nodes = _read(session)
    hooks = _programs(store, fields) if place == STORE else {}
    lines = _format(fields, state, nodes, hooks, about)
    text = "\n".join(lines).encode()
    if len(text) > MAX_TEMPLATE_BYTES:
        raise BadTemplate(
            f"a template made from session {session.id} would have {len(text)} bytes, and {MAX_TEMPLATE_BYTES} are "
            "possible; its state, metadata or number of artifacts is too large"
        )
    files = [node for node in nodes if node.kind == "file" and node.link is None]
    try:
        os.makedirs(directory, exist_ok=True)
        staging = tempfile.mkdtemp(prefix=".new-template-", dir=store.layout.staging if place == STORE else directory)
        try:
            for node in files:
                _write_file(store, f"{staging}/{_FILES}", node)
            for path, source in {path: source for found in hooks.values() for path, source in found.items()}.items():
                os.makedirs(os.path.dirname(f"{staging}/{path}"), exist_ok=True)
                shutil.copy(source, f"{staging}/{path}")
            _publish(staging, text, target)
        finally:
            for left in (staging, staging + _ASIDE):
                shutil.rmtree(left, ignore_errors=True)
    except OSError as failure:
        raise from_os_error(failure, f"make the template {target}{SUFFIX}") from failure
    left_out = tuple(text_of(node.path) for node in nodes if _what(node) is None)
    return Written(path=target + SUFFIX, files=len(files), left_out=left_out)


def _check_free(target: str) -> None:
    if os.path.lexists(target + SUFFIX):
        raise _taken(target + SUFFIX)
    if os.path.lexists(target) and not os.path.lexists(f"{target}/{_TEXT}"):
        raise _taken(target)


def _taken(path: str) -> TemplateExists:
    what = "" if path.endswith(SUFFIX) else f", which is no template without {os.path.basename(path)}{SUFFIX}"
    return TemplateExists(f"there is {path} already{what}; choose another name, or remove it")


def _publish(staging: str, text: bytes, target: str) -> None:
    """Let the files appear at *target*, then the template beside them; when that fails, nothing is there."""
    with open(f"{staging}/{_TEXT}", "xb") as file:
        locks.acquire(file.fileno(), file.name)
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
        os.chmod(staging, 0o755)
        _check_free(target)
        _take_away_unfinished(target, staging + _ASIDE)
        place = staging if os.listdir(staging) == [_TEXT] else target
        try:
            os.rename(staging, place)
        except OSError as failure:
            if failure.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise _taken(target) from failure  # made meanwhile
        try:
            os.link(f"{place}/{_TEXT}", target + SUFFIX)  # not a rename: that would replace one that was made meanwhile
        except OSError as failure:
            os.rename(place, staging)
            if not isinstance(failure, FileExistsError):
                raise
            raise _taken(target + SUFFIX) from failure
        os.unlink(f"{place}/{_TEXT}")


def _take_away_unfinished(target: str, aside: str) -> None:
    """Move what a killed process left at *target* out of the way.

    Raises:
        TemplateExists: It is being made, by a process that lives.
    """
    try:
        fd = os.open(f"{target}/{_TEXT}", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not locks.try_acquire(fd):
            raise TemplateExists(f"the template {target}{SUFFIX} is being made just now; choose another name")
        if not _is_at(fd, f"{target}/{_TEXT}"):
            raise _taken(target)  # its maker has finished it, or another one has taken it away
        os.rename(target, aside)
    finally:
        os.close(fd)


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _read(session: Session) -> tuple[Fields, dict[str, Any], list[_Node]]:
    session.refresh()
    with session.lock:
        state = {key: session.state.get(key) for key in sorted(session.state.values)}
        return session.fold.fields, state, list(_nodes(session))


def _nodes(session: Session) -> Iterator[_Node]:
    names: dict[int, str] = {}
    for path, node in session.tree.walk():
        link = names.setdefault(node.ino, path) if node.links > 1 and not node.is_directory else path
        attributes = _attributes(node)
        mode = stat.S_IMODE(node.mode)
        inside = isinstance(node, Directory) and bool(node.entries())
        yield _Node(
            path=path,
            kind=node.kind,
            mode=mode,
            mtime_ns=node.mtime_ns,
            oid=node.oid,
            target=node.target,
            link=None if link == path else link,
            is_plain=inside and not attributes and mode == 0o755,
            attributes=attributes,
        )


def _attributes(node: Node) -> dict[str, Any]:
    xattrs = {name: base64.b64encode(value).decode() for name, value in (node.xattrs or {}).items()}
    found = {
        "type": node.type,
        "mime_type": node.mime_type,
        "description": node.description,
        "tags": list(node.tags),
        "metadata": dict(node.metadata or {}),
        "xattrs": xattrs,
    }
    return {key: value for key, value in found.items() if value}


def _programs(store: Store, fields: Fields) -> dict[str, dict[str, str]]:
    """Return the hooks of the session by place: where each goes in the new template, and where it is now."""
    found: dict[str, dict[str, str]] = {}
    for place, names in fields.hooks.items():
        there = [(name, f"{store.layout.templates}/{name}") for name in names]
        found[place] = {f"{_HOOKS}/{name.partition('/')[2]}": path for name, path in there if os.path.isfile(path)}
    return {place: programs for place, programs in found.items() if programs}


def _what(node: _Node) -> dict[str, Any] | None:
    """Return what a template says of where an artifact comes from; None for one that it cannot have."""
    if node.link is not None:
        return {"link": text_of(node.link)}
    if node.kind == "file":
        return {"file": f"{_FILES}/{text_of(node.path)}"}
    if node.kind == "directory":
        return {"directory": True}
    return {"symlink": text_of(node.target or "")} if node.kind == "symlink" else None


def _format(
    fields: Fields,
    state: dict[str, Any],
    nodes: list[_Node],
    hooks: Mapping[str, Mapping[str, str]],
    about: str | None,
) -> Iterator[str]:
    try:
        yield f"about = {format_value(about or f'Made from session {fields.id}')}"
        for key in ("name", "description", "tags"):
            value = getattr(fields, key)
            if value:
                yield f"{key} = {format_value(escape(value))}"
        yield ""
        settings: dict[str, dict[str, Any]] = {}
        for key, value in fields.settings.items():
            table, _, name = key.partition(".")
            settings.setdefault(table, {})[name] = value
        for table, values in {"metadata": fields.metadata, **settings, "state": state}.items():
            if values:
                yield from format_table(table, _entries(values))
        if hooks:
            yield from format_table("hooks", {place: list(programs) for place, programs in hooks.items()})
        for node in nodes:
            what = _what(node)
            if what is not None and not node.is_plain:
                yield from _artifact(node, what)
    except RecursionError as failure:
        raise BadTemplate("state or metadata are nested too deeply for a template") from failure


def _entries(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return each value as TOML can hold it; the table itself is never one that stands for JSON."""
    return {escape(key): from_json(escape(value)) for key, value in values.items()}


def _artifact(node: _Node, what: dict[str, Any]) -> Iterator[str]:
    said = escape(what)
    if node.link is None:
        if node.kind != "symlink" and node.mode not in _PLAIN_MODES:
            said["mode"] = f"{node.mode:o}"
        said |= _entries(node.attributes)
    yield from format_table(f"artifacts.{format_key(escape(text_of(node.path)))}", said)


def _write_file(store: Store, directory: str, node: _Node) -> None:
    path = os.path.join(directory, node.path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    assert node.oid is not None
    with open(path, "xb") as file:
        store.objects.copy_out(node.oid, file)
        os.fchmod(file.fileno(), node.mode & 0o777 | 0o600)
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns))
