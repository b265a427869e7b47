"""Which pieces new content keeps: what is planned always gives the new content, and stays within its bounds."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sessionfs.objects.joining import Known, Written, merge_small, plan, replace
from sessionfs.objects.limits import Limits
from sessionfs.objects.pieces import Piece, PieceList

BLOBS = {letter * 64: bytes([number]) * 200 for number, letter in enumerate("abcdef")}
LIMITS = Limits(tail_count=2, depth=3, small_bytes=8, near_bytes=4, piece_count=6)

pieces = st.builds(
    lambda oid, length, offset: Piece(oid, length, offset),
    st.sampled_from(list(BLOBS)),
    st.integers(1, 60),
    st.integers(0, 100),
)
bases = st.lists(pieces, min_size=1, max_size=8).map(PieceList)


def content(listed, new=b""):
    return b"".join(
        new[item.start : item.end] if isinstance(item, Written) else BLOBS[item.oid][item.start :][: item.length]
        for item in listed
    )


@st.composite
def changes(draw, size):
    """Return ranges in order that do not touch, and the new size."""
    new_size = draw(st.integers(1, size + 40))
    points = sorted(draw(st.sets(st.integers(0, min(size, new_size)), max_size=8)))
    ranges = [(start, end) for start, end in zip(points[::2], points[1::2], strict=False)]
    if new_size > size:
        ranges = [(start, end) for start, end in ranges if end < size] + [(size, new_size)]
    return ranges, new_size


@st.composite
def cases(draw):
    base = draw(bases)
    ranges, size = draw(changes(base.size))
    old = content(base.pieces)
    new = bytearray(old[:size].ljust(size, b"\0"))
    for start, end in ranges:
        new[start:end] = b"\xff" * (end - start)
    return base, ranges, size, bytes(new)


@given(cases())
def test_what_is_replaced_gives_the_new_content(case):
    base, ranges, size, new = case
    items = replace(base, ranges, size)
    assert content(items, new) == new
    assert [(item.start, item.end) for item in items if isinstance(item, Written)] == ranges


@given(cases(), st.integers(0, 70))
def test_merging_keeps_the_content_and_every_large_piece(case, below):
    base, ranges, size, new = case
    items = replace(base, ranges, size)
    merged = merge_small(items, below)
    assert content(merged, new) == new
    large = [item for item in items if isinstance(item, Piece) and item.length >= below]
    assert [item for item in merged if isinstance(item, Piece) and item.length >= below] == large
    kept = [isinstance(item, Piece) and item.length >= below for item in merged]
    assert all(one or other for one, other in pairwise(kept))


@given(cases(), st.integers(1, 3), st.booleans(), st.booleans())
def test_a_plan_gives_the_new_content_within_its_bounds(case, depth, is_listed, has_tail):
    base, ranges, size, new = case
    oid = "9" * 64
    known = Known(oid, base.size, base if is_listed else None, depth if is_listed else 0)
    tail = [Piece("f" * 64, 20)] if has_tail else []
    BLOBS[oid] = content(base.pieces)
    planned = plan(known, ranges, size, LIMITS, lambda: base, tail)
    if planned is None:
        return
    new += content(tail)  # a small tail may be merged, too
    assert content(planned.items, new) == new
    assert 1 <= planned.depth <= LIMITS.depth
    assert len(planned.items) <= LIMITS.most_pieces(size)
    names_base = any(isinstance(item, Piece) and item.oid == oid for item in planned.items)
    assert planned.depth == (known.depth + 1 if names_base else planned.depth)


def append(known, count):
    """Append one byte *count* times; return the lists there were."""
    plans = []
    for number in range(count):
        planned = plan(known, [(known.size, known.size + 1)], known.size + 1, LIMITS, lambda: None)
        plans.append(planned)
        if planned is None:
            return plans
        items = [Piece("e" * 64, 1) if isinstance(item, Written) else item for item in planned.items]
        known = Known(f"{number:064x}", known.size + 1, PieceList(items), planned.depth)
    return plans


def test_appends_extend_a_list_then_begin_another_over_it_until_they_are_too_deep():
    plans = append(Known("a" * 64, 100_000, None, 0), 20)
    assert [(len(planned.items), planned.depth) for planned in plans[:-1]] == [
        (2, 1), (3, 1), (2, 2), (3, 2), (2, 3), (3, 3),
    ]  # fmt: skip
    assert plans[-1] is None  # there was nothing to flatten


def test_at_the_turn_small_pieces_become_one():
    leaves = PieceList([Piece("a" * 64, 103), *[Piece("b" * 64, 3)] * 5])
    known = Known("9" * 64, 118, PieceList([Piece("8" * 64, 112), Piece("b" * 64, 3), Piece("b" * 64, 3)]), 3)
    planned = plan(known, [(118, 120)], 120, LIMITS, lambda: leaves)
    assert planned.items == [Piece("a" * 64, 103), Written(103, 120)]
    assert planned.depth == 1


def test_small_means_more_when_there_are_too_many():
    leaves = PieceList([Piece("a" * 64, 300), *[Piece("b" * 64, 9)] * 20])
    known = Known("9" * 64, 480, PieceList([Piece("8" * 64, 462), *[Piece("b" * 64, 9)] * 2]), 3)
    planned = plan(known, [(480, 489)], 489, LIMITS, lambda: leaves)
    assert planned.items == [Piece("a" * 64, 300), Written(300, 489)]
