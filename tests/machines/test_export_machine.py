"""Whatever a session holds, an export of it becomes the same again: through a directory, through an archive."""

from __future__ import annotations

import io
import itertools

from exported import describe_exported
from hypothesis import given, settings
from hypothesis import strategies as st

import sessionfs
from sessionfs.errors import Error

NAMES = st.sampled_from(["a", "b", "d", "é", "caf\udce9", "back\\slash", "new\nline", "x" * 255, "artifacts", "=%"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TEXTS = st.sampled_from(["", "one", "zwei, drei", "\N{SNOWMAN}", "a\nb\0c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**60) | TEXTS, lambda inner: st.lists(inner), max_leaves=4
)
METADATA = st.dictionaries(st.sampled_from(["author", "n", "a=b%", "é"]), JSON, max_size=3)
XATTRS = st.dictionaries(
    st.sampled_from(["user.raw", "user.back\\\\slash", "user.stray\\xff", "user.k=v"]),
    st.sampled_from([b"\xff\xfe", b"\xc3", b"\x80"]),
    max_size=2,
)
TIMES = st.sampled_from([0, -1, 1, 123_456_789, 1_795_214_641_000_000_001, 4_102_444_800_999_999_999])
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["code", "own-word"]),
        "mime_type": st.just("text/x-mine"),
        "description": TEXTS.filter(bool),
        "tags": st.lists(st.sampled_from(["t", "u v", "é"]), unique=True),
        "metadata": METADATA,
        "xattrs": XATTRS,
        "mode": st.sampled_from([0o600, 0o4755, 0o1777, 0]),
        "mtime_ns": TIMES,
        "atime_ns": TIMES,
        "uid": st.sampled_from([0, 1000, 2**32 - 2]),
        "gid": st.sampled_from([0, 3_000_000]),
    },
)
CONTENTS = st.sampled_from([b"", b"x", b"text\n" * 40, bytes(70_000), b"\x00\xff" * 9_000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PATHS, CONTENTS, ATTRIBUTES),
        st.tuples(st.just("directory"), PATHS, st.none(), ATTRIBUTES),
        st.tuples(st.just("symlink"), PATHS, st.sampled_from(["../../etc/passwd", "a", "stray\udcff"]), ATTRIBUTES),
        st.tuples(st.just("special"), PATHS, st.sampled_from(["fifo", "socket", "character_device"]), ATTRIBUTES),
        st.tuples(st.just("link"), PATHS, PATHS, st.none()),
        st.tuples(st.just("rename"), PATHS, PATHS, st.none()),
        st.tuples(st.just("delete"), PATHS, st.none(), st.none()),
        st.tuples(st.just("change"), PATHS, st.none(), ATTRIBUTES),
        st.tuples(st.just("tool"), PATHS, CONTENTS, st.none()),
        st.tuples(st.just("state"), st.sampled_from(["k", "ключ", "..x"]), JSON, st.none()),
        st.tuples(st.just("state"), st.just("long"), st.just("v" * 9_000), st.none()),
    ),
    max_size=12,
)
ENDS = st.sampled_from(["", "", "suspend", "complete", "fail", "archive"])

_numbers = itertools.count()


def do(session, kind, path, value, attributes):
    artifacts = session.core.artifacts
    match kind:
        case "put":
            artifacts.put(path, session.store.objects.put_bytes(value), head=value[:100], **attributes)
        case "directory":
            artifacts.make_directory(path, exist_ok=True, **attributes)
        case "symlink":
            artifacts.make_symlink(path, value, **{k: v for k, v in attributes.items() if k != "mode"})
        case "special":
            artifacts.make_special(path, value, rdev=259 if value == "character_device" else 0, **attributes)
        case "link":
            artifacts.link(path, value)
        case "rename":
            artifacts.rename(path, value, make_parents=True)
        case "delete":
            artifacts.delete(path, recursive=True)
        case "change":
            artifacts.change(path, **attributes)
        case "tool":
            with session.tool("make", {"path": "p"}):
                session.artifacts.put(path, value)
        case "state":
            session.state[path] = value


def end(session, how):
    match how:
        case "suspend":
            session.suspend()
        case "complete" | "archive":
            session.complete()
            if how == "archive":
                session.archive()
        case "fail":
            session.fail("no luck")


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(STEPS, ENDS, st.sampled_from(["directory", "tar", "tar.gz"]), METADATA)
def test_an_export_becomes_the_same_session(tmp_path_factory, steps, how, format, metadata):
    global _stores
    if _stores is None:
        base = tmp_path_factory.mktemp("export")
        _stores = base, sessionfs.open(base / "one", create=True), sessionfs.open(base / "two", create=True)
    base, one, two = _stores
    session = one.sessions.create("A name", tags=["s"], metadata=metadata, description="d")
    for step in steps:
        try:
            do(session, *step)
        except Error:
            continue  # it is not possible; what is so after the others counts
    end(session, how)
    known = describe_exported(session)
    if format == "directory":
        place = base / f"out{next(_numbers)}"
        session.export(place)
        imported = two.import_session(place)
    else:
        stream = io.BytesIO()
        session.export(stream, format=format)
        stream.seek(0)
        imported = two.import_session(stream)
    assert imported.session_id == imported.came_from == session.id
    assert describe_exported(two.sessions[session.id]) == known
    (event,) = two.sessions[session.id].events("session.imported")
    assert event.data["moment"]["chain"] == session.log_head()


_stores = None
