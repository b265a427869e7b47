"""Which columns of the browser's tables fit, and how wide they are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sessionfs.ui.columns import GAP, Column, fit
from sessionfs.ui.rows import ArtifactRows, EventRows, SessionRows

_COLUMN = st.builds(
    lambda least, more, open, rank, wish: Column("x", least, 0 if open else least + more, rank=rank, wish=wish),
    st.integers(1, 30), st.integers(0, 30), st.booleans(), st.integers(0, 3), st.integers(0, 40),
)  # fmt: skip


@settings(max_examples=100)
@given(columns=st.lists(_COLUMN, min_size=1, max_size=6), width=st.integers(1, 200))
def test_what_is_shown_fits_and_has_what_it_needs(columns, width):
    widths = fit(columns, width)
    shown = [index for index, cells in enumerate(widths) if cells]
    assert shown
    assert len(shown) == 1 or sum(widths) + GAP * (len(shown) - 1) <= width
    for index in shown:
        assert len(shown) == 1 or widths[index] >= columns[index].least
    if any(not columns[index].most for index in shown):
        assert len(shown) == 1 or sum(widths) + GAP * (len(shown) - 1) == width


def test_what_matters_most_is_shown_in_a_narrow_place():
    assert [bool(cells) for cells in fit(SessionRows.columns, 28)] == [True, True, False, False, False, False]
    assert [bool(cells) for cells in fit(ArtifactRows.columns, 48)] == [True, False, True, False, False, False]
    assert all(fit(ArtifactRows.columns, 120))
    assert fit(EventRows.columns, 48)[1] == 0
    assert fit(SessionRows.columns, 1) == [0, 1, 0, 0, 0, 0] or sum(fit(SessionRows.columns, 1)) == 1
