"""Everything that can be seen of a session, or of a view of one, as plain values, for comparing."""

from __future__ import annotations

from sessionfs.artifacts import Node
from sessionfs.store.session import Session

# "tree" only says whether a tree object is up to date; "permissions" may be left out when they are the usual ones.
# Of an inode with several names, which name comes first depends on what has been read.
_HIDDEN = ("parent", "name", "others", "tree", "permissions")
_FIELDS = [field for field in Node.__struct_fields__ if field not in _HIDDEN]


def describe_node(path, node):
    return {"path": path, "mode": node.mode, **{field: getattr(node, field) for field in _FIELDS}}


def describe_moment(source):
    """Return fields, tree, state and counts of a session or a view."""
    values = source.state.values
    return {
        "info": source.info(),
        "fields": source.fold.fields,
        "nodes": [describe_node(path, node) for path, node in [("", source.tree.root), *source.tree.walk()]],
        "state": {key: (source.state.get(key), value.changed_at, value.size) for key, value in values.items()},
    }


def describe(session: Session):
    """Return all of that, and the place in the log."""
    return {**describe_moment(session), "position": session.log.position, "time": session.log.last_time}
