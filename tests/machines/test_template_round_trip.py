"""A template made from a session, and a session made from that: the same fields, state and artifacts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import describe_node

import sessionfs

# What TOML, variables and names make difficult.
TEXTS = st.one_of(
    st.sampled_from(
        ["${id}", "$${x}", "${", '"', "\\", "\x7f", "\n\t\r\x01", "'''", '"""', "é 漢字 🙂", "[a.b]", "# = "]
    ),
    st.text(max_size=8),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(TEXTS | st.just("json"), inside, max_size=3)
        | inside.map(lambda value: {"json": value})
    ),
    max_leaves=8,
)
KEYS = TEXTS.filter(lambda key: key not in ("", ".", "..") and not set(key) & set("/\0"))
TAGS = st.lists(st.sampled_from(["${id}", "a b", "é", '"']), max_size=2, unique=True)
METADATA = st.dictionaries(TEXTS.filter(bool), JSON, max_size=2)
NAMES = st.one_of(st.sampled_from(["a", "b", "c.txt", "$${x}", "${id}", "\udcff", "\\x", "é", ".", "json"]), KEYS)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map("/".join)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["data", "own"]),
        "mime_type": st.sampled_from(["text/x-own", "text/plain"]),
        "description": TEXTS,
        "tags": TAGS,
        "metadata": METADATA,
        "mode": st.sampled_from([0, 0o444, 0o600, 0o755, 0o4755]),
        "mtime_ns": st.integers(0, 2**62),
    },
)
ARTIFACTS = st.lists(
    st.tuples(st.sampled_from(["file", "directory", "symlink", "link"]), PATHS, st.binary(max_size=6), ATTRIBUTES),
    max_size=6,
)
FIELDS = st.fixed_dictionaries(
    {"tags": TAGS, "metadata": METADATA, "description": st.none() | TEXTS.filter(bool)},
    optional={"name": st.sampled_from(["${id}", 'a "b"', "é"])},
)

numbers = itertools.count()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return sessionfs.open(tmp_path_factory.mktemp("round") / "store", create=True, background_sync=False)


@given(FIELDS, st.dictionaries(KEYS, JSON, max_size=3), ARTIFACTS, st.booleans())
def test_the_same_comes_out(store, fields, state, artifacts, has_limits):
    session = store.sessions.create(**fields)
    for key, value in state.items():
        session.state[key] = value
    for kind, path, content, attributes in artifacts:
        put(session, kind, path, content, attributes)
    if has_limits:
        session.configure({"limits.max_session_size": "1GiB", "retention.keep_versions": 3})
    name = f"t{next(numbers)}"
    store.templates.create(name, session)
    made = store.sessions.create(template=name)
    assert described(made) == described(session)


def put(session, kind, path, content, attributes):
    try:
        if kind == "file":
            session.artifacts.put(path, content, **attributes)
        elif kind == "directory":
            attributes = {key: value for key, value in attributes.items() if key != "mtime_ns"}
            session.artifacts.make_directory(path, exist_ok=True, **attributes)
        elif kind == "symlink":
            session.artifacts.make_symlink(path, "${target}\udcfe")
        else:
            files = [known for known in session.artifacts if session.artifacts[known].kind == "file"]
            if files:
                session.artifacts.link(files[0], path)
    except (sessionfs.InvalidInput, sessionfs.Conflict, sessionfs.NotFound):
        pass  # something else is there, or above it; or no file can be called so


# What belongs to one session, or to the moment at which something was stored there.
_OWN = {"id", "ino", "version", "created_at", "ctime", "atime", "created_by", "changed_at"}


def described(session):
    core = session.core
    core.refresh()
    nodes = []
    for path, node in core.tree.walk():
        said = {key: value for key, value in describe_node(path, node).items() if key not in _OWN}
        if node.kind != "file":
            del said["mtime"]
        nodes.append({**said, "metadata": node.metadata or {}, "xattrs": node.xattrs or {}, "names": node.links})
    fields = core.fold.fields
    return (
        (fields.name, fields.description, fields.tags, fields.metadata, fields.settings),
        session.state.to_dict(),
        nodes,
    )
