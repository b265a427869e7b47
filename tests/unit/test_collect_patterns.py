"""Which files are collected."""

from __future__ import annotations

import pytest

from sessionfs.collect.patterns import BadPattern, Patterns


@pytest.mark.parametrize(
    ("pattern", "path", "is_directory", "matches"),
    [
        ("*.log", "a.log", False, True),
        ("*.log", "deep/er/a.log", False, True),
        ("*.log", "a.log.txt", False, False),
        ("build", "x/build", True, True),
        ("build/", "build", True, True),
        ("build/", "build", False, False),
        ("build/*", "build/a", False, True),
        ("build/*", "x/build/a", False, False),
        ("build/**", "build/a/b", False, True),
        ("build/**", "build", True, False),
        ("**/x", "x", False, True),
        ("**/x", "a/b/x", False, True),
        ("a/**/z", "a/z", False, True),
        ("a/**/z", "a/b/c/z", False, True),
        ("a/**/z", "ab/z", False, False),
        ("./a", "a", False, True),
        ("./a", "b/a", False, False),
        ("[!a]?", "bc", False, True),
        ("[!a]?", "ac", False, False),
        ("*", "a\nb", False, True),
        ("\udcff*", "\udcffx", False, True),
    ],
)
def test_globs(pattern: str, path: str, is_directory: bool, matches: bool) -> None:
    assert Patterns(exclude=[pattern]).takes(path, is_directory=is_directory) is not matches
    assert Patterns([pattern]).takes(path, is_directory=is_directory) is matches


@pytest.mark.parametrize("pattern", ["", "/", "/etc/*", "../x", "a//b", "a/./b", "x" * 5000, "\0"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(BadPattern, match="no pattern"):
        Patterns([pattern])


@pytest.mark.parametrize(
    "name", [".git", ".report.txt.swp", ".swp", "report.txt~", "report.bak", "#report#", ".#report", ".~lock.a.ods#"]
)
def test_left_out_by_default(name: str) -> None:
    assert not Patterns().takes(f"a/{name}", is_directory=False)
    assert not Patterns(["*"]).takes(name, is_directory=False)
    assert Patterns(everything=True).takes(name, is_directory=False)


@pytest.mark.parametrize("name", [".gitignore", "swp", "a.swap", ".profile", "back", "report.txt", "4913", "a~b"])
def test_not_left_out(name: str) -> None:
    assert Patterns().takes(name, is_directory=False)


def test_directories() -> None:
    patterns = Patterns(["src", "*.md"], ["src/build"])
    assert patterns.enters("doc") and not patterns.enters("src/build") and not patterns.enters(".git")
    assert patterns.takes("src", is_directory=True) and not patterns.takes("doc", is_directory=True)
    assert patterns.takes("src/a/b.c", is_directory=False) and patterns.takes("src/a", is_directory=True)
    assert patterns.takes("doc/a.md", is_directory=False) and not patterns.takes("doc/a.txt", is_directory=False)


def test_what_is_below_a_match_matches() -> None:
    assert Patterns(["build/*"]).takes("build/a/b", is_directory=False)
    assert not Patterns(exclude=["build/*"]).enters("build/a")


def test_long_patterns() -> None:
    assert Patterns(["a/" * 1500 + "b"]).takes("a/" * 1500 + "b", is_directory=False)
    assert not Patterns(["**/a/" * 12 + "b"]).takes("a/" * 40 + "c", is_directory=False)  # there are 5e9 ways to try


def test_exclusion_wins() -> None:
    assert not Patterns(["*.py"], ["test_*"]).takes("test_a.py", is_directory=False)
