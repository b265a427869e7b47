"""Everything that can be seen of a session, as plain values, for comparing."""

from __future__ import annotations

from sessionfs.artifacts import Node
from sessionfs.store.session import Session

# "tree" only says whether a tree object is up to date; "permissions" may be left out when they are the usual ones.
_FIELDS = [field for field in Node.__struct_fields__ if field not in ("parent", "tree", "permissions")]


def describe_node(node):
    return {"path": node.path, "mode": node.mode, **{field: getattr(node, field) for field in _FIELDS}}


def describe(session: Session):
    """Return fields, tree, state and counts."""
    state = session.fold.state
    values = state.values
    return {
        "info": session.info(),
        "fields": session.fold.fields,
        "root": describe_node(session.tree.root),
        "nodes": [describe_node(node) for _, node in session.tree.walk()],
        "state": {key: (state.get(key), value.changed_at, value.size) for key, value in values.items()},
        "position": session.log.position,
        "time": session.log.last_time,
    }
