"""What the log says of a directory that is collected: written, read again, and after a crash."""

from __future__ import annotations

import cProfile

import msgspec

from sessionfs.collect.mirror import Found
from sessionfs.collect.remembered import (
    Collected,
    Entry,
    Known,
    Moved,
    Source,
    describe,
    follow_records,
    in_order,
    recall,
)

SOURCE = Source("/work", "src")


def entry(ino: int, kind: str = "file") -> Entry:
    found = Found(kind, ino, *((0, 0, 0) if kind == "directory" else (5, 6, 7)), 0o644)
    return Entry(kind, found, found)


def known_after(*said: Collected) -> Known:
    newest_first = [(seq, msgspec.json.encode(one)) for seq, one in enumerate(said)][::-1]
    return in_order(recall(SOURCE, newest_first).known)


def say(entries: Known | None = None, moved: Moved | None = None, *, whole: bool = False) -> Collected:
    return describe(SOURCE, entries or {}, moved, whole=whole)


END = say({}, whole=False)  # nothing after it is finished, everything before is


def test_what_was_said_comes_back() -> None:
    entries = {"d": entry(1, "directory"), "d/f": entry(2), "l": entry(3, "symlink"), "odd\udcff\\": entry(4)}
    assert known_after(say(entries, whole=True)) == entries
    assert known_after(say(entries), END) == entries


def test_what_is_not_sure_stays_so() -> None:
    hint = entry(1).found
    entries = {"a": Entry("file", None, hint), "b": Entry("file")}
    assert known_after(say(entries, whole=True)) == entries


def test_moves_are_made_at_once() -> None:
    begin = say({"a": entry(1, "directory"), "a/x": entry(2), "a/y": entry(3), "b": entry(4), "c": entry(5)})
    moves: Moved = {"a": "b", "b": "a", "a/y": "y", "c": None}
    assert known_after(begin, say({}, moves), END) == {
        "a": entry(4), "b": entry(1, "directory"), "b/x": entry(2), "y": entry(3)
    }  # fmt: skip


def test_what_takes_the_place_of_what_is_gone() -> None:
    assert known_after(say({"a": entry(1)}), say({"a": entry(2)}, {"a": None}), END) == {"a": entry(2)}


def test_nothing_before_the_whole_counts_and_other_directories_do_not() -> None:
    other = describe(Source("/other", "src"), {"x": entry(9)}, whole=True)
    assert known_after(say({"old": entry(1)}), say({"a": entry(2)}, whole=True), other, END) == {"a": entry(2)}


def test_what_somebody_else_recorded_is_passed_over() -> None:
    odd = [(2, b'{"entries": 3}'), (1, b"[]"), (0, msgspec.json.encode(say({"a": entry(1)}, whole=True)))]
    assert recall(SOURCE, odd).known == {"a": entry(1)}


def test_the_last_one_may_not_have_been_done() -> None:
    last = say({"new": entry(7), "b": entry(8)}, {"a": "b", "b": None})
    recalled = recall(SOURCE, [(3, msgspec.json.encode(last)), (2, msgspec.json.encode(say({"a": entry(1)})))])
    assert recalled.known == {"a": entry(1)}
    assert recalled.unfinished == (3, last)
    assert recalled.weight == 5


def records(*changes: tuple[str, dict[str, object]]) -> list[tuple[str, bytes]]:
    return [(f"artifact.{type}", msgspec.json.encode(data)) for type, data in changes]


def test_what_was_done_of_it_is_in_its_records() -> None:
    known = {"a": entry(1, "directory"), "a/x": entry(2), "b": entry(3), "z": entry(4)}
    said = say({"new": entry(7), "z": entry(8)}, {"a": "c", "b": None, "a/x": None})
    done = records(
        ("renamed", {"path": "src/a", "to": "src/c"}),
        ("deleted", {"path": "src/b"}),
        ("stored", {"path": "src/new", "oid": "0", "size": 5}),
    )
    assert follow_records(known, SOURCE, said, done) == {
        "c": entry(1, "directory"),
        "c/x": entry(2),
        "z": Entry("file", None, entry(4).found),  # it may be what it was, or what was said
        "new": Entry("file", None, entry(7).found),
    }


def test_directories_above_are_none_of_ours() -> None:
    source = Source("/work", "in/src")
    above = records(*(("stored", {"path": path, "kind": "directory"}) for path in ("in", "in/src", "in/src/d")))
    assert follow_records({}, source, describe(source, {}), above) == {"d": Entry("directory")}


def test_following_many_takes_steps_for_each_and_not_for_each_pair() -> None:
    count = 300
    known = {f"f{number}": entry(number) for number in range(count)}
    done = records(*(("deleted", {"path": f"src/f{number}"}) for number in range(count)))
    said = [(seq, msgspec.json.encode(say({}, {f"f{seq}": None}))) for seq in range(count)]
    begin = (-1, msgspec.json.encode(say(known)))
    with cProfile.Profile() as profile:
        assert follow_records(known, SOURCE, say({}), done) == {}
        assert recall(SOURCE, [(count, msgspec.json.encode(END)), *reversed(said), begin]).known == {}
    assert sum(called.callcount for called in profile.getstats()) < 100 * count


def test_exchanges() -> None:
    known = {"a": entry(1), "b": entry(2)}
    done = records(("renamed", {"path": "src/a", "to": "src/b", "exchange": True}))
    assert follow_records(known, SOURCE, say({}, {"a": "b", "b": "a"}), done) == {"a": entry(2), "b": entry(1)}
