"""Parsing a command line: pure."""

from __future__ import annotations

import pytest

from sessionfs.cli.arguments import UsageError, parse, parse_globals
from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional, Verb

VERB = Verb(
    lambda call, arguments: None,
    positionals=(
        Positional("SESSION", ""),
        Positional("PATH", "", count="+"),
        Positional("DEST", "", count="?"),
    ),
    options=(
        Option("-l --long", ""),
        Option("-n --number", "", metavar="N", number=True),
        Option("--tag", "", metavar="TAG", repeat=True),
        Option("--sort", "", metavar="KEY", choices=("name", "size")),
    ),
)


def test_options_and_positionals_mix() -> None:
    arguments = parse(VERB, ["s", "--tag", "x", "a", "-l", "b", "--tag=y"])
    assert arguments.text("SESSION") == "s"
    assert arguments.texts("PATH") == ["a", "b"]
    assert arguments.texts("tag") == ["x", "y"]
    assert arguments.flag("long")
    assert arguments.maybe("sort") is None
    assert arguments.number("number") is None


def test_two_dashes_end_the_options() -> None:
    arguments = parse(VERB, ["-l", "s", "--", "--tag", "-l", "--"])
    assert arguments.texts("PATH") == ["--tag", "-l", "--"]


def test_a_dash_and_a_negative_number_are_positionals() -> None:
    assert parse(VERB, ["s", "-", "-5", "-.5"]).texts("PATH") == ["-", "-5", "-.5"]


@pytest.mark.parametrize("words", [["-n3"], ["-n", "3"], ["--number", "3"], ["--number=3"], ["-ln3"], ["-ln", "3"]])
def test_values_stand_in_the_word_or_behind_it(words: list[str]) -> None:
    assert parse(VERB, [*words, "s", "p"]).number("number") == 3


def test_the_last_value_wins() -> None:
    assert parse(VERB, ["--sort=name", "--sort=size", "s", "p"]).text("sort") == "size"


def test_an_empty_value_is_a_value() -> None:
    assert parse(VERB, ["--sort", "name", "--tag", "", "--tag=", "s", "p"]).texts("tag") == ["", ""]


def test_places_are_filled_from_both_ends() -> None:
    verb = Verb(
        lambda call, arguments: None,
        positionals=(Positional("A", ""), Positional("B", "", count="?"), Positional("C", "")),
    )
    assert parse(verb, ["1", "2"]).maybe("B") is None
    assert [parse(verb, ["1", "2", "3"]).text(name) for name in "ABC"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "SESSION is missing"),
        (["s"], "PATH is missing"),
        (["s", "p", "--lonk"], "no option --lonk; --long is close to it"),
        (["s", "p", "-x"], "no option -x"),
        (["s", "p", "--tag"], "--tag needs a value: --tag TAG"),
        (["s", "p", "-n"], "-n needs a value: -n N"),
        (["s", "p", "--long=yes"], "--long is a flag"),
        (["s", "p", "--number", "many"], "--number takes a number of 0 or more; 'many' was given"),
        (["s", "p", "--number", "-1"], "--number takes a number of 0 or more; '-1' was given"),
        (["s", "p", "--sort", "age"], "--sort cannot be 'age'; these are possible: name, size"),
    ],
)
def test_what_is_wrong_is_named(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(VERB, words)


def test_too_much_is_refused() -> None:
    with pytest.raises(UsageError, match="'c' is one argument too many"):
        parse(Verb(lambda call, arguments: None, positionals=(Positional("A", ""),)), ["a", "c"])


def test_help_does_not_ask_for_the_rest() -> None:
    assert parse(VERB, ["--help"]).flag("help")


def test_global_options_end_at_the_verb() -> None:
    first, rest = parse_globals(GLOBAL_OPTIONS, ["--json", "--store", "d", "session", "list", "--store", "e"])
    assert (first.flag("json"), first.text("store")) == (True, "d")
    assert rest == ["session", "list", "--store", "e"]
