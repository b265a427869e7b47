"""The shells' completion scripts: made for every verb, and working in those shells that are here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sessionfs.cli.verbs import MODULE_OF, import_verb

CHECK = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}


@pytest.mark.parametrize("shell", CHECK)
def test_every_verb_and_option_is_in_it(bare, shell):
    script = bare.ok("completion", shell).out
    for name in MODULE_OF:
        assert name.split()[-1] in script
        for option in import_verb(name).options:
            assert (f"-l {option.names[-1][2:]} " if shell == "fish" else option.names[-1]) in script


@pytest.mark.parametrize("shell", CHECK)
def test_the_shell_can_read_it(bare, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    path = bare.write("script", bare.ok("completion", shell).out)
    done = subprocess.run([*CHECK[shell], path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell(bare):
    assert "SHELL cannot be 'csh'; these are possible: bash, zsh, fish" in bare.fails(2, "completion", "csh")


BASH = r"""
compopt() { :; }
source ./script
complete_line() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _sessionfs
    printf '%s\n' "${COMPREPLY[@]}"
}
complete_line "$@"
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ses"], ["session"]),
        (["session", "cr"], ["create"]),
        (["session", "list", "--sta"], ["--status"]),
        (["session", "list", "--status", "a"], ["active", "archived"]),
        (["session", "show", "q"], ["q4"]),
        (["session", "show", "F"], ["Fourth\\ quarter"]),
        (["artifact", "cat", "@", ""], ["a.txt", "dir/"]),
        (["artifact", "cat", "@", "a.txt", "dir/"], ["dir/\\$\\(touch\\ oops\\)", "dir/b.txt"]),
        (["--json", "state", "get", "q4", "s"], ["step"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["init", "--profile", "g"], ["guarded"]),
        (["artifact", "get", "@", "a.txt", "he"], ["here.txt"]),
    ],
)
def test_bash_completes(q4, words, offered):
    program = Path(sys.executable).with_name("sessionfs")
    q4.write("script", q4.ok("completion", "bash").out)
    q4.write("here.txt")
    for name in ("a.txt", "dir/b.txt", "dir/$(touch oops)"):
        q4.ok("artifact", "put", "@", "-", "--as", name)
    q4.ok("state", "set", "@", "step", "1")
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", program, *words],
        cwd=q4.cwd,
        env={**os.environ, **q4.env, "SESSIONFS_SESSION": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (offered, "")
    assert not (q4.cwd / "oops").exists()
