"""Lists of pieces: their text, and which piece a byte lies in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.objects.pieces import MalformedPieces, Piece, PieceList, encode, parse

A, B = "a" * 64, "b" * 64

pieces = st.builds(
    Piece,
    st.sampled_from([A, B, "0123456789abcdef" * 4]),
    st.integers(1, 1 << 40) | st.integers(1, 20),
    st.none() | st.integers(0, 1 << 40),
)
lists = st.lists(pieces, min_size=1, max_size=8)


@given(lists)
def test_what_is_written_is_read(listed):
    assert parse(encode(listed)).pieces == tuple(listed)


def test_the_text_is_canonical_json():
    assert encode([Piece(A, 10), Piece(B, 5, 0), Piece(B, 7, 99)]) == (
        b'[["' + A.encode() + b'",10],["' + B.encode() + b'",5,0],["' + B.encode() + b'",7,99]]'
    )


GOOD = encode([Piece(A, 10), Piece(B, 5, 7)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD.replace(b",", b", "),
        GOOD.replace(b"a", b"A"),
        GOOD.replace(b"10", b"010"),
        GOOD.replace(b"10", b"0"),
        GOOD.replace(b"10", b"-1"),
        GOOD.replace(b"10", b"1.0"),
        GOOD.replace(b"10", b"1" + b"0" * 30),
        GOOD.replace(b",7]", b",07]"),
        GOOD.replace(b",7]", b",7,1]"),
        GOOD.replace(b'["a', b'["aa'),
        b"[" + GOOD + b"]",
        bytes(len(GOOD)),
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(MalformedPieces):
        parse(data)


@given(st.lists(st.tuples(st.integers(1, 9), st.none() | st.integers(0, 9)), min_size=1, max_size=6), st.data())
def test_any_part_of_a_list_is_found(shape, data):
    content = bytes(range(30))
    listed = PieceList([Piece(A, length, offset) for length, offset in shape])
    whole = b"".join(content[offset or 0 :][:length] for length, offset in shape)
    assert listed.size == len(whole) and len(listed) == len(shape)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole) + 5))
    parts = list(listed.between(start, end))
    assert b"".join(content[part.start :][: part.length] for part in parts) == whole[start:end]
    for piece, begin, stop in listed.overlapping(start, end):
        assert 0 <= begin < stop <= piece.length


def test_a_whole_piece_stays_whole_and_a_part_says_where_it_is():
    listed = PieceList([Piece(A, 10), Piece(B, 5, 7)])
    assert list(listed.between(0, 15)) == [Piece(A, 10), Piece(B, 5, 7)]
    assert list(listed.between(0, 9)) == [Piece(A, 9, 0)]
    assert list(listed.between(9, 12)) == [Piece(A, 1, 9), Piece(B, 2, 7)]
    assert Piece(A, 10).fits(10) and not Piece(A, 10).fits(11)
    assert Piece(B, 5, 7).fits(12) and not Piece(B, 5, 7).fits(11)
