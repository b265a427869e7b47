"""``watch``, ``collect`` and ``run``: verbs that go on, as processes; and what they refuse."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from calling import Cli
from descriptors import count_descriptors

from sessionfs.cli import exits

WAIT_SECONDS = 60.0


@contextmanager
def started(cli: Cli, *argv: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command line as a process; it is ended at the end, if it has not."""
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "sessionfs", *argv],
        cwd=cli.cwd,
        env={**os.environ, "PYTHONPATH": root, **cli.env, "SESSIONFS_SESSION": ""},
        stdin=subprocess.DEVNULL,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code, and what is said."""
    _, err = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, err


def eventually(condition: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# watch


def test_watch_prints_events_until_the_session_is_deleted(q4: Cli) -> None:
    with started(q4, "watch", "q4", "--from", "1", "--type", "custom.*", "--type", "session.deleted") as watching:
        q4.ok("record", "custom.x", "--data", '{"a": 1}')
        id, _, type, actor, data = line(watching).split("\t")
        assert (id, type, actor, json.loads(data)) == ("q4:1", "custom.x", f"uid:{os.geteuid()}", {"a": 1})
        q4("session", "delete", "q4")
        assert line(watching).startswith("q4:2\t")
        assert ended(watching) == (0, "")


def test_watch_everything_as_json_until_interrupted(q4: Cli) -> None:
    with started(q4, "watch", "--json", "--from", "0", "--poll") as watching:
        assert json.loads(line(watching))["type"] == "session.created"
        q4.ok("session", "create", "--id", "other")
        event = json.loads(line(watching))
        assert (event["session"], event["seq"], event["data"]) == ("other", 0, {"id": "other"})
        watching.send_signal(signal.SIGINT)
        assert ended(watching) == (130, "")


def test_watch_runs_a_command_for_each_event(q4: Cli) -> None:
    command = 'echo "$SESSIONFS_SESSION $SESSIONFS_EVENT_SEQ $SESSIONFS_EVENT_TYPE $SESSIONFS_CAUSE"; cat; exit 3'
    with started(q4, "watch", "q4", "--from", "1", "--exec", command) as watching:
        q4.ok("record", "custom.x")
        assert line(watching) == "q4 1 custom.x q4:1"
        assert json.loads(line(watching))["seq"] == 1
        q4("session", "delete", "q4")
        code, err = ended(watching)
        assert (code, err.splitlines()[0]) == (0, "sessionfs: watch: the command ended with exit code 3 for event q4:1")


def test_watch_goes_on_beside_a_damaged_log(q4: Cli) -> None:
    q4.ok("record", "custom.first")
    q4.ok("record", "custom.second")
    log = q4.store / "sessions/q4/log"
    log.write_bytes(log.read_bytes().replace(b"custom.first", b"custom.fisrt"))
    with started(q4, "watch", "--from", "0") as watching:
        assert line(watching).startswith("q4:0\t")
        q4.ok("session", "create", "--id", "other")
        assert line(watching).startswith("other:0\t")
        watching.send_signal(signal.SIGTERM)
        code, err = ended(watching)
        assert code == -signal.SIGTERM and err.startswith("sessionfs: watch: session q4: ") and "record 1" in err


@pytest.mark.parametrize("how", [[], ["--exec", 'echo "q4:$SESSIONFS_EVENT_SEQ"']])
def test_watch_goes_on_after_an_event_whose_data_are_lost(q4: Cli, how: list[str]) -> None:
    q4.ok("record", "custom.large", "--data", json.dumps({"text": "x" * 100_000}))
    q4.ok("record", "custom.x")
    (found,) = q4.store.glob("objects/*/*")
    found.unlink()
    with started(q4, "watch", "q4", "--from", "0", *how) as watching:
        assert [line(watching).partition("\t")[0] for _ in range(2)] == ["q4:0", "q4:2"]
        q4("session", "delete", "q4")
        code, err = ended(watching)
        assert code == 0 and err.startswith("sessionfs: watch: session q4: the data of event q4:1 are lost")


def test_what_cannot_be_watched(q4: Cli) -> None:
    assert "no event has the type 'artifact.sotred'" in q4.fails(2, "watch", "--type", "artifact.sotred")
    assert "no session has the id" in q4.fails(3, "watch", "x")
    assert "is a moment" in q4.fails(2, "watch", "q4@{1}")


# collect


def test_collect_until_it_is_told_to_stop(q4: Cli) -> None:
    q4.write("work/a.txt", "one")
    with started(q4, "collect", "q4", "work", "--as", "in", "--type", "code", "--debounce", "0.05") as collecting:
        assert line(collecting) == "stored\tin/a.txt\t1"
        (q4.cwd / "work/a.txt").rename(q4.cwd / "work/b.txt")
        assert line(collecting) == "renamed\tin/a.txt\tin/b.txt"
        q4.write("work/b.txt", "two")
        assert line(collecting) == "stored\tin/b.txt\t2"
        (q4.cwd / "work/b.txt").unlink()
        q4.write("work/c.txt", "at the end")
        collecting.send_signal(signal.SIGTERM)
        assert line(collecting) == "deleted\tin/b.txt\t"
        assert line(collecting) == "stored\tin/c.txt\t1"
        assert ended(collecting) == (0, "")
    assert q4.ok("artifact", "cat", "@", "in/c.txt").out == "at the end"
    assert q4.ok("--json", "artifact", "show", "@", "in/c.txt").json["type"] == "code"


def test_a_collector_that_is_killed(q4: Cli) -> None:
    q4.write("work/a", "one")
    with started(q4, "collect", "q4", "work") as collecting:
        assert line(collecting) == "stored\ta\t1"
        assert "another process collects" in q4.fails(5, "collect", "q4", "work")
        collecting.kill()
        collecting.wait()
    (q4.cwd / "work/a").rename(q4.cwd / "work/b")
    q4.write("work/c", "three")
    assert sorted(q4.ok("collect", "@", "work", "--once").lines) == ["renamed\ta\tb", "stored\tc\t1"]


def test_collect_when_nobody_reads_what_it_prints(q4: Cli) -> None:
    q4.write("work/a", "one")
    with started(q4, "collect", "q4", "work", "--debounce", "0.05") as collecting:
        assert line(collecting) == "stored\ta\t1"
        assert collecting.stdout is not None and collecting.stderr is not None
        collecting.stdout.close()
        q4.write("work/b", "two")
        assert (collecting.wait(timeout=WAIT_SECONDS), collecting.stderr.read()) == (exits.BROKEN_PIPE, "")
    assert q4.ok("artifact", "cat", "@", "b").out == "two"
    (q4.cwd / "work/b").unlink()
    assert q4.ok("collect", "@", "work", "--once").lines == ["deleted\tb\t"]


def test_collect_once(q4: Cli) -> None:
    for path in ("src/a.py", "src/a.pyc", ".git/HEAD", "notes~"):
        q4.write(f"work/{path}", path)
    done = q4.ok("--json", "collect", "@", "work", "--once", "--include", "*.py*", "--exclude", "*.pyc")
    assert [json.loads(text) for text in done.lines] == [
        {"what": "stored", "path": "src"}, {"what": "stored", "path": "src/a.py", "version": 1},
    ]  # fmt: skip
    # What is not asked for any more stays as it is.
    assert sorted(q4.ok("collect", "@", "work", "--once", "--all", "--exclude", "src/").lines) == [
        "stored\t.git\t", "stored\t.git/HEAD\t1", "stored\tnotes~\t1",
    ]  # fmt: skip
    assert len(q4.ok("artifact", "list", "@", "-R").lines) == 3


def test_what_cannot_be_collected(q4: Cli) -> None:
    q4.write("file")
    q4.write("work/f")
    assert "there is no directory" in q4.fails(3, "collect", "@", "none")
    assert "is not a directory" in q4.fails(2, "collect", "@", "file")
    assert "is in" in q4.fails(2, "collect", "@", str(q4.store / "objects"))
    assert "no pattern" in q4.fails(2, "collect", "@", "work", "--include", "/etc")
    assert "--debounce takes seconds" in q4.fails(2, "collect", "@", "work", "--debounce", "soon")
    assert "is no type" in q4.fails(2, "collect", "@", "work", "--type", "two words")
    q4.ok("session", "complete", "@")
    assert "completed, so it is read-only" in q4.fails(4, "collect", "@", "work", "--once")


# run


def test_run_shows_keeps_and_records(q4: Cli) -> None:
    done = q4("run", "@", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")
    assert q4.ok("artifact", "cat", "@", "runs/1/stdout").out == "out\n"
    assert q4.ok("artifact", "cat", "@", "runs/1/stderr").out == "err\n"
    begun, ended = q4.ok("--json", "events", "@", "--type", "workflow.*").json
    assert begun["data"]["input"]["command"] == ["sh", "-c", "echo out; echo err >&2; exit 3"]
    assert ended["data"]["output"] == {"exit_code": 3, "stdout": "runs/1/stdout", "stderr": "runs/1/stderr"}
    assert ended["data"]["duration_ns"] > 0 and ended["data"]["error.message"] == "sh ended with exit code 3"
    assert begun["correlation_id"] == ended["correlation_id"] and ended["cause"] == "q4:1"


def test_what_a_command_knows(q4: Cli) -> None:
    script = 'echo "$SESSIONFS_SESSION|$SESSIONFS_STORE|$SESSIONFS_CAUSE|$SESSIONFS_CORRELATION_ID"'
    out = q4.ok("run", "q4", "--", "sh", "-c", script, SESSIONFS_CORRELATION_ID="mine").out
    assert out == f"q4|{q4.store}|q4:1|mine\n"
    assert {event["correlation_id"] for event in q4.ok("--json", "events", "@", "--from", "1").json} == {"mine"}


def test_run_collects_what_is_there_and_what_is_made(q4: Cli) -> None:
    q4.write("work/before", "x")
    q4.ok("run", "@", "--collect", "work", "--", "sh", "-c", "cd work; mv before after; mkdir d; echo made >d/made")
    listed = q4.ok("artifact", "list", "@", "-R").lines
    assert [text.split("\t")[-1] for text in listed] == ["after", "d/made", "runs/3/stderr", "runs/3/stdout"]
    types = [event["type"] for event in q4.ok("--json", "events", "@").json]
    assert types.index("artifact.renamed") > types.index("workflow.started") > types.index("artifact.stored")
    assert types[-2:] == ["workflow.completed", "custom.collected"]
    assert "workflow sh" in q4.ok("why", "@", "d/made").out


@pytest.mark.parametrize(("script", "code", "status"), [("exit 0", 0, "completed"), ("exit 7", 7, "failed")])
def test_run_ends_the_session_when_asked(q4: Cli, script: str, code: int, status: str) -> None:
    assert q4("run", "@", "--finish", "--", "sh", "-c", script).code == code
    shown = q4.ok("--json", "session", "show", "q4").json
    assert (shown["status"], shown["reason"]) == (status, f"sh ended with exit code {code}" if code else None)


def test_the_exit_code_counts_even_if_it_cannot_be_recorded(q4: Cli) -> None:
    command = [sys.executable, "-m", "sessionfs", "session", "complete", "@"]
    done = q4("run", "@", "--", *command, PYTHONPATH=str(Path(__file__).parents[2]), PATH=os.environ["PATH"])
    assert done.code == 0 and done.out == ""
    assert done.err.startswith("sessionfs: run: runs/1/stdout is not kept: session q4 is completed")


def test_what_is_not_run(q4: Cli) -> None:
    q4.write("data", "no program")
    for words, code in ((("nosuchcommand",), 127), (("./data",), 126), (("./none",), 127), (("./",), 126)):
        done = q4("run", "@", "--", *words)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done
    q4.ok("session", "suspend", "@")
    assert "suspended, so it is read-only" in q4.fails(4, "run", "@", "--", "true")
    assert "CMD is missing" in q4.fails(2, "run", "@")
    assert "--json cannot be given" in q4.fails(2, "--json", "run", "@", "--", "true")
    assert q4.ok("--json", "events", "@", "--type", "workflow.*").json == []


@pytest.mark.parametrize("options", [(), ("--finish",)])
def test_what_turns_out_to_be_no_program(q4: Cli, options: tuple[str, ...]) -> None:
    q4.write("data", "no program")
    (q4.cwd / "data").chmod(0o755)
    before = count_descriptors()
    done = q4("run", "@", *options, "--", "./data")
    assert (done.code, done.out, done.err) == (126, "", "sessionfs: run: ./data cannot be run: Exec format error\n")
    assert count_descriptors() == before
    _, ended = q4.ok("--json", "events", "@", "--type", "workflow.*").json
    assert "Exec format error" in ended["data"]["error.message"]
    shown = q4.ok("--json", "session", "show", "q4").json
    expected = ("failed", "./data cannot be run: Exec format error") if options else ("active", None)
    assert (shown["status"], shown["reason"]) == expected
    assert q4.ok("artifact", "cat", "@", "runs/1/stdout").out == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(q4: Cli, number: signal.Signals) -> None:
    script = f"trap 'echo got; exit 5' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
    with started(q4, "run", "q4", "--", "sh", "-c", script, start_new_session=True) as running:
        assert line(running) == "ready"
        running.send_signal(number)
        assert line(running) == "got"
        assert ended(running)[0] == 5
    assert q4.ok("artifact", "cat", "@", "runs/1/stdout").out == "ready\ngot\n"


def test_a_key_of_the_terminal_reaches_a_command_once(q4: Cli) -> None:
    script = (
        "trap 'n=$((n+1)); echo int $n' INT; echo ready; while [ -z \"$n\" ]; do sleep 0.05; done; sleep 0.3; echo end"
    )
    controlling, terminal = pty.openpty()
    code = (
        "import os, fcntl, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.executable, [sys.executable, '-m', 'sessionfs', *sys.argv[1:]])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "run", "q4", "--", "sh", "-c", script],
        cwd=q4.cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **q4.env},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert line(running) == "ready"
        os.write(controlling, b"\x03")
        assert ended(running)[0] == 0
    os.close(controlling)
    os.close(terminal)
    assert q4.ok("artifact", "cat", "@", "runs/1/stdout").out == "ready\nint 1\nend\n"


def test_what_nobody_reads_ends_a_command_as_without_us(q4: Cli) -> None:
    with started(q4, "run", "q4", "--", "yes") as running:
        assert line(running) == "y"
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(WAIT_SECONDS) == 128 + signal.SIGPIPE


def test_what_goes_on_in_the_background_is_not_waited_for(q4: Cli) -> None:
    begin = time.monotonic()
    assert q4.ok("run", "@", "--", "sh", "-c", "echo now; sleep 120 &").out == "now\n"
    assert time.monotonic() - begin < 100
