"""What is done in the browser, as command lines: each is understood by its verb, and can be typed as shown."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from sessionfs.api import FoundArtifact
from sessionfs.cli.arguments import parse
from sessionfs.cli.verbs import FAMILIES, import_verb
from sessionfs.events.event import Event
from sessionfs.log.record import Record
from sessionfs.sessions import SessionInfo, Status
from sessionfs.ui import commands
from sessionfs.ui.acts import ACTS, Chosen, NothingChosen
from sessionfs.ui.app import groups
from sessionfs.ui.commands import shell_text

INFO = SessionInfo(
    id="q4", name="Q4", description=None, tags=("a",), metadata={}, parent=None, status=Status.ACTIVE, reason=None,
    created_by="ada", created_ns=0, updated_ns=0, started_ns=0, ended_ns=None, artifact_count=1, size=1, stored_size=1,
    event_count=1, state_count=0, damage=None,
)  # fmt: skip


def artifact(path: str, *, is_live: bool = True) -> FoundArtifact:
    nothing: Any = None
    return FoundArtifact(
        session="q4", is_live=is_live, path=path, name=path, kind="file", id="q4:3", oid=None, version=1, type="log",
        mime_type="text/plain", description=None, tags=("x",), metadata={}, size=1, stored_size=1, compression="none",
        created_ns=0, updated_ns=0, mtime_ns=0, created_by="ada", parent=None, mode=0o644, uid=0, gid=0, links=1,
        target=None, objects=nothing,
    )  # fmt: skip


def chosen(path: str = "-rf.txt", *, is_live: bool = True) -> Chosen:
    nothing: Any = None
    record = Record(seq=7, time="2026-11-20T22:44:01Z", type="custom.x", actor="ada", base=0, chain="0" * 32)
    return Chosen(INFO, artifact(path, is_live=is_live), ("-key", '{"a": 1}'), Event("q4", record, nothing))


def understood(words: list[str]) -> Any:
    name = " ".join(words[:2]) if words[0] in FAMILIES else words[0]
    return parse(import_verb(name), words[len(name.split()) :])


@pytest.mark.parametrize("name", ACTS)
def test_every_action_is_understood_by_its_verb(name):
    action = ACTS[name](chosen())
    for filled in ({field.name: "1" for field in action.fields}, {field.name: "-1, b" for field in action.fields}):
        understood(action.make(filled))
    needed = {field.name: "x" if field.is_needed else "" for field in action.fields}
    understood(action.make(needed))


@pytest.mark.parametrize("name", ACTS)
def test_without_anything_chosen_it_says_what_is_missing(name):
    try:
        understood(ACTS[name](Chosen()).make({"name": "", "id": "", "tags": "", "parent": ""}))
    except NothingChosen as failure:
        assert "no " in str(failure)
    else:
        assert name == "create_session"


def test_what_is_named_is_what_was_chosen():
    found = understood(ACTS["remove"](chosen()).make({}))
    assert (found.text("SESSION"), found.texts("PATH")) == ("q4", ["-rf.txt"])
    assert commands.get("q4@{3}", "a").make({"target": " out "}) == ["artifact", "get", "q4@{3}", "a", "out"]
    assert ACTS["get"](chosen("a", is_live=False)).make({"target": ""}) == ["artifact", "get", "q4@{3}", "a"]
    with pytest.raises(NothingChosen, match="not there any more"):
        ACTS["remove"](chosen("a", is_live=False))
    tags = understood(ACTS["tag"](chosen()).make({"add": "a, b,,c d", "remove": ""}))
    assert (tags.texts("add"), tags.texts("remove")) == (["a", "b", "c d"], [])
    assert ACTS["restore_here"](chosen()).fields[0].initial == "7"
    assert commands.move("q4", "a").make({"target": r"b\xff"}) == ["artifact", "mv", "q4", "a", "b\udcff"]


def test_the_step_is_the_one_that_can_be_taken():
    words = {status: commands.step(SessionInfo(**{**_fields(INFO), "status": status})).make({})[1] for status in Status}
    assert [words[status] for status in (Status.ACTIVE, Status.SUSPENDED, Status.COMPLETED)] == [
        "suspend", "resume", "archive",
    ]  # fmt: skip


def _fields(info: SessionInfo) -> dict[str, Any]:
    return {field: getattr(info, field) for field in info.__struct_fields__}


def test_a_command_can_be_typed_as_it_is_shown():
    words = [
        "a b",
        "",
        "-x",
        "it's",
        'a"b',
        "$HOME `id` \\",
        "a\nb\x1b[31m",
        "é漢",
        "\u202egnp",
        "stray\udcff",
        "*.csv",
        "{}",
    ]
    shown = shell_text(words)
    assert shown.isprintable() and "\u202e" not in shown
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {shown}"], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in words]


def test_all_that_destroys_asks_first():
    asks = {name for name in ACTS if ACTS[name](chosen()).warning}
    assert asks == {"delete_session", "complete", "fail", "restore", "restore_here", "remove", "remove_state"}
    assert commands.empty_trash().warning


def test_every_action_has_a_key():
    bound = {binding.action for _, bindings in groups() for binding in bindings}
    assert {f"app.act('{name}')" for name in ACTS} <= bound
