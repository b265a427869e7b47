"""init, status, use; where the store is found; help and version."""

from __future__ import annotations

import os

import pytest

import sessionfs
from sessionfs.cli.verbs import ABOUT, FAMILIES, MODULE_OF, import_verb


def test_init_prints_the_path_and_makes_a_store(bare):
    result = bare.ok("init", "here/runs")
    assert result.out == f"{bare.cwd}/here/runs\n"
    assert (bare.cwd / "here/runs/format").read_text() == "sessionfs 1\n"


def test_init_as_json_and_guarded(bare):
    assert bare.ok("init", "runs", "--profile", "guarded", "--json").json == {
        "path": f"{bare.cwd}/runs",
        "format": 1,
        "profile": "guarded",
    }
    assert "max_sessions = 100" in (bare.cwd / "runs/config.toml").read_text()


def test_init_without_a_directory(bare):
    assert bare.ok("init").out == f"{bare.store}\n"
    assert bare.ok("init", "--store", "other").out == f"{bare.cwd}/other\n"
    assert bare.ok("init", SESSIONFS_STORE="").out == f"{bare.cwd}/.sessionfs\n"


def test_a_store_whose_path_is_no_utf8(bare):
    bare.env["SESSIONFS_STORE"] = os.fsdecode(b"st\xff")
    assert bare.ok("init").out == f"{bare.cwd}/st\\xff\n"
    assert bare.ok("status").lines[0] == f"path\t{bare.cwd}/st\\xff"
    assert bare.ok("status", "--json").json["path"] == f"{bare.cwd}/st\udcff"


def test_init_refuses_what_is_in_the_way(cli):
    assert "there is already a store" in cli.fails(5, "init")
    cli.write("full/file")
    assert "is not empty" in cli.fails(5, "init", "full")
    assert "is a file" in cli.fails(5, "init", "full/file")
    assert "--profile cannot be 'other'" in cli.fails(2, "init", "x", "--profile", "other")
    assert not (cli.cwd / "x").exists()


def test_the_store_is_found_upward_and_in_the_data_directory(bare):
    bare.env["SESSIONFS_STORE"] = ""
    assert "make one with: sessionfs init" in bare.fails(3, "status")
    bare.ok("init", ".local/share/sessionfs")
    assert bare.ok("status", "--json").json["path"] == f"{bare.cwd}/.local/share/sessionfs"
    bare.ok("init", ".sessionfs")
    bare.cwd = bare.cwd / "a/b"
    bare.cwd.mkdir(parents=True)
    assert bare.ok("status", "--json").json["path"] == os.path.dirname(os.path.dirname(bare.cwd)) + "/.sessionfs"


def test_the_option_wins_over_the_environment_on_either_side_of_the_verb(cli):
    cli.ok("init", "other")
    for words in (["--store", "other", "status", "--json"], ["--json", "status", "--store=other"]):
        assert cli.ok(*words).json["path"] == f"{cli.cwd}/other"


def test_status(q4):
    q4.write("a.txt", b"x" * 20_000)
    q4.ok("artifact", "put", "@", "a.txt")
    q4.ok("session", "create", "--id", "other")
    q4.ok("session", "complete", "other")
    status = q4.ok("status", "--json").json
    assert status["objects"].pop("stored_size") > 0
    assert status == {
        "path": str(q4.store),
        "format": 1,
        "current": "q4",
        "sessions": {"total": 2, "active": 1, "completed": 1},
        "artifact_count": 1,
        "size": 20_000,
        "objects": {"blob": 1, "tree": 1, "snapshot": 1},
        "mounts": [],
    }
    lines = dict(line.split("\t") for line in q4.ok("status").lines)
    assert lines["sessions.active"] == "1" and lines["objects.blob"] == "1" and lines["current"] == "q4"
    shown = q4("status", terminal=True, NO_COLOR="1").lines
    assert "sessions   2 (1 active, 1 completed)" in shown
    assert "size       19.5 KiB" in shown


def test_status_of_an_empty_store(cli):
    status = cli.ok("status", "--json").json
    assert (status["current"], status["sessions"]) == (None, {"total": 0})
    assert "sessions   0" in cli("status", terminal=True, NO_COLOR="1").out


def test_use(q4):
    q4.ok("session", "create", "--id", "other")
    assert q4.ok("use").out == "q4\n"
    assert q4.ok("use", "oth").out == "other\n"
    assert q4.ok("session", "show", "@", "--json").json["id"] == "other"
    assert q4.ok("use", "--json").json == {"id": "other"}
    assert q4.ok("use", "--none").out == ""
    assert "there is no current session" in q4.fails(3, "use")
    assert "no session has the id" in q4.fails(3, "use", "nobody")
    assert "exclude each other" in q4.fails(2, "use", "q4", "--none")


def test_the_environment_wins_over_use_and_use_says_so(q4):
    q4.ok("session", "create", "--id", "other")
    assert q4.ok("use", SESSIONFS_SESSION="other").out == "other\n"
    result = q4("use", "q4", SESSIONFS_SESSION="other")
    assert (result.code, result.out) == (0, "q4\n")
    assert "SESSIONFS_SESSION is 'other' and wins" in result.err


def test_version_and_overview(bare):
    assert bare.ok("--version").out == f"sessionfs {sessionfs.__version__}\n"
    overview = bare.ok("--help").out
    for name, about in ABOUT.items():
        assert name in overview and about in overview
    nothing = bare()
    assert (nothing.code, nothing.raw, nothing.err) == (2, b"", overview)


@pytest.mark.parametrize("family", FAMILIES)
def test_help_of_a_family(bare, family):
    for text in (bare.ok(family, "--help").out, bare(family).err):
        assert all(name in text for name in MODULE_OF if name.startswith(family + " "))
    assert bare(family).code == 2


@pytest.mark.parametrize("name", MODULE_OF)
def test_help_of_every_verb(bare, name):
    text = bare.ok(*name.split(), "--help").out
    assert text.startswith(f"usage: sessionfs {name}")
    assert bare.ok("--help", *name.split()).out == text
    verb = import_verb(name)
    for option in verb.options:
        assert ", ".join(option.names) in text
    assert verb.examples and all(f"  sessionfs {command}\n" in text for command, _ in verb.examples)
    status = text.partition("\nEXIT STATUS\n")[2]
    assert all(f"\n  {code}  " in f"\n{status}" for code in {0, 2, *verb.exits})
    too_long = [line for line in text.splitlines() if len(line) > 80 and not line.startswith("  sessionfs ")]
    assert not too_long


def test_an_unknown_verb_is_answered_with_the_nearest(bare):
    assert "there is no verb 'sesion' (did you mean session" in bare.fails(2, "sesion")
    assert "there is no verb 'put' (did you mean artifact put?)" in bare.fails(2, "put", "@", "x")
    assert "there is no verb 'artifact lst' (did you mean artifact list" in bare.fails(2, "artifact", "lst")
    assert "there is no verb 'fskc' (did you mean fsck" in bare.fails(2, "fskc")
    assert bare.fails(2, "xyzzy") == "sessionfs: there is no verb 'xyzzy'; see: sessionfs --help\n"
    assert "there is no option --jsn; --json is close to it" in bare.fails(2, "--jsn", "status")


@pytest.mark.parametrize("words", [["init", ""], ["--store", "", "init"], ["--store", "", "status"]])
def test_a_store_without_a_name_is_not_another_one(bare, words):
    assert "a store needs a directory; an empty name was given" in bare.fails(2, *words)
    assert not bare.store.exists()


def test_help_is_a_word_too(bare):
    assert bare.ok("help").out == bare.ok("--help").out
    assert bare.ok("help", "artifact", "put").out == bare.ok("artifact", "put", "--help").out
    assert bare.ok("help", "session").out == bare.ok("session", "--help").out


def test_a_second_word_that_is_unknown_is_one_of_the_first(bare):
    assert "there are: retention plan, retention run" in bare.fails(2, "retention", "bogus")
    assert "did you mean session list?" in bare.fails(2, "session", "lst")


def test_a_dry_run_goes_with_a_repair(cli):
    assert "--dry-run says what --repair would do" in cli.fails(2, "fsck", "--dry-run")
    assert cli("fsck", "--repair", "--dry-run").code == 0


def test_what_is_imported_late_is_listed():
    assert set(sessionfs.__all__) <= set(dir(sessionfs))
