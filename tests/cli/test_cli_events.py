"""``events``, ``record``, ``why``, ``verify-log`` and ``log-head``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import sessionfs

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def types(result):
    return [line.split("\t")[2] for line in result.lines]


def test_events_of_one_session_and_of_all(q4):
    q4.ok("session", "create", "--id", "other")
    q4.ok("state", "set", "@", "step", "3")
    result = q4.ok("events", "q4")
    id, time, type, actor, data = result.lines[1].split("\t")
    assert (id, type, json.loads(data)) == ("q4:1", "state.changed", {"key": "step", "new": 3})
    assert time.endswith("Z") and actor.startswith("uid:")
    assert [line.split("\t")[0] for line in q4.ok("events").lines] == ["q4:0", "other:0", "q4:1"]
    assert [line.split("\t")[0] for line in q4.ok("events", "--reverse", "-n", "2").lines] == ["q4:1", "other:0"]


def test_every_way_to_ask(q4):
    for number in range(5):
        q4.ok("record", "custom.step", "--data", json.dumps({"n": number, "text": f"Straße {number}"}))
    q4.ok("record", "error.occurred", "--data", '{"code": 1, "message": "no"}')
    ids = [line.split("\t")[0] for line in q4.ok("events", "@", "-t", "custom.*", "--from", "2", "--to", "3").lines]
    assert ids == ["q4:2", "q4:3"]
    assert types(q4.ok("events", "--type", "error.*", "--type", "session.created")) == [
        "session.created",
        "error.occurred",
    ]
    assert len(q4.ok("events", "--text", "STRASSE 4").lines) == 1
    assert q4.ok("events", "--actor", "nobody").lines == []
    assert len(q4.ok("events", "--since", "10 minutes ago").lines) == 7
    assert q4.ok("events", "--until", "2020-01-01").lines == q4.ok("events", "--since", "2999-01-01").lines == []
    found = q4.ok("--json", "events", "@", "-t", "error.*").json
    assert found[0]["data"] == {"code": 1, "message": "no"} and found[0]["session"] == "q4"


def test_people_see_it_in_words(q4):
    q4.ok("artifact", "put", "@", "-", "--as", "a\tb", stdin=b"x" * 2000)
    q4.ok(
        "record",
        "tool.invoked",
        "--data",
        '{"gen_ai.tool.name": "grep", "duration_ns": 1500000, "error.type": "OSError"}',
    )
    lines = q4("events", "@", terminal=True).out.splitlines()
    assert "Fourth quarter" in lines[0]
    assert "a\\x09b (2.0 KiB)" in lines[1]
    assert "grep, 1.5 ms, failed: OSError" in lines[2]


def test_one_piece_of_work_is_a_tree(q4):
    variables = {"SESSIONFS_CORRELATION_ID": "work"}
    q4.ok("record", "workflow.started", "--data", '{"gen_ai.workflow.name": "w"}', **variables)
    q4.ok("record", "custom.x", "--cause", "q4:1", **variables)
    q4.ok("record", "custom.y", "--cause", "q4:2", **variables)
    q4.ok("record", "custom.z", **variables)
    q4.ok("record", "custom.unrelated")
    found = [line.split("\t")[0] for line in q4.ok("events", "--correlation", "work").lines]
    assert found == ["q4:1", "  q4:2", "    q4:3", "q4:4"]
    first, _ = q4.ok("--json", "events", "--correlation", "work").json
    assert first["effects"][0]["effects"][0]["seq"] == 3
    assert q4.ok("events", "--correlation", "nothing").lines == []


def test_record_prints_the_id_and_keeps_what_it_is_given(q4):
    assert q4.ok("record", "custom.deployed", "--data", "-", stdin=b'{"version": "1.2"}').out == "q4:1\n"
    q4.ok("session", "create", "--id", "other")
    result = q4.ok("--json", "record", "custom.x", "--session", "other", "--correlation", "c", TRACEPARENT=TRACE)
    assert result.json == {"session": "other", "seq": 1}
    (event,) = q4.ok("--json", "events", "other", "-t", "custom.x").json
    assert (event["correlation_id"], event["trace"], event["data"]) == ("c", TRACE, {})
    (event,) = q4.ok("--json", "events", "q4", "-t", "custom.*").json
    assert event["data"] == {"version": "1.2"} and "correlation_id" not in event


def test_large_data_come_back_whole(q4):
    data = {"text": "ü" * 100_000}
    q4.ok("record", "custom.large", "--data", "-", stdin=json.dumps(data).encode())
    assert q4.ok("--json", "events", "-t", "custom.*").json[0]["data"] == data


def test_every_verb_goes_on_with_the_environment(q4):
    q4.ok("state", "set", "@", "k", "1", SESSIONFS_CORRELATION_ID="c", SESSIONFS_CAUSE="q4:0", TRACEPARENT="rubbish")
    q4.ok("state", "set", "@", "k", "2", TRACEPARENT=TRACE)
    q4.ok("state", "set", "@", "k", "3")
    first, second, third = q4.ok("--json", "events", "-t", "state.*").json
    assert (first["correlation_id"], first["cause"], "trace" in first) == ("c", "q4:0", False)
    assert (second["correlation_id"], second["trace"]) == (TRACE[3:35], TRACE)
    assert "correlation_id" not in third
    assert "SESSIONFS_CORRELATION_ID" in q4.fails(2, "state", "set", "@", "k", "4", SESSIONFS_CORRELATION_ID="x\ny")


@pytest.mark.parametrize(
    ("code", "argv"),
    [
        (2, ["record", "tool.invokd"]),
        (2, ["record", "session.created"]),
        (2, ["record", "custom.x", "--data", "{"]),
        (2, ["record", "custom.x", "--data", "[1]"]),
        (2, ["record", "custom.x", "--data", '{"a": NaN}']),
        (2, ["record", "custom.x", "--cause", "../..:1"]),
        (2, ["record", "custom.x", "--correlation", ""]),
        (2, ["record", "custom.x", "--trace", "00-x"]),
        (3, ["record", "custom.x", "--session", "nobody"]),
        (3, ["events", "nobody"]),
        (2, ["events", "--type", "tool.invokd"]),
        (2, ["events", "--from", "1"]),
        (2, ["events", "q4", "--from", "x"]),
        (2, ["events", "--since", "soon"]),
        (2, ["events", "--follow", "--reverse"]),
        (2, ["events", "--follow", "--until", "2030-01-01"]),
        (2, ["events", "--correlation", "c", "--reverse"]),
        (2, ["events", "--correlation", "x" * 200]),
        (3, ["why", "q4", "missing"]),
        (2, ["why", "q4", "../x"]),
        (2, ["verify-log", "q4", "--head", "xyz"]),
        (3, ["verify-log", "nobody"]),
        (3, ["log-head", "q4", "nobody"]),
    ],
)
def test_requests_that_make_no_sense(q4, code, argv):
    q4.fails(code, *argv)
    assert len(q4.ok("events", "q4").lines) == 1


def test_input_that_is_no_text(q4):
    assert "UTF-8" in q4.fails(2, "record", "custom.x", "--data", "-", stdin=b'{"a": "\xff"}')


def test_a_session_that_has_ended_records_nothing(q4):
    q4.ok("session", "complete", "@")
    q4.fails(4, "record", "custom.x")


def test_why(q4):
    with sessionfs.open(q4.store, background_sync=False) as store:
        session = store.sessions["q4"]
        session.artifacts.put("in.csv", b"1", created_by="ada")
        with session.agent("planner"), session.tool("plot") as call:
            call.read("in.csv")
            session.artifacts.put("chart.png", b"x")
        with pytest.raises(OSError, match="disk"), session.tool("report") as call:
            call.read("chart.png")
            call.read("in.csv")
            session.artifacts.put("report.pdf", b"x")
            raise OSError("disk")
    lines = q4.ok("why", "@", "report.pdf").lines
    assert [line[: line.index("  q4:")] for line in lines] == ["report.pdf", "  chart.png", "    in.csv", "  in.csv"]
    assert "made by tool report (q4:6, " in lines[0] and "failed)" in lines[0]
    assert "made by tool plot (q4:3, " in lines[1] and " in agent planner (q4:4, " in lines[1]
    assert lines[2].endswith("stored by ada")
    steps = q4.ok("--json", "why", "@", "report.pdf").json
    assert [step["path"] for step in steps] == ["report.pdf", "chart.png", "in.csv"]
    assert steps[0]["inputs"] == [steps[1]["id"], steps[2]["id"]]


def test_reads_are_audited_when_that_is_asked_for(q4):
    q4.ok("artifact", "put", "@", "-", "--as", "d/f", stdin=b"x")
    q4.ok("artifact", "cat", "@", "d/f")
    Path(q4.store, "config.toml").write_text("[events]\naudit_reads = true\n")
    q4.ok("artifact", "cat", "@", "d/f")
    q4.ok("artifact", "get", "@", "d", "out")
    q4.ok("artifact", "list", "@", "-R")
    q4.ok("artifact", "show", "@", "d/f")
    assert len(q4.ok("events", "-t", "artifact.retrieved", "--text", "d/f").lines) == 2


def test_heads_are_noted_and_verified(q4):
    q4.ok("session", "create", "--id", "other")
    heads = [line.split("\t") for line in q4.ok("log-head").lines]
    assert [(count, session) for _, count, session in heads] == [("1", "other"), ("1", "q4")]
    head = heads[1][0]
    assert q4.ok("log-head", "@").out == f"{head}\t1\tq4\n"
    q4.ok("state", "set", "@", "k", "1")
    word, count, chain, session = q4.ok("verify-log", "@", "--head", head).out.rstrip("\n").split("\t")
    assert (word, count, session) == ("whole", "2", "q4") and chain != head
    log = Path(q4.store, "sessions", "q4", "log")
    log.write_bytes(log.read_bytes().replace(b'"new":1', b'"new":2'))
    result = q4("verify-log", "q4", "--head", head)
    assert result.code == 1 and result.out.startswith("not whole\t1\t") and "record 1" in result.err
    result = q4("log-head")
    assert (result.code, result.out) == (6, "\t".join(heads[0]) + "\n")
    assert result.err.startswith("sessionfs: log-head: session q4: ") and "record 1" in result.err
    assert q4("--json", "verify-log", "q4").json["whole"] is False


def test_following_shows_the_last_ones_and_then_what_comes(q4):
    for number in range(5):
        q4.ok("record", "custom.before", "--data", json.dumps({"n": number}))
    environ = {**os.environ, **q4.env, "PYTHONPATH": os.pathsep.join(sys.path)}
    follower = subprocess.Popen(
        [sys.executable, "-m", "sessionfs", "--json", "events", "q4", "-f", "-n", "2", "-t", "custom.*"],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert [json.loads(follower.stdout.readline())["seq"] for _ in range(2)] == [4, 5]
        q4.ok("state", "set", "@", "k", "1")
        q4.ok("record", "custom.after", "--data", '{"text": "ü"}')
        event = json.loads(follower.stdout.readline())
        assert (event["seq"], event["data"]) == (7, {"text": "ü"})
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=60) == 130
        assert follower.stderr.read() == ""
    finally:
        follower.kill()
        follower.communicate()


@pytest.mark.parametrize("limit", [[], ["-n", "2000"]])
def test_following_misses_nothing_when_the_session_is_deleted_meanwhile(q4, limit):
    """What is written to the pipe waits for its reader, so most of it is not read yet."""
    store = sessionfs.open(q4.store, background_sync=False)
    core = store.sessions["q4"].core
    for _ in range(3):
        with core.writing():
            core.append_all([("custom.x", {"text": "x" * 100})] * 1000)
    environ = {**os.environ, **q4.env, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "sessionfs", "events", "--follow", *limit]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as follower:
        lines = [follower.stdout.readline()]
        store.sessions.delete("q4")
        while "session.deleted" not in lines[-1]:
            lines.append(follower.stdout.readline())
        follower.kill()
    seqs = [int(line.partition("\t")[0].removeprefix("q4:")) for line in lines]
    assert seqs == list(range(seqs[0], seqs[-1] + 1)) and len(seqs) == (2001 if limit else seqs[-1] + 1)


def test_an_event_whose_data_are_lost_does_not_take_others_with_it(q4):
    q4.ok("record", "custom.large", "--data", json.dumps({"text": "x" * 100_000}))
    q4.ok("record", "custom.x")
    with sessionfs.open(q4.store, background_sync=False) as store:
        oid = list(store.sessions["q4"].events())[1].record.data_oid
    for path in Path(q4.store, "objects", oid[:2]).glob(f"{oid[2:]}*"):
        path.unlink()
    result = q4("events")
    assert (result.code, types(result)) == (6, ["session.created", "custom.x"])
    assert "session q4: the data of event q4:1 are lost" in result.err
