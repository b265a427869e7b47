"""Points, what hooks may answer, and functions in order: pure values."""

from __future__ import annotations

import msgspec
import pytest

from sessionfs.errors import InvalidInput, NotFound
from sessionfs.hooks import HIGH, LOW, ArtifactAction, HookCall, Modify, SessionAction, StateAction
from sessionfs.hooks.calls import BadAnswer, modified, parse_answer
from sessionfs.hooks.points import PLACES, BadPoint, Place, parse_place
from sessionfs.hooks.registry import BadHook, Registry, name_of
from sessionfs.store.hooked import POINTS, encode, freeze, thaw

ARTIFACT = ArtifactAction(
    session="s", path="d/a.txt", type="data", tags=("x",), metadata=freeze({"a": 1, "deep": {"k": [1, 2]}})
)


def call(action=ARTIFACT, point="artifact.store", phase="pre") -> HookCall:
    return HookCall(phase=phase, point=point, store="/s", session="s", actor="me", action=action)


def test_every_point_has_a_pre_and_a_post_name():
    assert len(PLACES) == 2 * len(POINTS) == 32
    assert parse_place("pre-artifact-store") == Place("pre", "artifact.store")
    assert parse_place("post-session.complete") == Place("post", "session.complete")
    assert all(parse_place(name).name == name for name in PLACES)


@pytest.mark.parametrize("text", ["pre-artifact-stor", "artifact.store", "", "pre", "middle-artifact-store", None, 3])
def test_an_unknown_point_is_refused_with_what_there_is(text):
    with pytest.raises(BadPoint, match=r"artifact-store"):
        parse_place(text)


def test_an_answer_is_a_merge_patch():
    action, fields = modified(call(), Modify(tags=["y"], metadata={"a": None, "deep": {"new": True}}, type="code"))
    assert fields == {"tags": ("y",), "metadata": {"deep": {"k": [1, 2], "new": True}}, "type": "code"}
    assert (action.tags, action.type, action.path) == (("y",), "code", "d/a.txt")
    assert thaw(action.metadata) == fields["metadata"]
    assert thaw(ARTIFACT.metadata) == {"a": 1, "deep": {"k": [1, 2]}}  # what was told before stays
    assert modified(call(), Modify(metadata=None))[1] == {"metadata": {}}


def test_an_artifact_gets_another_name_in_the_same_directory():
    action, fields = modified(call(), Modify(name="b.txt"))
    assert (fields, action.path, action.name) == ({"name": "b.txt"}, "d/b.txt", "b.txt")
    for name in ("", "..", "a/b", None, "x" * 300, 3):
        with pytest.raises(BadAnswer, match="name"):
            modified(call(), Modify(name=name))


@pytest.mark.parametrize(
    ("point", "action", "patch"),
    [
        ("artifact.delete", ARTIFACT, Modify(tags=[])),
        ("state.change", StateAction(session="s", key="k"), Modify(metadata={})),
        ("session.create", SessionAction(session="s"), Modify(type="data")),
        ("session.create", SessionAction(session="s"), Modify(name="")),
        ("artifact.store", ARTIFACT, Modify(tags="text")),
        ("artifact.store", ARTIFACT, Modify(tags=["a,b"])),
        ("artifact.store", ARTIFACT, Modify(type="no type")),
        ("artifact.store", ARTIFACT, Modify(metadata={"sessionfs.x": 1})),
        ("artifact.store", ARTIFACT, Modify(metadata="text")),
        ("artifact.store", ArtifactAction(session="s", path="a", link="b"), Modify(tags=["x"])),
    ],
)
def test_what_cannot_be_changed_is_refused(point, action, patch):
    with pytest.raises(BadAnswer, match="it wants to change"):
        modified(call(action, point), patch)


def test_a_session_is_changed_by_name_tags_and_metadata():
    session = SessionAction(session="s", name="old", tags=("a",))
    action, fields = modified(call(session, "session.update"), Modify(name=None, tags=["b"], metadata={"k": 1}))
    assert fields == {"name": None, "tags": ("b",), "metadata": {"k": 1}}
    assert (action.name, action.tags) == (None, ("b",))


@pytest.mark.parametrize("text", [b"", b" \n\t"])
def test_who_prints_nothing_changes_nothing(text):
    assert parse_answer(text) is None


@pytest.mark.parametrize(
    "text", [b"hello", b"[1]", b'{"tag": ["x"]}', b'{"tags": 3}', b"\xff\xfe", b"{" * 5000, b"{}x"]
)
def test_rubbish_is_refused(text):
    with pytest.raises(BadAnswer, match="it printed"):
        parse_answer(text)


def test_nothing_that_a_hook_is_told_can_be_set():
    with pytest.raises(AttributeError):
        ARTIFACT.path = "x"
    for place in (ARTIFACT.metadata, ARTIFACT.metadata["deep"]):
        with pytest.raises(TypeError):
            place["a"] = 2
    assert isinstance(ARTIFACT.metadata["deep"]["k"], tuple)


def test_what_executables_read_is_json_with_every_field():
    told = msgspec.json.decode(encode(call()))
    assert (told["point"], told["phase"], told["seq"]) == ("artifact.store", "pre", None)
    assert told["action"]["metadata"] == {"a": 1, "deep": {"k": [1, 2]}}
    assert told["action"]["kind"] == "file" and told["action"]["oid"] is None
    value = StateAction(session="s", key="k", json=msgspec.Raw(b'{"x":[1]}'))
    assert msgspec.json.decode(encode(call(value, "state.change")))["action"] == {
        "session": "s", "key": "k", "value": {"x": [1]}, "deleted": False,
    }  # fmt: skip
    assert value.value == {"x": [1]}


# Functions in order


def test_lower_priorities_come_first_and_equal_ones_as_they_came():
    registry = Registry(1)
    for name, priority in (("low", LOW), ("first", 0), ("high", HIGH), ("second", 0), ("between", -5)):
        registry.on("pre-state-change", print, priority=priority, name=name)
    assert [hook.name for hook in registry.table[parse_place("pre-state-change")]] == [
        "high", "between", "first", "second", "low",
    ]  # fmt: skip


def test_on_is_a_decorator_and_off_takes_the_function_or_its_name():
    registry = Registry(1)

    @registry.on("post-session-save", budget_seconds=0.5)
    def told(call): ...

    (hook,) = registry.table[parse_place("post-session-save")]
    assert (hook.name, hook.budget_ns) == (name_of(told), 500_000_000)
    assert hook.name.endswith("told")
    registry.off("post-session-save", told)
    assert registry.table == {}
    with pytest.raises(NotFound, match="is not called at post-session-save"):
        registry.off("post-session-save", told)
    registry.on("post-session-save", told, name="by name")
    registry.off("post-session-save", "by name")
    assert registry.table == {}


def test_what_cannot_be_a_hook_is_refused():
    registry = Registry(1)
    for arguments in (("pre-state-change", 3), ("pre-nothing", print)):
        with pytest.raises(InvalidInput):
            registry.on(*arguments)
    with pytest.raises(BadHook, match="priority"):
        registry.on("pre-state-change", print, priority="high")
    with pytest.raises(BadPoint):
        registry.off("pre-nothing", print)
    assert registry.table == {}
