"""Sessions made from templates: what they begin with, and that a failure leaves nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

import sessionfs
from sessionfs import api
from sessionfs.durable import OsDisk
from sessionfs.hooks import HookVeto
from sessionfs.hooks.switching import switch
from sessionfs.store import store as domain
from sessionfs.templates import BadTemplate, writing
from sessionfs.templates.content import LostFile, OutsideTemplate
from sessionfs.templates.hooks import HookNotCalled

MINE = """
about = "For tests"
id_prefix = "run-${name}-"
name = "Run ${name}"
description = "since ${date}"
tags = ["t", "${name}"]

[metadata]
count = "${count}"
nothing = { json = "null" }

[limits]
max_artifacts_per_session = 9

[retention]
keep_versions = "${count}"

[state]
step = 0
"of-${name}" = { deep = ["${count}", "n${count}"] }
long = "${long}"

[artifacts."out/${name}"]
directory = true
mode = "700"
tags = ["d"]

[artifacts."config.json"]
file = "config.json"
substitute = true
type = "config"
metadata = { author = "${name}" }

[artifacts."data.bin"]
file = "data.bin"
description = "as it is"

[artifacts."tree"]
tree = "skeleton"
tags = ["from-tree"]

[artifacts."notes.md"]
text = "# ${name}\\n"

[artifacts.latest]
symlink = "out/${name}"

[artifacts.again]
link = "data.bin"

[variables.name]
[variables.count]
type = "integer"
default = 3
[variables.long]
default = "-"
"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    store = sessionfs.open(tmp_path / "store", create=True, background_sync=False)
    write(store, "mine", MINE)
    beside = Path(store.path, "templates/mine")
    (beside / "skeleton/sub").mkdir(parents=True)
    (beside / "config.json").write_text('{"name": "${name}", "count": ${count}}')
    (beside / "data.bin").write_bytes(b"\xff${name}")
    os.utime(beside / "data.bin", ns=(1, 1_000_000_000_000_000_001))
    (beside / "skeleton/sub/a.sh").write_text("echo ${PATH}")
    (beside / "skeleton/sub/a.sh").chmod(0o755)
    (beside / "skeleton/link").symlink_to("/etc/passwd")
    return store


def write(store, name, text, place="store"):
    directory = Path(store.templates.places.directories[place])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.toml").write_text(text)


def test_a_session_begins_with_all_that_its_template_says(store):
    session = store.sessions.create(template="mine", variables={"name": "x", "long": "l" * 70_000}, tags=["own"])
    assert session.id.startswith("run-x-") and session.name == "Run x"
    assert session.description == f"since {session.created_at:%Y-%m-%d}"
    assert (session.tags, session.metadata) == (("t", "x", "own"), {"count": 3, "nothing": None})
    assert session.state.to_dict() == {"step": 0, "of-x": {"deep": [3, "n3"]}, "long": "l" * 70_000}
    artifacts = session.artifacts
    assert artifacts["config.json"].json() == {"name": "x", "count": 3}
    assert (artifacts["config.json"].type, artifacts["config.json"].metadata) == ("config", {"author": "x"})
    data = artifacts["data.bin"]
    assert (data.read_bytes(), data.description, data.links) == (b"\xff${name}", "as it is", 2)
    assert data.mtime_ns == 1_000_000_000_000_000_001
    script = artifacts["tree/sub/a.sh"]
    assert (script.read_text(), script.mode, script.tags) == ("echo ${PATH}", 0o755, ("from-tree",))
    assert (artifacts["tree/link"].target, artifacts["latest"].target) == ("/etc/passwd", "out/x")
    assert (artifacts["out/x"].mode, artifacts["out/x"].tags) == (0o700, ("d",))
    assert artifacts["notes.md"].mime_type == "text/markdown"
    created = next(session.events("session.created"))
    assert created.data["template"] == {"name": "mine", "values": {"name": "x", "count": 3, "long": "l" * 70_000}}
    assert session.info().template == "mine"
    assert len({event.operation for event in session.events()}) == 1
    with pytest.raises(sessionfs.Conflict, match="nothing to undo"):
        session.undo()
    artifacts.put("more", b"")
    with pytest.raises(sessionfs.Conflict, match="max_artifacts_per_session is 9"):
        for number in range(9):
            artifacts.put(f"too-many-{number}", b"")
    fork = session.fork()
    assert (fork.info().template, fork.core.config.max_artifacts_per_session) == ("mine", 9)
    assert fork.core.config.keep_versions == 3


def test_what_the_caller_says_wins(store):
    parent = store.sessions.create(id="parent")
    session = store.sessions.create(
        "Own",
        id="own",
        description="mine",
        metadata={"count": 7},
        parent=parent,
        template=store.templates["mine"],
        variables={"name": "x"},
    )
    assert (session.id, session.name, session.description, session.parent) == ("own", "Own", "mine", "parent")
    assert session.metadata == {"count": 7, "nothing": None}
    with pytest.raises(sessionfs.InvalidInput, match="no template"):
        store.sessions.create(variables={"name": "x"})


def test_the_stores_templates_win_and_examples_come_last(store):
    assert [(found.name, found.place) for found in store.templates.list()] == [
        ("data_pipeline", "example"),
        ("mine", "store"),
        ("ml_training", "example"),
    ]
    write(store, "ml_training", "about = 'user'", "user")
    assert store.templates["ml_training"].about == "user"
    write(store, "ml_training", "about = 'store'")
    assert store.templates["ml_training"].about == "store"
    assert list(store.templates) == ["data_pipeline", "mine", "ml_training"]
    for name in ("../../x", "", "a/b", ".hidden", "x" * 65):
        with pytest.raises(sessionfs.InvalidInput, match="is no name for a template"):
            store.templates[name]
    with pytest.raises(KeyError, match="the nearest is 'mine'"):
        store.templates["mime"]


@pytest.mark.parametrize("name", ["data_pipeline", "ml_training"])
def test_the_examples_work(store, name):
    assert store.templates.check(name) == ["name"]
    assert store.templates.check(name, {"name": "x"}) == []
    session = store.sessions.create(template=name, variables={"name": "run7"})
    prefix, tags = {"data_pipeline": ("DataPipeline-", "automated"), "ml_training": ("MLTraining-", "training")}[name]
    assert session.name == f"{prefix}run7" and tags in session.tags
    for path in ("pipeline.json", "config/training.json"):
        if path in session.artifacts:
            assert json.loads(session.artifacts[path].read_text())["version" if name == "data_pipeline" else "epochs"]


MISTAKES = [
    ("[artifacts.a]\nfile = 'none'", LostFile, "bad.toml: artifacts.a.file is 'none', and there is nothing"),
    ("[artifacts.a]\nfile = '../mine.toml'", OutsideTemplate, "is '../mine.toml', which is outside of"),
    ("[artifacts.a]\nfile = '/etc/passwd'", OutsideTemplate, "outside of"),
    ("[artifacts.a]\nfile = 'escape'", OutsideTemplate, "outside of"),
    ("[artifacts.a]\ntree = '.'", BadTemplate, "pipe is neither a file, a directory nor a symbolic link"),
    ("[artifacts.a]\nfile = 'pipe'", BadTemplate, "artifacts.a.file is 'pipe', which is no file"),
    ("[artifacts.'../x']\ntext = ''", BadTemplate, "artifacts.../x: '../x' holds the name '..'"),
    ("[artifacts.'.']\ntext = ''", BadTemplate, "only a tree can be put at the top"),
    ("[artifacts.a]\nfile = 'latin'\nsubstitute = true", BadTemplate, "latin, line 2: it is not UTF-8 text"),
    (
        "[artifacts.a]\nfile = 'unknown'\nsubstitute = true",
        BadTemplate,
        "unknown, line 3: there is no variable 'x'",
    ),
    ("[artifacts.a]\nlink = 'b'", sessionfs.NotFound, "'b'"),
    ("[artifacts.a]\ntext = ''\ntype = 'a b'", BadTemplate, "artifacts.a: 'a b' is no type"),
    (
        "[artifacts.a]\ntext = ''\nxattrs = {x = '!'}",
        BadTemplate,
        "artifacts.a.xattrs is a table of texts in base64",
    ),
    ("[artifacts.a]\ntext = ''\n[artifacts.'a/b']\ntext = ''", sessionfs.InvalidInput, "'a'"),
    ("tags = ['a,b']", BadTemplate, "bad.toml: tags: 'a,b' is no tag"),
    ("id_prefix = 'a b'", BadTemplate, "bad.toml: id_prefix: 'a b"),
    ('name = "\\n"', BadTemplate, "bad.toml: name: "),
    ("[state]\n'a/b' = 1", BadTemplate, "bad.toml: state.a/b: 'a/b' is no key"),
    ("[limits]\nmax_sessions = 1", BadTemplate, "limits.max_sessions: a session cannot set 'limits.max_sessions'"),
    ("[limits]\nmax_artifact_size = 'big'", BadTemplate, "limits.max_artifact_size: "),
    ("[retention]\nkeep = 1", BadTemplate, "retention.keep: "),
    (
        "[limits]\nmax_artifact_size = 3\n[artifacts.a]\ntext = 'four'",
        sessionfs.Conflict,
        "artifacts.a: limits.max",
    ),
    ("[limits]\nmax_session_size = 3\n[artifacts.a]\ntext = 'four'", sessionfs.Conflict, "max_session_size is 3"),
    ("[hooks]\npre-artifact-store = 'latin'", HookNotCalled, "nobody may execute"),
    ("[hooks]\npre-artifact-store = '../mine.toml'", OutsideTemplate, "hooks.pre-artifact-store is '../mine.toml'"),
]


def test_what_cannot_be_leaves_no_session(store):
    beside = Path(store.path, "templates/bad")
    beside.mkdir()
    (beside / "latin").write_bytes(b"a\n\xff")
    (beside / "unknown").write_text("\n\n${x}")
    (beside / "escape").symlink_to("/etc/passwd")
    os.mkfifo(beside / "pipe")
    for text, error, said in MISTAKES:
        write(store, "bad", text)
        with pytest.raises(error) as failure:
            store.sessions.create(template="bad")
        assert said in str(failure.value), text
        with pytest.raises(error):
            store.templates.check("bad")
    assert list(store.sessions) == [] and os.listdir(f"{store.path}/sessions") == []


class Full(OsDisk):
    """A disk that is full after so many writes."""

    left = 1000

    def write(self, fd, data):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(fd, data)


def test_a_full_disk_in_the_middle_leaves_no_session(store):
    """Every write of the making fails once; what was made before it is no session, and the id is free."""
    disk = Full()
    full = api.Store(domain.Store(store.path, disk=disk))
    for allowed in range(100):
        disk.left = allowed
        try:
            session = full.sessions.create(id="one", template="mine", variables={"name": f"n{allowed}"})
            break
        except sessionfs.Conflict:
            disk.left = 1000
            assert "one" not in full.sessions
    assert allowed >= 2 and session.artifacts["notes.md"].read_text() == f"# n{allowed}\n"


def test_hooks_of_the_store_are_asked_about_what_a_session_begins_with(store):
    asked = []

    @store.hooks.on("pre-artifact-store")
    def look(call):
        asked.append(call.action.path)
        if call.action.path == "refuse":
            raise HookVeto("not this one")

    @store.hooks.on("post-state-change")
    def tell(call):
        asked.append((call.action.key, call.seq))

    write(store, "some", "[artifacts.a]\ntext = ''\n[state]\nk = 1")
    session = store.sessions.create(template="some")
    assert asked == ["a", ("k", 2)]
    assert [event.type for event in session.events("hook.*")] == ["hook.ran"] * 2
    write(store, "some", "[artifacts.a]\ntext = ''\n[artifacts.refuse]\ntext = ''")
    with pytest.raises(HookVeto, match="not this one"):
        store.sessions.create(id="one", template="some")
    assert "one" not in store.sessions


def test_hooks_of_a_template_are_called_for_its_sessions_alone(store):
    write(store, "strict", "[hooks]\npre-artifact-store = 'only-csv'\npost-state-change = ['note']\n[state]\na = 1")
    beside = Path(store.path, "templates/strict")
    beside.mkdir()
    hook(beside / "only-csv", 'case $SESSIONFS_PATH in *.csv) ;; *) echo "tables only" >&2; exit 1;; esac')
    hook(beside / "note", 'echo "$SESSIONFS_SESSION $SESSIONFS_KEY" >> noted')
    session, other = store.sessions.create(id="strict", template="strict"), store.sessions.create(id="other")
    for place in (session, session.fork(id="fork"), sessionfs.open(store.path).sessions["strict"]):
        place.artifacts.put("a.csv", b"")
        with pytest.raises(HookVeto, match="by the hook templates/strict/only-csv: tables only"):
            place.artifacts.put("a.txt", b"")
    other.artifacts.put("a.txt", b"")
    for place in (session, other):
        place.state["k"] = 1
    assert Path(store.path, "noted").read_text() == "strict k\n"  # not of what it began with
    ran = [event.data["hook"] for event in session.events("hook.ran", limit=1)]
    assert ran == ["templates/strict/only-csv"]
    assert switch(store.hooks, ran[0], on=False)  # as any hook
    session.artifacts.put("a.txt", b"")
    assert switch(store.hooks, ran[0], on=True)
    with pytest.raises(HookVeto):
        session.artifacts.put("a.txt", b"")


def test_hooks_are_not_called_from_where_the_stores_owner_did_not_put_them(store):
    write(store, "own", "[hooks]\npre-artifact-store = 'x'", "user")
    beside = Path(store.templates.places.directories["user"], "own")
    beside.mkdir()
    hook(beside / "x", "exit 1")
    with pytest.raises(HookNotCalled, match="only called from the store's own templates; move"):
        store.sessions.create(template="own")
    write(store, "own", "[hooks]\npre-artifact-store = 'x'")
    beside = Path(store.path, "templates/own")
    beside.mkdir()
    hook(beside / "x", "exit 1")
    (beside / "x").chmod(0o777)
    with pytest.raises(HookNotCalled, match="everybody may write to"):
        store.sessions.create(template="own")
    # What comes from another store may name anything.
    evil = hook(Path(store.path, "evil"), "touch ran")
    made = store.core.create_session(session_id="evil", hooks={"pre-artifact-store": ("../evil", str(evil))})
    store.sessions[made.id].artifacts.put("a", b"")
    assert not Path(store.path, "ran").exists()


def hook(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_template_made_from_a_session_leaves_nothing_when_it_fails(store):
    session = store.sessions.create(template="mine", variables={"name": "x"})
    made = store.templates.create("copy", session, about="A copy")
    assert (made.files, made.left_out) == (4, ())
    assert store.templates["copy"].about == "A copy"
    with pytest.raises(sessionfs.Conflict, match=r"copy\.toml already"):
        store.templates.create("copy", session)
    os.unlink(f"{store.path}/templates/copy.toml")
    with pytest.raises(sessionfs.Conflict, match="templates/copy already"):
        store.templates.create("copy", session)
    session.core.artifacts.make_special("pipe", "fifo")
    assert store.templates.create("user", session, place="user").left_out == ("pipe",)
    session.artifacts.put("lost", b"lost" * 10)
    (path,) = store.objects.paths(session.artifacts["lost"].oid)
    os.unlink(path)
    with pytest.raises(sessionfs.Error, match="no object"):
        store.templates.create("lost", session)
    assert sorted(os.listdir(f"{store.path}/templates")) == ["copy", "mine", "mine.toml"]
    assert not [name for name in os.listdir(f"{store.path}/tmp") if "template" in name]


class Meanwhile:
    """``os``, but for one call before which something happens."""

    def __init__(self, call, does):
        self._call = call
        self._does = does

    def __getattr__(self, name):
        if name == self._call:
            self._does()
        return getattr(os, name)


@pytest.mark.parametrize("paths", [(), ("a.txt",)])
def test_of_two_templates_of_one_name_one_is_made_whole(store, monkeypatch, paths):
    session = store.sessions.create()
    for path in paths:
        session.artifacts.put(path, b"")

    def another():
        monkeypatch.undo()
        store.templates.create("one", session, about="the first")

    monkeypatch.setattr(writing, "os", Meanwhile("rename", another))
    with pytest.raises(sessionfs.Conflict, match="choose another name"):
        store.templates.create("one", session)
    assert store.templates["one"].about == "the first"
    assert [*store.sessions.create(template="one").artifacts] == [*paths]


def test_what_somebody_writes_by_hand_meanwhile_stays(store, monkeypatch):
    session = store.sessions.create()
    session.artifacts.put("a.txt", b"")
    refused = []

    def others():
        monkeypatch.undo()
        with pytest.raises(sessionfs.Conflict, match="is being made just now") as failure:
            store.templates.create("one", session)
        refused.append(failure)
        write(store, "one", "about = 'by hand'")

    monkeypatch.setattr(writing, "os", Meanwhile("link", others))
    with pytest.raises(sessionfs.Conflict, match=r"one\.toml already; choose another name"):
        store.templates.create("one", session)
    assert refused and store.templates["one"].about == "by hand"
    assert sorted(os.listdir(f"{store.path}/templates")) == ["mine", "mine.toml", "one.toml"]
