"""What was renamed while nobody looked."""

from __future__ import annotations

import itertools

from sessionfs.collect.matching import compare
from sessionfs.collect.mirror import Found, Mirror, Node

times = itertools.count(1)


def file(ino: int, size: int = 3, time: int = 5) -> Found:
    return Found("file", ino, size, time, next(times), 0o644)


def directory(ino: int) -> Found:
    return Found("directory", ino, 0, 0, 0, 0o755)


def looked(listing: dict[str, Found]) -> tuple[Mirror, dict[str, Node]]:
    """Return a mirror that has taken everything in *listing*, and its nodes."""
    mirror = Mirror()
    compare(mirror, mirror.root, listing)
    for node in mirror.root.below():
        node.taken = node.found
        assert node.parent is not None
    mirror.changed.clear()
    return mirror, {path: node for path in listing if (node := mirror.find(path)) is not None}


def test_nothing_changed() -> None:
    listing = {"d": directory(1), "d/f": file(2)}
    mirror, _ = looked(listing)
    assert compare(mirror, mirror.root, listing) == []
    assert not mirror.changed and not mirror.gone


def test_a_renamed_directory_with_what_is_in_it() -> None:
    kept = file(2)
    mirror, nodes = looked({"d": directory(1), "d/f": kept, "d/g": file(3)})
    compare(mirror, mirror.root, {"e": directory(1), "e/f": kept, "e/h": file(4)})
    assert mirror.find("e") is nodes["d"] and mirror.find("e/f") is nodes["d/f"]
    assert list(mirror.gone) == [nodes["d/g"]]


def test_a_file_that_moved_out_of_a_directory_that_is_gone() -> None:
    mirror, nodes = looked({"d": directory(1), "d/f": file(2)})
    compare(mirror, mirror.root, {"f": file(2)})
    assert mirror.find("f") is nodes["d/f"]
    assert list(mirror.gone) == [nodes["d"]]


def test_a_chain_of_renames() -> None:
    """As logrotate does it."""
    mirror, nodes = looked({"log": file(1, 10), "log.1": file(2, 20)})
    compare(mirror, mirror.root, {"log": file(3, 0), "log.1": file(1, 10), "log.2": file(2, 20)})
    assert mirror.find("log.1") is nodes["log"] and mirror.find("log.2") is nodes["log.1"]
    assert mirror.find("log") not in nodes.values()


def test_a_number_that_was_given_to_something_new_is_no_rename() -> None:
    mirror, nodes = looked({"a": file(1, 3), "d": directory(2), "d/f": file(3)})
    compare(mirror, mirror.root, {"b": file(1, 4), "e": directory(2), "e/g": file(4)})
    assert not set(nodes.values()) & {mirror.find(path) for path in ("b", "e", "e/g")}


def test_a_file_that_was_replaced_is_the_same_file() -> None:
    """As editors save: another inode under the name."""
    mirror, nodes = looked({"f": file(1)})
    compare(mirror, mirror.root, {"f": file(2)})
    assert mirror.find("f") is nodes["f"] and nodes["f"] in mirror.changed


def test_another_kind_is_another_thing() -> None:
    mirror, nodes = looked({"x": file(1)})
    compare(mirror, mirror.root, {"x": directory(2)})
    assert mirror.find("x") is not nodes["x"]


def test_what_could_not_be_read_stays() -> None:
    listing = {"d": directory(1), "d/f": file(2)}
    mirror, nodes = looked(listing)
    compare(mirror, mirror.root, {"d": directory(1)}, unread=frozenset({"d"}))
    assert mirror.find("d/f") is nodes["d/f"] and not mirror.gone


def test_only_what_was_looked_into_is_compared() -> None:
    mirror, nodes = looked({"a": directory(1), "a/f": file(2), "b": file(3)})
    compare(mirror, nodes["a"], {"a/g": file(4)})
    assert mirror.find("b") is nodes["b"] and mirror.find("a/f") is None and mirror.find("a/g") is not None
