"""Everything that an export has to keep of a session, as plain values, for comparing."""

from __future__ import annotations

from sessionfs.artifacts import Node
from sessionfs.store import xattrs

# What is a store's own (form of the content, ids of records), and what depends on what has been read.
_HIDDEN = ("parent", "others", "name", "tree", "id", "stored_size", "compression", "linked", "permissions")
_FIELDS = [field for field in Node.__struct_fields__ if field not in _HIDDEN]
_OWN_XATTRS = (b"user.sessionfs.id", b"user.sessionfs.stored_size", b"user.sessionfs.compression")


def describe_exported(session):
    """Return fields, artifacts with all that API and mount say of them, contents, state and provenance."""
    core = session.core
    core.refresh()
    fields = core.fold.fields
    nodes = {path: _describe(node) for path, node in core.tree.walk()}
    root = _describe(core.tree.root)
    del root["created_at"], root["xattrs_shown"]  # it began with its session
    made_by = {path: _made_by(session, node) for path, node in core.tree.walk() if node.is_file}
    contents = {path: session.artifacts[path].read_bytes() for path, node in core.tree.walk() if node.is_file}
    links = sorted(sorted(path for path, other in core.tree.walk() if other is node) for _, node in core.tree.walk())
    return {
        "fields": (fields.name, fields.description, fields.tags, fields.metadata, fields.status, fields.reason),
        "kept": (fields.settings, {path: pin.message for path, pin in fields.pins.items()}),
        "root": root,
        "nodes": nodes,
        "links": links,
        "contents": contents,
        "state": session.state.to_dict(),
        "made_by": made_by,
        "counts": (core.tree.artifact_count, core.tree.size),
    }


def _describe(node):
    shown = xattrs.OfNode(node)
    has_xattrs = node.is_file or node.is_directory  # Linux lets only these two have some
    names = xattrs.names(shown, is_directory=node.is_directory) if has_xattrs else []
    said = {field: getattr(node, field) for field in _FIELDS}
    return {
        **said,
        "mode": node.mode,
        "xattrs_shown": {name: xattrs.get(shown, name) for name in names if name not in _OWN_XATTRS},
    }


def _made_by(session, node):
    home, _, seq = node.id.rpartition(":")
    (event,) = session.store.sessions[home].events(start=int(seq), end=int(seq) + 1)
    return event.data.get("made_by")
