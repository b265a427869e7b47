"""What is seen of content: text, JSON, bytes, pictures; of anything, with nothing in it that drives a terminal."""

from __future__ import annotations

import io
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sessionfs.shown import unmistakable
from sessionfs.ui.content import Content, content_of
from sessionfs.ui.picture import read_picture


def text(content: Content) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in content.lines]


def seen(data: bytes, name: str = "x", mime_type: str = "application/octet-stream", size: int | None = None) -> Content:
    return content_of(data, len(data) if size is None else size, name=name, mime_type=mime_type)


def test_code_is_coloured_and_as_it_is():
    code = b'# hi\ndef f(x):\n\treturn "s" + 1\n\n\n'
    content = seen(code, "f.py", "text/x-python")
    assert text(content) == ["# hi", "def f(x):", '    return "s" + 1', "", ""]
    roles = {piece.strip(): role for line in content.lines for piece, role in line}
    assert (roles["# hi"], roles["def"], roles["f"], roles["1"]) == ("comment", "keyword", "name", "number")
    assert content.note == f"{len(code)} B"


def test_json_is_put_in_order_when_it_is_whole():
    assert text(seen(b'{"b":[1,2],"a":null}', "x.json", "application/json")) == [
        "{", '  "b": [', "    1,", "    2", "  ],", '  "a": null', "}",
    ]  # fmt: skip
    broken = seen(b'{"b":[1,2', "x.json", "application/json")
    assert text(broken) == ['{"b":[1,2'] and "not JSON" in broken.note
    part = seen(b'{"b":[1,2', "x.json", "application/json", size=100)
    assert part.note == "the first 9 B of 100 B"


def test_what_is_no_text_is_shown_as_bytes():
    content = seen(bytes(range(40)))
    assert text(content)[0] == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ················"
    assert len(content.lines) == 3 and content.note == "bytes, 40 B"
    assert text(seen(b"\x80\x81\x82\x83 no text"))[0].startswith("00000000  80 81")


def test_other_texts():
    assert text(seen("\ufeffÜ".encode())) == ["Ü"]
    assert text(seen("Ü\r\nb\r\n".encode("utf-16"))) == ["Ü", "b"]
    assert text(seen(b"mostly text, and one stray \xff byte")) == ["mostly text, and one stray \\xff byte"]
    assert text(seen("aé".encode()[:-1], size=3)) == ["a"]  # cut through a character
    assert seen(b"").note == "empty"


def test_a_long_line_is_cut_and_not_coloured():
    line = text(seen(b"x = " + b"1" * 100_000 + b"\ny = 2\n", "x.py"))
    assert len(line) == 2 and len(line[0]) < 3000 and line[0].endswith("…")


@settings(max_examples=60)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))),
       name=st.sampled_from(["a", "a.py", "a.json", "a.md", "a.html", "a.sh"]))  # fmt: skip
def test_nothing_of_it_drives_a_terminal(data, name):
    for line in text(seen(data, name)):
        assert line == unmistakable(line)


def png(width: int, height: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), "red" if mode == "RGB" else 0).save(file, "PNG")
    return file.getvalue()


def test_a_picture_fits_its_place_and_keeps_its_shape():
    picture = read_picture(png(320, 200))
    assert not isinstance(picture, str) and picture.about == "PNG 320 x 200"
    assert picture.fit(80, 24) == (77, 24)
    assert picture.fit(16, 100) == (16, 5)
    rows = picture.draw(16, 5, (0, 0, 0))
    assert (len(rows), len(rows[0]), rows[0][0]) == (5, 16, ((255, 0, 0), (255, 0, 0)))
    clear = read_picture(png(4, 4, "RGBA"))
    assert not isinstance(clear, str) and clear.draw(2, 1, (1, 2, 3))[0][0] == ((1, 2, 3), (1, 2, 3))


def test_what_is_no_picture_says_why(monkeypatch):
    assert "not a picture" in str(read_picture(b"\x89PNG\r\n\x1a\n" + b"garbage" * 20))
    assert "not a picture" in str(read_picture(png(50, 50)[:80]))
    bomb = bytearray(png(1, 1))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    assert "60000 x 60000: too large" in str(read_picture(bytes(bomb)))
    small = png(1, 1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install 'sessionfs[ui]'" in str(read_picture(small))


@pytest.mark.parametrize("form", ["JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_other_forms_of_pictures(form):
    file = io.BytesIO()
    Image.new("RGB", (1000, 500), "blue").save(file, form)
    picture = read_picture(file.getvalue())
    assert not isinstance(picture, str) and picture.about == f"{form} 1000 x 500"
    (row,) = picture.draw(2, 1, (0, 0, 0))
    assert row[0][0][2] > 200
