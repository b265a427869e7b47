"""Rows that run real programs on trees of Python sources.

Each function prepares in the current directory and returns the command that is timed; its docstring says what that is.
A command of one row works on what no other row has copied, see ``work``.
"""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.mount.work import SMALL_BYTES, Run, Work, copy_tree, write_files

_PATIENCE_SECONDS = 300.0
_CHANGED_COUNT = 50

# With bytecode, as a user has it; and git as it comes, whoever runs it.
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{role}_{field}": "bench@example.org" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")},
}

# Some 200 modules of the standard library that are taken from the current directory.
_IMPORT = (
    "import sys; sys.path.insert(0, ''); import asyncio, email.mime.text, http.client, http.server, unittest, "
    "xml.dom.minidom, logging.config, argparse, urllib.request, multiprocessing.pool, concurrent.futures, tarfile, "
    "zipfile, csv, statistics, difflib, pdb, pydoc, doctest, cProfile, xmlrpc.client, html.parser, configparser"
)


class CommandFailed(Exception):
    """A program ended with an error; the text says which and why."""


class Command:
    """A program with its arguments, run in the current directory."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def __call__(self) -> None:
        """Run it to its end.

        Raises:
            CommandFailed: It said no.
        """
        done = self._run()
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise CommandFailed(f"{self._words[0]} exited with {done.returncode}: {lines[-1]}")

    def load(self, empty: str) -> None:
        """Run it in an empty directory, whatever it says there: so the program itself is in memory."""
        self._run(cwd=empty)

    def _run(self, cwd: str | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd=cwd,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )


# Copying in


def untar(work: Work) -> Run:
    """Extract an archive of 500 files."""
    archive = f"{work.outside()}/lib.tar"
    Command("tar", "cf", archive, "-C", work.source(), ".")()
    return Command("tar", "xf", archive)


def copy_in(work: Work) -> Run:
    """Copy 500 files into it with ``cp -a``."""
    return Command("cp", "-a", work.source(), "lib")


def rsync_in(work: Work) -> Run:
    """Copy 500 files into it with ``rsync -a``."""
    return Command("rsync", "-a", f"{work.source()}/", "lib")


def rsync_again(work: Work) -> Run:
    """Let rsync find that nothing has changed."""
    command = Command("rsync", "-a", f"{work.source()}/", "lib")
    command()
    return command


# Copying out


def tar(work: Work) -> Run:
    """Make an archive of 2,000 files, among the plain files: GNU tar would read nothing for /dev/null."""
    work.enter_tree()
    return Command("tar", "cf", f"{work.outside()}/lib.tar", ".")


def copy_out(work: Work) -> Run:
    """Copy 2,000 files out of it with ``cp -a``, warm."""
    tar(work)()
    return Command("cp", "-a", ".", f"{work.outside()}/lib")


def rsync_out(work: Work) -> Run:
    """Copy 2,000 files out of it with ``rsync -a``, warm."""
    tar(work)()
    return Command("rsync", "-a", "./", f"{work.outside()}/lib")


# Reading


def list_long(work: Work) -> Run:
    """Run ``ls -l`` on the shared 2,000 files."""
    work.enter_files()
    return Command("ls", "-l")


def find(work: Work) -> Run:
    """Find the files of the tree by their type, which readdir tells."""
    work.enter_tree()
    return Command("find", ".", "-type", "f")


def find_by_attributes(work: Work) -> Run:
    """Find files by size and time, which only stat tells."""
    work.enter_tree()
    return Command("find", ".", "-size", "+20k", "-newermt", "2000-01-01")


def grep(work: Work) -> Run:
    """Search all files for a word."""
    work.enter_tree()
    return Command("grep", "-r", "ABCMeta", ".")


def disk_usage(work: Work) -> Run:
    """Add up the sizes of all files."""
    work.enter_tree()
    return Command("du", "-s", ".")


def diff(work: Work) -> Run:
    """Compare the tree with what it was copied from."""
    return Command("diff", "-r", work.enter_tree(), ".")


def import_modules(work: Work) -> Run:
    """Start Python and import 200 modules, with their bytecode."""
    work.enter(_fill_with_modules, work.source("import"))
    return Command(sys.executable, "-S", "-c", _IMPORT)


def _fill_with_modules(directory: str, source: str) -> None:
    copy_tree(directory, source)
    subprocess.run([sys.executable, "-S", "-c", _IMPORT], cwd=directory, env=_ENVIRONMENT, check=True)


# Removing


def remove_tree(work: Work) -> Run:
    """Remove 500 files with their directories."""
    Command("cp", "-a", work.source(), "lib")()
    return Command("rm", "-rf", "lib")


# git


def git_clone(work: Work) -> Run:
    """Clone a repository of 500 files, copying its pack."""
    return Command("git", "clone", "--quiet", "--no-hardlinks", _repository(work), "clone")


def git_status(work: Work) -> Run:
    """Ask what has changed in a clone."""
    _enter_clone(work)
    return Command("git", "status", "--short")


def git_commit(work: Work) -> Run:
    """Add 50 new files and commit them."""
    _enter_clone(work)
    write_files(".", [f"{number}.txt" for number in range(_CHANGED_COUNT)], SMALL_BYTES)
    return Command("sh", "-c", "git add --all && git commit --quiet -m change")


def _enter_clone(work: Work) -> None:
    Command("git", "clone", "--quiet", "--no-hardlinks", _repository(work), "clone")()
    os.chdir("clone")


def _repository(work: Work) -> str:
    source = work.source()
    if not os.path.isdir(f"{source}/.git"):
        for words in ("init --quiet", "add --all", "commit --quiet -m all", "repack -a -d --quiet"):
            Command("git", "-C", source, *words.split())()
    return source
