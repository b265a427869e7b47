"""What is wrong with the store itself: each a clear error of the right kind, and nothing changed."""

from __future__ import annotations

import os

import pytest

# One verb of each way of opening a store: by the API, and by plumbing with and without config.toml.
READERS = (["session", "list"], ["status"], ["fsck"], ["cat-log", "q4"], ["show-ref"], ["cat-file", "-t", "00" * 32])


def content(directory) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def replace(path, text: str) -> None:
    """Write a file that sessionfs made read-only."""
    path.chmod(0o644)
    path.write_text(text)


@pytest.mark.parametrize("verb", READERS)
def test_no_store(bare, verb):
    assert "is no sessionfs store" in bare.fails(3, *verb)
    assert not bare.store.exists()


@pytest.mark.parametrize("verb", READERS)
def test_a_newer_format(q4, verb):
    replace(q4.store / "format", "sessionfs 2\n")
    before = content(q4.store)
    assert "has format 2; this sessionfs knows format 1" in q4.fails(7, *verb)
    assert content(q4.store) == before


def test_a_format_that_nobody_wrote(q4):
    replace(q4.store / "format", "something else\n")
    assert "which no sessionfs wrote" in q4.fails(6, "session", "list")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\nmax_artifact_sice = 3\n", "unknown key 'limits.max_artifact_sice'; the nearest known one is"),
        ("[limits]\nmax_sessions = 'many'\n", "limits.max_sessions: 'many' is no whole number"),
        ("[limits\n", "is not valid TOML"),
        ("\xff", "is not UTF-8 text"),
    ],
)
def test_config_that_cannot_be_understood(q4, text, message):
    (q4.store / "config.toml").write_bytes(text.encode("latin-1"))
    before = content(q4.store)
    for verb in (["session", "list"], ["session", "create"], ["hash-object", "-w", "--stdin"], ["cat-log", "q4"]):
        assert message in q4.fails(2, *verb)
    assert content(q4.store) == before


def test_limit_of_sessions(q4):
    (q4.store / "config.toml").write_text("[limits]\nmax_sessions = 1\n")
    assert "limits.max_sessions is 1" in q4.fails(5, "session", "create")
    q4.ok("session", "complete")
    q4.ok("session", "create")


def damage_log(cli, seq: int) -> int:
    """Change one byte of record *seq*, and return where the record begins."""
    path = cli.store / "sessions/q4/log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[seq] = lines[seq].replace(b'"state.changed"', b'"state.chbnged"')
    path.write_bytes(b"".join(lines))
    return len(b"".join(lines[:seq]))


def test_a_damaged_log_line(q4):
    for number in range(4):
        q4.ok("state", "set", "@", "k", str(number))
    offset = damage_log(q4, 3)
    before = content(q4.store / "sessions")
    for verb in (["state", "set", "@", "k", "5"], ["session", "complete", "q4"]):
        assert f"record 3, at byte {offset}, is not what was written" in q4.fails(6, *verb)
    assert q4.ok("state", "get", "@", "k").out == "1\n"  # what is good stays readable
    assert f"record 3, at byte {offset}" in q4.ok("session", "show", "--json").json["damage"]
    result = q4("cat-log", "@")
    assert result.code == 6 and len(result.lines) == 3 and f"record 3, at byte {offset}" in result.err
    result = q4("cat-log", "@", "--json")
    assert (result.code, result.raw) == (6, b"")
    result = q4("fsck")
    assert result.code == 1 and result.out.startswith("damaged-log\tq4:3\t")
    assert content(q4.store / "sessions") == before


def test_a_torn_tail_is_set_aside_by_the_next_writer(q4):
    q4.ok("state", "set", "@", "k", "1")
    path = q4.store / "sessions/q4/log"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq":2,"ti')
    assert q4.ok("cat-log", "@").raw == whole
    q4.ok("state", "set", "@", "k", "2")
    assert path.read_bytes().startswith(whole) and b'{"seq":2,"ti{' not in path.read_bytes()
    assert q4.ok("fsck").out == ""


def test_a_damaged_ref(q4):
    snapshot = q4.ok("session", "save").out.strip()
    q4.ok("update-ref", "@/r", snapshot)
    (q4.store / "sessions/q4/refs/r").write_text("not a ref\n")
    for verb in (["show-ref"], ["rev-parse", "@:r"], ["update-ref", "@/r", snapshot]):
        assert "is damaged at byte 0" in q4.fails(6, *verb)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; test_cli_process has a read-only mount")
def test_a_store_without_permission_to_write(q4):
    q4.write("a", "x")
    directories = [q4.store, *(path for path in q4.store.rglob("*") if path.is_dir())]
    files = [path for path in q4.store.rglob("*") if path.is_file()]
    modes = {path: path.stat().st_mode for path in [*directories, *files]}
    for path in reversed([*directories, *files]):
        path.chmod(modes[path] & ~0o222)
    try:
        assert q4.fails(4, "artifact", "put", "@", "a")
        assert q4.fails(4, "state", "set", "@", "k", "1")
        assert q4.fails(4, "session", "create")
        q4.ok("session", "list")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(q4):
    q4.write("secret", "x").chmod(0)
    assert "secret: Permission denied" in q4.fails(4, "artifact", "put", "@", "secret")
    assert "secret: Permission denied" in q4.fails(4, "hash-object", "secret")
