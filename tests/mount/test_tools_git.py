"""git, with a repository that has a history, beside the same one on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from programs import needs, told
from servers import Mount

import sessionfs

pytestmark = needs("git")

SOURCES = Path(sessionfs.__file__).parent


class Repository:
    """A repository whose commits have the same names wherever it is."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self._env = {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(home)}
        for who in ("AUTHOR", "COMMITTER"):
            self._env |= {f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@x"}

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        day = "2026-11-21T09:00:00Z"
        env = {**self._env, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
        cwd = self.path if self.path.exists() else self.path.parent
        return told(
            "git", "-c", "init.defaultBranch=main", "-c", "gc.autoDetach=false", *words, cwd=cwd, env=env, code=code
        )

    def build(self) -> None:
        """Make some history of this project's own sources: changes, renames, a branch, a merge, tags."""
        self.path.mkdir()
        self("init", "-q")
        shutil.copytree(SOURCES, self.path / "package", ignore=shutil.ignore_patterns("__pycache__"))
        (self.path / "link").symlink_to("package/__init__.py")
        (self.path / "tool").write_text("#!/bin/sh\n")
        (self.path / "tool").chmod(0o755)
        self("add", ".")
        self("commit", "-qm", "first")
        self("checkout", "-q", "-b", "branch")
        self("mv", "package/mount", "package/mounting")
        told("sed", "-i", "s/sessionfs.mount/sessionfs.mounting/", *(self.path / "package/mounting").glob("*.py"))
        self("commit", "-qam", "renamed")
        self("checkout", "-q", "main")
        for path in sorted((self.path / "package/cli").glob("*.py"))[:9]:
            path.unlink()
        with (self.path / "package/__init__.py").open("a") as file:
            file.write("# changed\n")
        self("add", "-A")
        self("commit", "-qm", "fewer")
        self("merge", "-q", "--no-ff", "-m", "merged", "branch")
        self("tag", "-a", "-m", "tagged", "v1")

    def described(self) -> tuple[str, ...]:
        """Return what its history is and what its files are."""
        files = self("ls-files", "--stage"), self("status", "--porcelain=v2", "--branch", "--ignored")
        return (*files, self("log", "--all", "--format=%H %T %P %s"), self("show-ref", "-d"), self("diff", "HEAD~2"))


def test_a_history_on_the_mount_is_that_on_the_disk(mounted: Mount, tmp_path: Path) -> None:
    git, there = Repository(mounted.artifacts / "repository", tmp_path), Repository(tmp_path / "plain", tmp_path)
    git.build()
    there.build()
    assert git.described() == there.described()
    assert git("fsck", "--full", "--strict") == ""
    before = git("diff", "HEAD~1", "--stat")

    mounted.stop()
    mounted.start()
    # Without refreshing anything: what stat(2) says is what the index remembers.
    assert git("diff-files", "--name-only") == ""
    assert git.described() == there.described()

    for words in (["repack", "-adq"], ["gc", "-q", "--prune=now"], ["pack-refs", "--all"]):
        git(*words)
    assert git("count-objects", "-v").splitlines()[0] == "count: 0"
    assert git("fsck", "--full", "--strict") == ""
    assert git.described() == there.described()
    assert git("diff", "HEAD~1", "--stat") == before


def test_changes_are_seen_stashed_and_put_back(mounted: Mount, tmp_path: Path) -> None:
    git = Repository(mounted.artifacts / "repository", tmp_path)
    git.build()
    names = [path.relative_to(git.path).as_posix() for path in sorted((git.path / "package").rglob("*.py"))[:3]]
    (git.path / names[0]).write_text("changed")
    (git.path / names[1]).unlink()
    (git.path / names[2]).chmod(0o755)
    (git.path / "new").touch()
    status = f" M {names[0]}\n D {names[1]}\n M {names[2]}\n?? new\n"
    assert git("status", "--porcelain") == status
    git("stash", "-q", "--include-untracked")
    assert git("status", "--porcelain") == ""
    assert not (git.path / "new").exists()
    git("stash", "pop", "-q")
    assert git("status", "--porcelain") == status
    git("restore", ".")
    git("clean", "-fdq")
    assert git("status", "--porcelain") == ""
    # Of the same length and in the same second: git looks again, because the index is not younger.
    text = (git.path / names[0]).read_bytes()
    (git.path / names[0]).write_bytes(text.swapcase())
    assert git("status", "--porcelain") == f" M {names[0]}\n"


@pytest.mark.parametrize("options", [[], ["--no-local"]], ids=["linked", "packed"])
def test_clones(mounted: Mount, tmp_path: Path, options: list[str]) -> None:
    git, there = Repository(mounted.artifacts / "repository", tmp_path), Repository(tmp_path / "plain", tmp_path)
    there.build()
    there("clone", "-q", "--bare", *options, there.path, git.path)
    clone = Repository(mounted.artifacts / "clone", tmp_path)
    clone("clone", "-q", *options, git.path, clone.path)
    back = Repository(tmp_path / "back", tmp_path)
    back("clone", "-q", *options, clone.path, back.path)
    for one in (git, clone, back):
        assert one("fsck", "--full", "--strict") == ""
        assert one("rev-parse", "HEAD", "v1") == there("rev-parse", "HEAD", "v1")
    assert clone("ls-files", "--stage") == there("ls-files", "--stage")
    (clone.path / "new").write_text("new")
    clone("add", ".")
    clone("commit", "-qm", "new")
    clone("push", "-q")
    back("pull", "-q", git.path, "main")
    assert (back.path / "new").read_text() == "new"
    linked = {path.stat().st_nlink for path in (git.path / "objects").rglob("*") if path.is_file()}
    assert (2 in linked) == (not options)
    assert os.listdir(mounted.artifacts) == ["repository", "clone"]


def test_a_clone_of_this_repository(mounted: Mount, tmp_path: Path) -> None:
    root = SOURCES.parent
    if not (root / ".git").exists():
        pytest.skip("the sources are in no git checkout")
    git = Repository(mounted.artifacts / "clone", tmp_path)
    git("-c", f"safe.directory={root}", "clone", "-q", "--no-local", root, git.path)
    assert git("status", "--porcelain") == ""
    assert git("fsck", "--full") == ""
