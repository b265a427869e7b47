import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.artifacts.names import BadName, NameTooLong, check_name, check_path, encode, from_text, split, text_of

raw_names = st.binary(min_size=1, max_size=255).filter(
    lambda raw: not set(raw) & set(b"/\0") and raw not in (b".", b"..")
)


@given(st.lists(raw_names, min_size=1, max_size=4))
def test_every_posix_path_is_kept_byte_for_byte(names):
    raw = b"/".join(names)
    path = check_path(raw)
    assert path == check_path(os.fsdecode(raw))
    assert encode(path) == raw


@given(raw_names)
def test_the_text_form_is_valid_utf_8_and_leads_back(raw):
    name = os.fsdecode(raw)
    text = text_of(name)
    text.encode()
    assert from_text(text) == name


@given(raw_names, raw_names)
def test_two_names_have_two_text_forms(one, two):
    assert (text_of(os.fsdecode(one)) == text_of(os.fsdecode(two))) == (one == two)


@pytest.mark.parametrize(
    ("name", "text"),
    [("plain", "plain"), ("a\\b", "a\\\\b"), ("caf\udce9", "caf\\xe9"), ("café", "café"), ("\\x41", "\\\\x41")],
)
def test_the_text_form_is_as_documented(name, text):
    assert text_of(name) == text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        ".",
        "a/../b",
        "a/./b",
        "a/..",
        "../a",
        "a//b",
        "a/",
        "a\0b",
        b"a/../b",
        "\ud800",
        "a/\udc00",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path):
    with pytest.raises(BadName):
        check_path(path)


def test_dots_inside_a_name_are_names():
    assert check_path("...") == "..."
    assert check_path("..a/b..") == "..a/b.."


@pytest.mark.parametrize("path", ["x" * 256, "é" * 128, "a/" + "x" * 256, "/".join(["x" * 255] * 16) + "/xxxx"])
def test_too_long_is_named_as_posix_does(path):
    with pytest.raises(NameTooLong) as failure:
        check_path(path)
    assert failure.value.errno == errno.ENAMETOOLONG


def test_the_longest_names_and_paths_are_possible():
    assert check_path("é" * 127 + "x") == "é" * 127 + "x"
    longest = "/".join(["x" * 255] * 16)
    assert len(longest) == 4095 and check_path(longest) == longest


def test_bytes_that_together_are_a_character_are_that_character():
    assert check_path("\udcc3\udca9") == "é"


def test_a_name_has_no_slash():
    with pytest.raises(BadName):
        check_name("a/b")
    assert check_name("a") == "a"


def test_a_path_splits_into_parent_and_name():
    assert split("a/b/c") == ("a/b", "c")
    assert split("a") == ("", "a")
