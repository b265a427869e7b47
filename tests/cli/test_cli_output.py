"""What people and scripts see, and how large what they ask for can be."""

from __future__ import annotations

import errno

import pytest

from sessionfs import errors
from sessionfs.cli.exits import EXIT_OF_KIND, exit_of, message_of, printable
from sessionfs.cli.tables import Column, format_table, human_size, human_time, plain
from sessionfs.cli.values import parse_json, parse_metadata


def test_every_kind_of_error_has_its_exit_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and errors.Error in kind.__bases__]
    assert set(kinds) == set(EXIT_OF_KIND)
    assert [exit_of(kind("x")) for kind in EXIT_OF_KIND] == [2, 3, 4, 5, 6, 7]


def test_a_leaf_has_the_code_of_its_kind() -> None:
    assert exit_of(errors.NoSpace("full")) == 5
    assert exit_of(errors.ReadOnlyStore("read-only")) == 4
    assert exit_of(errors.DiskFault("broken")) == 6


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, 3), (errno.ENOTDIR, 3), (errno.EACCES, 4), (errno.EPERM, 4), (errno.EEXIST, 5),
        (errno.ENOSPC, 5), (errno.EIO, 6), (errno.EISDIR, 2), (errno.ENAMETOOLONG, 2), (errno.ELOOP, 2),
    ],
)  # fmt: skip
def test_the_users_own_files_have_codes_too(number: int, code: int) -> None:
    assert exit_of(OSError(number, "reason")) == code


def test_a_message_is_one_line_that_does_nothing() -> None:
    assert message_of(errors.NotFound("no 'a\nb\x1b[31m\udcff'")) == r"no 'a\x0ab\x1b[31m\xff'"
    assert message_of(OSError(errno.ENOENT, "No such file", "dir/\udcfe")) == r"dir/\xfe: No such file"
    assert message_of(OSError(errno.ENOENT, "No such file")) == "No such file"


def test_printable_leaves_what_can_be_seen() -> None:
    assert printable("Grüße, 世界\u202f!") == "Grüße, 世界\u202f!"
    assert printable("a\tb\u2028") == r"a\x09b\u2028"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_500_000, "1.4 MiB"), (3 << 60, "3072.0 PiB")],
)
def test_sizes(size: int, text: str) -> None:
    assert human_size(size) == text


def test_times() -> None:
    assert human_time("2026-11-20T22:44:01.123456789Z") == "2026-11-20 22:44:01"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ("a\tb", r"a\x09b"), (3, "3"), (True, "true"), (["a", "b"], "a,b"), ({"k": [1]}, '{"k": [1]}'),
        ([1, 2], "[1, 2]"), ([], ""),
    ],
)  # fmt: skip
def test_fields_for_scripts(value: object, text: str) -> None:
    assert plain(value) == text


def test_columns_are_aligned_by_what_is_seen() -> None:
    columns = (Column("name"), Column("size", human=human_size, right=True), Column("path"))
    records = [{"name": "世", "size": 5, "path": "a"}, {"name": None, "size": 2048, "path": "b"}]
    assert format_table(columns, records, lambda colour, text: text) == (
        "NAME     SIZE  PATH\n"
        "世        5 B  a\n"
        "-     2.0 KiB  b\n"
    )  # fmt: skip


def test_metadata_is_json_where_it_can_be() -> None:
    assert parse_metadata(["a=1", "b=x=y", 'c={"k": [null]}', "d=", "e=NaN", "f=[1"]) == {
        "a": 1, "b": "x=y", "c": {"k": [None]}, "d": "", "e": "NaN", "f": "[1",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "", "[" * 100_000])
def test_json_is_strict(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize(
    "words",
    [
        ["events", "-n"],
        ["log", "-n"],
        ["grep", "a", "-C"],
        ["grep", "a", "-m"],
        ["prune", "q4", "--keep"],
        ["search", "a", "--limit"],
        ["timeline", "--width"],
    ],
)
def test_numbers_have_at_most_fifteen_digits(q4, words):
    for value in ("9" * 16, "9" * 5000):
        message = q4.fails(2, *words, value)
        assert f"{words[-1]} takes a number of 0 or more" in message and "(at most 15 digits)" in message
    assert q4(*words, "9" * 15).code in (0, 1, 2)


def test_numbers_that_are_no_options_have_limits_too(q4):
    assert "is no number of operations" in q4.fails(2, "undo", "9" * 5000)
    assert "is not a time" in q4.fails(2, "grep", "a", "--time-limit", "9" * 5000)
    for width in ("0", "19", "1001"):
        assert "--width is 20 to 1,000 places" in q4.fails(2, "timeline", "--width", width)
    assert max(map(len, q4.ok("timeline", COLUMNS="9" * 11).lines)) <= 1000
    assert q4.ok("timeline", COLUMNS="9" * 5000)


def test_what_changes_something_says_so_in_json(q4):
    q4.write("a", "1")
    q4.ok("artifact", "put", "@", "a")
    assert q4.ok("--json", "pin", "@:a", "q4").json == [{"session": "q4", "path": "a"}, {"session": "q4", "path": None}]
    assert q4.ok("--json", "unpin", "@:a").json == [{"session": "q4", "path": "a"}]
    assert q4.ok("--json", "index", "rebuild").json == q4.ok("--json", "index", "status").json
    assert q4.ok("--json", "index", "drop").json == {"was_there": True}
    assert q4("--json", "index", "drop").json == {"was_there": False}


def test_what_prints_text_refuses_json(q4):
    for option in (["-0"], ["--format", "{path}"], ["--explain"]):
        assert "prints text, so --json cannot be given" in q4.fails(2, "find", "--json", *option)


def test_the_help_of_a_verb_says_what_its_json_is(q4):
    for verb in ("grep", "search", "watch", "collect", "replay", "retention plan", "retention run"):
        assert (
            "--json" in q4.ok(*verb.split(), "--help").out and "a JSON object a line" in q4.ok(*verb.split(), "-h").out
        )
    assert "Print one JSON document" in q4.ok("find", "--help").out


@pytest.mark.parametrize("words", [("find",), ("artifact", "list", "q4"), ("du",), ("tree",)])
def test_what_prints_text_is_not_json_too(q4, words):
    assert "--null prints text" in q4.fails(2, *words, "-z", "--json")
