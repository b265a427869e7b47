"""Sessions as trees: deep ones, and what should not be."""

from __future__ import annotations

from sessionfs.analytics.family import arrange


def row(session_id, parent, at=0):
    return (session_id, None, "active", parent, at, 0, 0, 1, None)


def test_a_chain_is_deeper_than_pythons_stack():
    chain = [row(str(number), str(number - 1)) for number in range(5000)]
    assert [(one.id, one.depth) for one in arrange(chain)] == [(str(number), number) for number in range(5000)]


def test_children_are_in_their_order():
    members = list(arrange([row("root", None), row("b", "root", 1), row("a", "root", 2), row("c", "b", 3)]))
    assert [(one.id, one.depth, one.is_last) for one in members] == [
        ("root", 0, True), ("b", 1, False), ("c", 2, True), ("a", 1, True),
    ]  # fmt: skip


def test_circles_are_shown_once():
    members = list(arrange([row("a", "c"), row("b", "a"), row("c", "b"), row("own", "own"), row("lone", "gone")]))
    assert [(one.id, one.depth) for one in members] == [("lone", 0), ("a", 0), ("b", 1), ("c", 2), ("own", 0)]
    assert [one.id for one in arrange([row("a", "c"), row("b", "a"), row("c", "b")], root="b")] == ["b", "c", "a"]
