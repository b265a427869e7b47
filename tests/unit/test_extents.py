"""Extents against a set of numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionfs.objects.extents import Extents

changes = st.lists(
    st.tuples(st.just("add"), st.integers(0, 60), st.integers(1, 12)) | st.tuples(st.just("cut"), st.integers(0, 70)),
    max_size=25,
)


@pytest.mark.parametrize("granule", [1, 4])
@given(changes=changes, size=st.integers(0, 90))
def test_extents_are_what_was_added_and_not_cut_off(granule, changes, size):
    extents, model = Extents(granule), set()
    for change in changes:
        if change[0] == "add":
            _, start, length = change
            extents.add(start, start + length)
            end = start + length
            model.update(range(start // granule * granule, -(-end // granule) * granule))
        else:
            extents.cut(change[1])
            model = {number for number in model if number // granule * granule < change[1]}
    ranges = list(extents)
    assert {number for start, end in ranges for number in range(start, end)} == model
    assert all(end < start for (_, end), (start, _) in pairwise(ranges))
    covered = list(extents.cover(size))
    assert [number for start, end, _ in covered for number in range(start, end)] == list(range(size))
    assert {number for start, end, is_data in covered if is_data for number in range(start, end)} == {
        number for number in model if number < size
    }
