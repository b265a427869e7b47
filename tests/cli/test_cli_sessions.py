"""The verbs of sessions."""

from __future__ import annotations

import pytest

FIELDS = {
    "id", "name", "description", "tags", "metadata", "parent", "status", "reason", "created_by", "created_at",
    "updated_at", "started_at", "ended_at", "artifact_count", "size", "stored_size", "event_count", "state_count",
    "damage", "template",
}  # fmt: skip


def test_create_prints_the_id(cli):
    result = cli.ok("session", "create")
    assert result.out.rstrip("\n") in {session["id"] for session in cli.ok("session", "list", "--json").json}


def test_create_with_everything(q4):
    created = q4.ok(
        "session", "create", "--id", "charts", "--name", "Charts", "--description", "of it", "--tag", "a", "--tag", "b",
        "--meta", "year=2026", "--meta", "region=north", "--meta", 'more={"k": [1]}', "--parent", "Fourth quarter",
        "--json",
    ).json  # fmt: skip
    assert set(created) == FIELDS
    wanted = {
        "id": "charts",
        "name": "Charts",
        "description": "of it",
        "tags": ["a", "b"],
        "metadata": {"year": 2026, "region": "north", "more": {"k": [1]}},
        "parent": "q4",
        "status": "active",
        "event_count": 1,
    }
    assert {field: created[field] for field in wanted} == wanted
    assert q4.ok("session", "show", "charts", "--json").json == created


def test_create_refuses(q4):
    assert "'../up' is no session id" in q4.fails(2, "session", "create", "--id", "../up")
    assert "'nothing' is no metadata" in q4.fails(2, "session", "create", "--meta", "nothing")
    assert "is no tag" in q4.fails(2, "session", "create", "--tag", "a,b")
    assert "no session has the id" in q4.fails(3, "session", "create", "--parent", "nobody")
    assert "there is already a session 'q4'" in q4.fails(5, "session", "create", "--id", "q4")
    assert [session["id"] for session in q4.ok("session", "list", "--json").json] == ["q4"]


def test_a_session_is_named_in_four_ways(q4):
    q4.ok("session", "create", "--id", "q3", "--name", "q4")
    for name in ("q4", "@", "Fourth quarter"):
        assert q4.ok("session", "show", name, "--json").json["id"] == "q4"
    assert q4.ok("session", "show", "q3", "--json").json["id"] == "q3"
    assert q4.ok("session", "show", "@", "--json", SESSIONFS_SESSION="q3").json["id"] == "q3"
    assert "could be 2 sessions (q3, q4)" in q4.fails(2, "session", "show", "q")
    assert "no session has the id" in q4.fails(3, "session", "show", "x")


@pytest.mark.parametrize(
    "words",
    [
        ["session", "delete", ""],
        ["session", "complete", ""],
        ["artifact", "put", "", "f"],
        ["state", "set", "", "k", "1"],
        ["undo", "--session", ""],
        ["prune", "", "--keep", "1"],
        ["show", ""],
        ["show", ":f"],
        ["events", ""],
        ["rev-parse", ""],
        ["cat-log", ""],
        ["pin", ""],
    ],
)
def test_a_session_without_a_name_is_not_the_current_one(q4, words):
    q4.write("f", b"1")
    before = q4.ok("cat-log", "q4").raw
    assert "a session needs a name; an empty one was given; @ is the current one" in q4.fails(2, *words)
    assert q4.ok("cat-log", "q4").raw == before


def test_a_moment_without_a_session_is_one_of_the_current_one(q4):
    assert q4.ok("session", "show", "@{0}", "--json").json["id"] == "q4"


def test_show_for_scripts_and_people(q4):
    lines = dict(line.split("\t") for line in q4.ok("session", "show").lines)
    assert set(lines) == FIELDS
    assert (lines["name"], lines["tags"], lines["parent"]) == ("Fourth quarter", "sales", "")
    assert lines["created_at"].endswith("Z")
    shown = q4("session", "show", terminal=True, NO_COLOR="1").lines
    assert any(line.startswith("name            Fourth quarter") for line in shown)
    assert any(line.startswith("parent          -") for line in shown)
    assert "\x1b[1mname" in q4("session", "show", terminal=True).out
    assert "\x1b" not in q4("session", "show", terminal=True, TERM="dumb").out


@pytest.fixture
def several(q4):
    q4.ok("session", "create", "--id", "a", "--name", "zebra", "--tag", "x", "--tag", "y", "--parent", "q4")
    q4.ok("session", "create", "--id", "b", "--description", "about ZEBRAS", "--tag", "x")
    q4.ok("session", "complete", "b")
    return q4


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["q4", "a", "b"]),
        (["--status", "active"], ["q4", "a"]),
        (["--status", "completed", "--status", "failed"], ["b"]),
        (["--tag", "x"], ["a", "b"]),
        (["--tag", "x", "--tag", "y"], ["a"]),
        (["--parent", "@"], ["a"]),
        (["--created-by", "nobody"], []),
        (["--after", "2001-01-01"], ["q4", "a", "b"]),
        (["--before", "2001-01-01T10:00:00Z"], []),
        (["--text", "zebra"], ["a", "b"]),
        (["--sort", "id"], ["a", "b", "q4"]),
        (["--sort", "created", "--reverse"], ["b", "a", "q4"]),
        (["--sort", "id", "--offset", "1", "--limit", "1"], ["b"]),
    ],
)
def test_list_filters(several, options, ids):
    assert [line.split("\t")[0] for line in several.ok("session", "list", *options).lines] == ids
    assert [session["id"] for session in several.ok("session", "list", *options, "--json").json] == ids


def test_list_lines(several):
    line = several.ok("session", "list", "--tag", "y").out
    created_at = several.ok("session", "show", "a", "--json").json["created_at"]
    assert line == f"a\tactive\tzebra\t{created_at}\t0\t0\tx,y\n"


def test_list_table(several):
    header, first, *_ = several("session", "list", terminal=True, NO_COLOR="1").lines
    assert header.split() == ["ID", "STATUS", "NAME", "CREATED", "ARTIFACTS", "SIZE", "TAGS"]
    assert first.startswith("q4  active     Fourth quarter  20")
    coloured = several("session", "list", terminal=True).out
    assert "\x1b[32mactive\x1b[0m" in coloured


def test_list_refuses(q4):
    assert "--status cannot be 'done'" in q4.fails(2, "session", "list", "--status", "done")
    assert "is no time" in q4.fails(2, "session", "list", "--after", "tomorrow")
    assert "--sort cannot be" in q4.fails(2, "session", "list", "--sort", "colour")
    assert "--limit takes a number" in q4.fails(2, "session", "list", "--limit", "-1")
    assert "one argument too many" in q4.fails(2, "session", "list", "q4")


def test_the_choices_of_list_are_those_of_the_floor_below():
    from sessionfs.cli.session_list import SORT_KEYS, STATUSES
    from sessionfs.sessions import SORT_KEYS as KEYS
    from sessionfs.sessions import Status

    assert set(SORT_KEYS) == set(KEYS)
    assert set(STATUSES) == {status.value for status in Status}


def test_update(q4):
    q4.ok("session", "update", "q4", "--description", "sales", "--tag", "new", "--untag", "sales", "--meta", "a=1")
    updated = q4.ok("session", "update", "--name", "", "--meta", "b=x", "--unset-meta", "a", "--json").json
    assert (updated["name"], updated["description"]) == (None, "sales")
    assert (updated["tags"], updated["metadata"]) == (["new"], {"b": "x"})


def test_update_refuses(q4):
    assert "nothing to change" in q4.fails(2, "session", "update", "q4")
    assert "is no tag" in q4.fails(2, "session", "update", "q4", "--tag", "a/b")
    q4.ok("session", "suspend")
    assert "is suspended" in q4.fails(4, "session", "update", "q4", "--name", "x")
    assert q4.ok("session", "show", "--json").json["tags"] == ["sales"]


def test_the_lifecycle(q4):
    def status() -> str:
        return q4.ok("session", "show", "q4", "--json").json["status"]

    assert q4.ok("session", "suspend").out == ""
    assert status() == "suspended"
    assert q4.ok("session", "resume", "q4", "--json").json["status"] == "active"
    assert q4.ok("session", "fail", "q4", "--reason", "no data", "--json").json["reason"] == "no data"
    assert q4.ok("session", "archive", "--json").json["status"] == "archived"
    assert status() == "archived"


def test_an_impossible_step_names_both_states_and_changes_nothing(q4):
    q4.ok("session", "complete")
    for step in (["suspend"], ["resume"], ["complete"], ["fail", "--reason", "x"]):
        message = q4.fails(5, "session", *step)
        assert "is completed and cannot become" in message
    assert q4.ok("session", "show", "--json").json["event_count"] == 2
    assert "no session has the id" in q4.fails(3, "session", "suspend", "nobody")


def test_failing_needs_a_reason(q4):
    assert "--reason is missing" in q4.fails(2, "session", "fail")
    assert "--reason is missing" in q4.fails(2, "session", "fail", "--reason", "")
    assert q4.ok("session", "show", "--json").json["status"] == "active"


def test_save_prints_the_snapshot(q4):
    oid = q4.ok("session", "save").out.rstrip("\n")
    assert q4.ok("cat-file", "-t", oid).out == "snapshot\n"
    saved = q4.ok("session", "save", "q4", "--json").json
    assert saved["id"] == "q4" and len(saved["snapshot"]) == 64


def test_delete_says_where_it_is(q4):
    result = q4("session", "delete", "q4")
    assert (result.code, result.raw) == (0, b"")
    assert f"session q4 is in the trash, at {q4.store}/trash/q4@" in result.err
    assert "before 14 days have passed" in result.err
    assert q4.ok("session", "list").out == ""
    assert "no session has the id" in q4.fails(3, "session", "delete", "q4")
    assert "SESSION is missing" in q4.fails(2, "session", "delete")


def test_delete_as_json(q4):
    document = q4("session", "delete", "q4", "--json").json
    assert document["id"] == "q4" and document["trash"].startswith(f"{q4.store}/trash/q4@")


def test_times_are_written_as_in_queries(q4):
    for time in ("7d", "7 days ago", "yesterday", "2026-01-01"):
        assert q4.ok("session", "list", "--after", time).lines
        assert not q4.ok("session", "list", "--before", time).lines
        assert q4.ok("events", "--since", time).lines
        assert not q4.ok("events", "--until", time).lines
    assert "'soon' is no time; write 2026-11-20" in q4.fails(2, "session", "list", "--after", "soon")
    assert "'soon' is no time; write 2026-11-20" in q4.fails(2, "events", "--since", "soon")


def test_a_setting_that_says_nothing_is_called_so(q4):
    assert "'a' is no setting: write KEY=VALUE" in q4.fails(2, "session", "configure", "q4", "a")
