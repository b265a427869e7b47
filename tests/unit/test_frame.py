import random

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.objects.frame import (
    BLOCK_BYTES,
    END_MARK,
    FrameReader,
    MalformedFrame,
    encode,
    header,
    parse_header,
    shrink_block,
    stored_block,
)

NOISE = random.Random(7).randbytes(BLOCK_BYTES)


def reader_of(data):
    return FrameReader(lambda length, offset: data[offset : offset + length])


def content_of(data):
    reader = reader_of(data)
    content = b"".join(reader.block(index) for index in range(reader.block_count))
    reader.verify_end()
    return content


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"abc" * 10_000,
        bytes(BLOCK_BYTES),
        bytes(BLOCK_BYTES + 1),
        NOISE,
        NOISE + bytes(BLOCK_BYTES) + NOISE[:100],
        bytes(5 * BLOCK_BYTES - 1),
    ],
    ids=len,
)
def test_a_frame_is_read_by_us_and_by_the_library(content):
    framed = encode(content)
    assert content_of(framed) == content
    assert lz4.frame.decompress(framed) == content


@given(st.integers(1, 1 << 60))
def test_a_header_names_its_size(size):
    assert parse_header(header(size)) == size


def test_blocks_are_read_in_any_order():
    content = b"".join(bytes([number]) * BLOCK_BYTES for number in range(4))
    reader = reader_of(encode(content))
    for index in (3, 0, 2, 1, 3):
        assert reader.block(index) == bytes([index]) * BLOCK_BYTES


def test_noise_is_stored_and_text_is_shrunk():
    assert shrink_block(NOISE) is None
    assert shrink_block(NOISE[:1000]) is None
    assert len(shrink_block(bytes(1000))) < 100
    assert stored_block(b"abc") == b"\x03\0\0\x80abc"


def test_every_cut_is_noticed():
    content = NOISE[:3000] + bytes(300)
    framed = encode(content)
    for length in range(len(framed)):
        with pytest.raises(MalformedFrame):
            content_of(framed[:length])
    with pytest.raises(MalformedFrame):
        content_of(framed + b"\0")


def test_every_damaged_byte_of_the_framing_is_noticed_or_gives_other_content():
    content = bytes(range(256)) * 100
    framed = encode(content)
    for place in (*range(19), *range(len(framed) - 4, len(framed))):
        damaged = bytearray(framed)
        damaged[place] ^= 0x21
        try:
            assert content_of(bytes(damaged)) != content, place
        except MalformedFrame:
            continue


@pytest.mark.parametrize("flags", [b"\x44", b"\x60", b"\x6c"])
def test_other_options_of_the_format_are_refused(flags):
    with pytest.raises(MalformedFrame, match="other options"):
        parse_header(header(10)[:4] + flags + header(10)[5:])


def test_a_frame_of_another_tool_is_refused():
    with pytest.raises(MalformedFrame):
        content_of(lz4.frame.compress(b"x" * 1000, block_linked=True))
    assert encode(b"x").endswith(END_MARK)
