"""Rows: each is a name and steps that one or more users take in a new directory, with what they expect.

    Row("unlink by another", root.make("d", "dir", 0o755), carol.unlink("d/f").fails(EACCES))

A step expects to succeed unless it says ``fails``; ``gives`` compares what it returns, ``shows`` some fields of that;
``moves`` says which of atime, mtime and ctime move - all others of the paths that it names stay.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest
from accepted import find_accepted
from actors import Actor, Died, Failed, User

CHOSEN = "SESSIONFS_POSIX_ROWS"
"""In the environment: a pattern of names; only these rows are run."""

ELSEWHERE = "ELSEWHERE"
"""In a path: a directory of another filesystem, or of another session."""

_SUCCEEDS: Any = object()

GROUP = 6000
USERS = {
    "root": User("root", 0, 0, (0,)),
    "alice": User("alice", 5001, 5001, (5001, GROUP)),
    "bob": User("bob", 5002, 5002, (5002, GROUP)),
    "carol": User("carol", 5003, 5003, (5003,)),
}
ALICE, BOB, CAROL = (USERS[name].uid for name in ("alice", "bob", "carol"))


class Step(NamedTuple):
    """One call and what is expected of it."""

    user: str
    verb: str
    arguments: tuple[Any, ...]
    expected: Any = _SUCCEEDS
    times: tuple[tuple[str, str, str], ...] = ()

    def fails(self, number: int) -> Step:
        """Expect this errno."""
        return self._replace(expected=Failed(number)) if number else self

    def gives(self, value: Any) -> Step:
        """Expect this value."""
        return self._replace(expected=value)

    def shows(self, **fields: Any) -> Step:
        """Expect these among the fields of the value."""
        return self._replace(expected=fields)

    def moves(self, **paths: str) -> Step:
        """As :meth:`moving`, of paths that are words."""
        return self.moving(paths)

    def moving(self, paths: dict[str, str]) -> Step:
        """Expect that of these paths exactly these times move: letters of "amc".

        What is renamed is written ``before>after``.
        """
        times = [(*_two_names(path), letters) for path, letters in paths.items()]
        return self._replace(times=(*self.times, *times))

    def __str__(self) -> str:
        arguments = ", ".join(map(_short, self.arguments))
        return f"{self.user}: {self.verb}({arguments})"


def _two_names(path: str) -> tuple[str, str]:
    before, _, after = path.partition(">")
    return before, after or before


def _short(value: Any) -> str:
    text = oct(value) if isinstance(value, int) and not isinstance(value, bool) else repr(value)
    return text if len(text) < 80 else f"{text[:60]}…<{len(text)} characters>"


class Person:
    """Makes steps: ``alice.unlink("f")``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, verb: str) -> Callable[..., Step]:
        return lambda *arguments: Step(self._name, verb, arguments)


root, alice, bob, carol = (Person(name) for name in USERS)
PEOPLE = {"root": root, "alice": alice, "bob": bob, "carol": carol}


class Row:
    """One expectation, or a few that belong together."""

    def __init__(self, name: str, *steps: Step) -> None:
        self.name = name
        self.steps = steps


def grouped(rows: Iterable[Row]) -> list[Any]:
    """Return *rows* as parameters: those whose names begin alike, up to a slash, are one. No two have one name."""
    groups: dict[str, list[Row]] = {}
    names: Counter[str] = Counter()
    for row in rows:
        names[row.name] += 1
        group, slash, _ = row.name.partition("/")
        groups.setdefault(group if slash else "others", []).append(row)
    assert not names or max(names.values()) == 1, names.most_common(5)
    return [pytest.param(group, id=name) for name, group in groups.items()]


class Place:
    """Where rows are run: a directory of one filesystem, with a process for each user."""

    def __init__(self, name: str, path: str, elsewhere: str, *, new: bool = True) -> None:
        """Make a place; *new* is whether each row gets a directory of its own."""
        self.name = name
        self._new = new
        self._path, self._elsewhere = path, elsewhere
        self._numbers = itertools.count(1)
        self._actors: dict[str, Actor] = {}
        self._died: str | None = None

    def end(self) -> None:
        """End the processes."""
        for actor in self._actors.values():
            actor.end()

    def run(self, rows: Iterable[Row]) -> None:
        """Run *rows*, all of them; fail with a line for each that is not as expected."""
        chosen = os.environ.get(CHOSEN, "*")
        lines: list[str] = []
        for row in rows:
            if self._died is None and fnmatchcase(row.name, chosen):
                try:
                    lines += self._run(row)
                except Died as failure:
                    self._died = f"{row.name}: {failure}"
        if self._died is not None:
            lines.append(f"{self._died}; no row is run after that")
        if lines:
            pytest.fail("\n".join(lines), pytrace=False)

    def _run(self, row: Row) -> list[str]:
        """Take the steps of a row in a new directory; returns a line for what is wrong, if anything."""
        scene = f"{self._path}/{next(self._numbers)}" if self._new else self._path
        for user in dict.fromkeys(("root", *(step.user for step in row.steps))):
            started = self.call(user, "begin", scene, self._new and user == "root")
            if started is not None:
                return [f"{row.name}: {user} cannot begin in {scene}: {_said(started)}"]
        for number, step in enumerate(row.steps, 1):
            found = self._difference(step)
            if found is None:
                continue
            wanted, came = found
            reason = find_accepted(self.name, row.name, step.verb, came)
            if reason is None:
                return [f"{row.name}, step {number}, {step}: expected {wanted}, not {came}"]
            print(f"accepted: {row.name}, {step}: {came}, not {wanted}: {reason}")
            break
        return []

    def call(self, user: str, verb: str, *arguments: Any) -> Any:
        """Let a user do something that is no step of a row."""
        return self._actor(user).call(verb, *arguments)

    def _actor(self, user: str) -> Actor:
        if user not in self._actors:
            self._actors[user] = Actor(USERS[user])
        return self._actors[user]

    def _difference(self, step: Step) -> tuple[str, str] | None:
        """Take a step; returns what was expected and what came, if these differ."""
        watched = step.times
        if watched:
            looked = self.call("root", "look", [before for before, _, _ in watched])
            if looked is not None:
                return "something whose times can be looked at", _said(looked)
        value = self.call(step.user, step.verb, *map(self._placed, step.arguments))
        expected = step.expected
        if isinstance(value, Failed) or isinstance(expected, Failed):
            if value != expected:
                return _said(expected), _said(value)
        elif isinstance(expected, dict):
            shown = {field: value[field] for field in expected}
            if shown != expected:
                return _fields(expected), _fields(shown)
        elif expected is not _SUCCEEDS and value != expected:
            return repr(expected), repr(value)
        return self._moved(watched) if watched else None

    def _moved(self, watched: tuple[tuple[str, str, str], ...]) -> tuple[str, str] | None:
        letters = self.call("root", "moved", [(before, after) for before, after, _ in watched])
        if isinstance(letters, Failed):
            return "times", _said(letters)
        wrong = [
            (after, want, got)
            for (_, after, want), got in zip(watched, letters, strict=True)
            if sorted(want) != sorted(got)
        ]
        if not wrong:
            return None
        wanted = ", ".join(f"{path}: {want or 'no'} moved" for path, want, _ in wrong)
        return wanted, ", ".join(f"{path}: {got or 'no'} moved" for path, _, got in wrong)

    def _placed(self, argument: Any) -> Any:
        if isinstance(argument, str) and argument.startswith(ELSEWHERE):
            return self._elsewhere + argument.removeprefix(ELSEWHERE)
        return argument


def _said(outcome: Any) -> str:
    if isinstance(outcome, Failed):
        return errno.errorcode.get(outcome.number, os.strerror(outcome.number))
    return "success" if outcome is _SUCCEEDS or outcome is None else repr(outcome)


def _fields(shown: dict[str, Any]) -> str:
    return " ".join(f"{name}={value:#o}" if name == "mode" else f"{name}={value!r}" for name, value in shown.items())
