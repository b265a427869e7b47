"""Which lines differ, and what that looks like as a patch."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from sessionfs.travel.lines import differing_blocks
from sessionfs.travel.unified import format_hunks, is_text, quote_path, split_lines

texts = st.lists(st.sampled_from([b"a", b"b", b"c", b""]), max_size=12)


def check(old, new):
    """Check that the blocks turn *old* into *new*, and return how many lines they hold."""
    made, old_at, new_at, count = [], 0, 0, 0
    for block in differing_blocks(old, new):
        assert block.old_start >= old_at and old[old_at : block.old_start] == new[new_at : block.new_start]
        assert old_at == 0 or block.old_start > old_at, "blocks that touch are one"
        made += [*old[old_at : block.old_start], *new[block.new_start : block.new_end]]
        old_at, new_at = block.old_end, block.new_end
        count += block.old_end - block.old_start + block.new_end - block.new_start
    assert made + old[old_at:] == new
    return count


def fewest(old, new):
    """Return how many lines the shortest way takes."""
    common = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for row, before in enumerate(old):
        for column, after in enumerate(new):
            same = common[row][column] + 1
            common[row + 1][column + 1] = (
                same if before == after else max(common[row][column + 1], common[row + 1][column])
            )
    return len(old) + len(new) - 2 * common[-1][-1]


@given(texts, texts)
def test_the_fewest_lines_are_changed(old, new):
    assert check(old, new) == fewest(old, new)


def test_large_texts_are_compared_in_bounded_time():
    numbers = [str(number) for number in range(30_000)]
    mixed = random.Random(1).sample(numbers[:5000], 5000)
    bits = random.Random(2).choices("ab", k=20_000)
    started = time.monotonic()
    assert check(numbers, [f"{line}x" if int(line) % 2 else line for line in numbers]) == 30_000
    assert check(numbers, [line for line in numbers if int(line) % 1000]) == 30
    assert check(numbers[:5000], mixed) > 0
    assert check(bits, bits[::-1]) > 0
    assert check(["same"] * 20_000, ["same"] * 19_000) == 1000
    assert time.monotonic() - started < 30  # the quadratic way takes minutes


def test_hunks_are_as_diff_writes_them():
    old = b"".join(b"%d\n" % number for number in range(1, 31))
    new = old.replace(b"\n5\n", b"\nfive\nV\n").replace(b"\n20\n", b"\n").replace(b"30\n", b"30")
    assert b"".join(format_hunks(old, new)) == (
        b"@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n+V\n 6\n 7\n 8\n"
        b"@@ -17,7 +18,6 @@\n 17\n 18\n 19\n-20\n 21\n 22\n 23\n"
        b"@@ -27,4 +27,4 @@\n 27\n 28\n 29\n-30\n+30\n\\ No newline at end of file\n"
    )
    assert b"".join(format_hunks(b"", b"a\n")) == b"@@ -0,0 +1 @@\n+a\n"
    assert b"".join(format_hunks(b"a\nb\n", b"")) == b"@@ -1,2 +0,0 @@\n-a\n-b\n"
    assert list(format_hunks(b"a\r\n", b"a\r\n")) == []


@given(st.binary(max_size=40))
def test_lines_end_at_line_feeds_alone(text):
    lines = split_lines(text)
    assert b"".join(lines) == text
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines[:-1]) and b"" not in lines


def test_what_is_text_and_how_names_are_quoted():
    assert is_text("größe\n".encode("latin-1")) and not is_text(b"PK\0\1") and is_text(b"")
    assert quote_path(b"a/", "plain name.txt") == b"a/plain name.txt"
    assert quote_path(b"a/", 'tab\t"é\udcff\n') == b'"a/tab\\t\\"\\303\\251\\377\\n"'
