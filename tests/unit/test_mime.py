import pytest

from sessionfs.artifacts.mime import SNIFFED_BYTES, UNKNOWN, guess_by_content, guess_by_name, guess_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "text/plain"),
        ("A.JSON", "application/json"),
        ("x.tar.gz", "application/gzip"),
        ("report.md", "text/markdown"),
        ("m.safetensors", "application/x-safetensors"),
        ("noending", None),
        (".bashrc", None),
        ("a.unheard-of", None),
        ("a.", None),
    ],
)
def test_a_name_says_what_it_is(name, expected):
    assert guess_by_name(name) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"%PDF-1.7", "application/pdf"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"#!/bin/sh\n", "text/x-script"),
        (b"plain words", "text/plain"),
        ("été".encode(), "text/plain"),
        (("x" * (SNIFFED_BYTES - 1) + "é").encode()[:SNIFFED_BYTES], "text/plain"),  # ends inside a character
        (b"caf\xe9 is not UTF-8", UNKNOWN),
        (b"a\0b", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_content_says_what_it_is(head, expected):
    assert guess_by_content(head) == expected


@pytest.mark.parametrize(
    ("mime_type", "expected"),
    [
        ("text/x-python", "code"),
        ("text/csv", "data"),
        ("image/anything", "image"),
        ("video/mp4", "video"),
        ("application/pdf", "document"),
        (UNKNOWN, "data"),
    ],
)
def test_a_type_goes_with_a_mime_type(mime_type, expected):
    assert guess_type(mime_type) == expected
