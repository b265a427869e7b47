"""Parsing a command line by the data in :mod:`sessionfs.cli.spec`.

The GNU rules: options and positionals in any order, ``--name=value``, ``-lR``, ``--`` ends options, ``-`` is a
positional. Not argparse: it would add 3 ms to the 20 by which a plumbing verb is slower than an empty Python
(DESIGN section 11), and its help, its messages and its way of exiting would all have to be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional, Verb
from sessionfs.errors import InvalidInput

# There is not so much of anything, and every part of Python and SQLite can count so far.
_MAX_DIGITS = 15

_SHOWN_LENGTH = 40


class UsageError(InvalidInput):
    """The command line is not what the verb takes."""


class Arguments:
    """A parsed command line: values by the option's long name or the positional's name."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def flag(self, name: str) -> bool:
        """Whether the flag *name* was given."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return the value of *name*, which cannot be missing."""
        return self._values[name][-1]

    def maybe(self, name: str) -> str | None:
        """Return the value of *name*, the last one if it was given more than once; None without it."""
        found = self._values.get(name)
        return found[-1] if found else None

    def texts(self, name: str) -> list[str]:
        """Return all values of *name*, in order."""
        return self._values.get(name, [])

    def number(self, name: str) -> int | None:
        """Return the value of *name* as a number; None without it."""
        found = self.maybe(name)
        return None if found is None else int(found)

    def update(self, other: Arguments) -> None:
        """Take the values of *other* too; they win."""
        self._values.update(other._values)


def whole_number(text: str) -> int | None:
    """Return the number of 0 or more that *text* writes in at most 15 digits; None if it writes none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None


def parse(verb: Verb, words: list[str]) -> Arguments:
    """Return the arguments that *words* give *verb*.

    Raises:
        UsageError: Something is missing, unknown, or too much; the message says what.
    """
    values: dict[str, list[str]] = {}
    rest = _take_options((*verb.options, *GLOBAL_OPTIONS), words, values, stop_early=False)
    if "help" not in values:  # which asks how it is done right, so nothing is wrong yet
        _give_positionals(verb.positionals, rest, values)
    return Arguments(values)


def parse_globals(options: tuple[Option, ...], words: list[str]) -> tuple[Arguments, list[str]]:
    """Return what stands before the verb, and the verb with all that follows it."""
    values: dict[str, list[str]] = {}
    rest = _take_options(options, words, values, stop_early=True)
    return Arguments(values), rest


def _take_options(
    options: tuple[Option, ...], words: list[str], values: dict[str, list[str]], *, stop_early: bool
) -> list[str]:
    """Move the options in *words* to *values* and return what is left.

    Args:
        stop_early: The first positional ends the options.
    """
    by_name = {name: option for option in options for name in option.names}
    rest: list[str] = []
    following = iter(words)
    for word in following:
        if word == "--":
            break
        if word == "-" or not word.startswith("-") or (_is_number(word) and word not in by_name):
            rest.append(word)
            if stop_early:
                break
        elif word.startswith("--"):
            _take_long(by_name, word, following, values)
        else:
            _take_short(by_name, word, following, values)
    return [*rest, *following]


def _is_number(word: str) -> bool:
    return word[1:2].isdecimal() or (word[1:2] == "." and word[2:3].isdecimal())


def _take_long(by_name: dict[str, Option], word: str, following: Iterator[str], values: dict[str, list[str]]) -> None:
    name, equals, value = word.partition("=")
    option = _find(by_name, name)
    if option.metavar:
        _add(option, name, value if equals else _next(option, name, following), values)
    elif equals:
        raise UsageError(f"{name} is a flag and takes no value; {value!r} was given")
    else:
        values[option.key] = [""]


def _take_short(by_name: dict[str, Option], word: str, following: Iterator[str], values: dict[str, list[str]]) -> None:
    for index, letter in enumerate(word[1:], start=2):
        name = f"-{letter}"
        option = _find(by_name, name)
        if option.metavar:
            _add(option, name, word[index:] or _next(option, name, following), values)
            return
        values[option.key] = [""]


def _find(by_name: dict[str, Option], name: str) -> Option:
    option = by_name.get(name)
    if option is None:
        from difflib import get_close_matches

        close = get_close_matches(name, by_name, n=1)
        hint = f"; {close[0]} is close to it" if close else ""
        raise UsageError(f"there is no option {name}{hint}")
    return option


def _next(option: Option, name: str, following: Iterator[str]) -> str:
    value = next(following, None)
    if value is None:
        raise UsageError(f"{name} needs a value: {name} {option.metavar}")
    return value


def _add(option: Option, name: str, value: str, values: dict[str, list[str]]) -> None:
    if option.choices and value not in option.choices:
        raise UsageError(f"{name} cannot be {value!r}; these are possible: {', '.join(option.choices)}")
    if option.number and whole_number(value) is None:
        raise UsageError(
            f"{name} takes a number of 0 or more; {value[:_SHOWN_LENGTH]!r} was given (at most {_MAX_DIGITS} digits)"
        )
    if option.repeat:
        values.setdefault(option.key, []).append(value)
    else:
        values[option.key] = [value]


def _give_positionals(positionals: tuple[Positional, ...], words: list[str], values: dict[str, list[str]]) -> None:
    left = list(words)
    needed = sum(positional.count in "1+" for positional in positionals)
    for positional in positionals:
        if positional.count in "1+":
            needed -= 1
            if not left:
                raise UsageError(f"{positional.name} is missing")
        free = len(left) - needed
        take = max(0, free if positional.count in "*+" else min(1, free))
        if positional.count == "1" and take == 0:
            take = 1
        given, left = left[:take], left[take:]
        if positional.choices and given and given[0] not in positional.choices:
            raise UsageError(
                f"{positional.name} cannot be {given[0]!r}; these are possible: {', '.join(positional.choices)}"
            )
        if given:
            values[positional.name] = given
    if left:
        raise UsageError(f"{left[0]!r} is one argument too many")
