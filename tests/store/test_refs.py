"""Refs on the real disk."""

from __future__ import annotations

import threading

import pytest
from bare import Bare

from sessionfs import refs
from sessionfs.durable import Mode
from sessionfs.errors import InvalidInput

A, B = "a" * 64, "b" * 64


class Ref(Bare):
    def __init__(self, path, mode=Mode.RELAXED):
        super().__init__(path, mode)
        self.file = path / "sessions" / "s" / "r"
        self.file.parent.mkdir(exist_ok=True)

    def update(self, value, *, expected=None, actor="me", message=""):
        refs.update(
            self.disk,
            self.clock,
            self.unsynced,
            self.mode,
            str(self.file),
            value,
            actor=actor,
            expected=expected,
            message=message,
        )

    def read(self):
        return refs.read(self.disk, str(self.file))

    def history(self):
        return list(refs.history(self.disk, str(self.file)))


@pytest.fixture(params=Mode)
def ref(request, tmp_path):
    return Ref(tmp_path, request.param)


def test_a_ref_is_what_it_was_last_moved_to(ref):
    assert ref.read() is None and ref.history() == []
    ref.update(A)
    ref.update(B, actor="uid:7")
    assert ref.read() == B
    assert [(entry.value, entry.actor) for entry in ref.history()] == [(A, "me"), (B, "uid:7")]
    assert ref.file.read_text().splitlines()[1] == f"{B} 2026-11-20T22:44:01.001000000Z uid:7"


def test_a_ref_carries_a_message_in_its_line(ref):
    message = 'größer, "quoted"\nand\ttabs \u2028 \x00'
    ref.update(A, message=message)
    ref.update(B)
    assert [entry.message for entry in ref.history()] == [message, ""]
    assert refs.newest(ref.disk, str(ref.file)).value == B and ref.file.read_bytes().count(b"\n") == 2
    with pytest.raises(refs.BadMessage, match="at most 4096"):
        ref.update(A, message="x" * 4096)
    with pytest.raises(refs.BadMessage, match="Unicode"):
        ref.update(A, message="\udc80")
    assert ref.read() == B and len(ref.history()) == 2


def test_a_ref_can_be_deleted_and_made_again(ref):
    ref.update(A)
    ref.update(refs.NONE, expected=A)
    assert ref.read() is None
    ref.update(B, expected=refs.NONE)
    assert ref.read() == B


def test_a_ref_moves_only_from_what_is_expected(ref):
    with pytest.raises(refs.StaleValue, match="not at"):
        ref.update(B, expected=A)
    assert ref.read() is None
    ref.update(A, expected=refs.NONE)
    before = ref.file.read_bytes()
    for expected in (B, refs.NONE):
        with pytest.raises(refs.StaleValue, match=f"is at {A}"):
            ref.update(B, expected=expected)
    assert ref.file.read_bytes() == before


@pytest.mark.parametrize(
    "tail", [b"b", b"b" * 64 + b" 2026", b"\0" * 30, b"\0" * 30 + b"\n", b"\0\n" + b"b" * 64 + b" x y\n"]
)
def test_a_torn_tail_is_no_value_and_is_cut_off(ref, tail):
    ref.update(A)
    with open(ref.file, "ab") as file:
        file.write(tail)
    assert ref.read() == A
    ref.update(B, expected=A)
    assert ref.read() == B
    assert [entry.value for entry in ref.history()] == [A, B]
    assert ref.file.read_bytes().count(b"\n") == 2


def test_a_hole_before_good_lines_is_damage_and_nothing_is_cut_off(ref):
    for value in (A, B, A):
        ref.update(value)
    content = ref.file.read_bytes()
    holed = content[:100] + bytes(40) + content[140:]
    ref.file.write_bytes(holed)
    for work in (ref.read, ref.history, lambda: ref.update(B)):
        with pytest.raises(refs.CorruptRef, match="byte 9"):
            work()
    assert ref.file.read_bytes() == holed


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"../x 2026-11-20T22:44:01.000000000Z me\n",
        b"\n",
        b"a b c d\n",
        b"\xff\n",
        A.encode() + b" 2026-11-20T22:44:01.000000000Z me not quoted\n",
        A.encode() + b" 2026-11-20T22:44:01.000000000Z me 5\n",
    ],
)
def test_a_damaged_line_is_named(ref, line):
    ref.update(A)
    offset = ref.file.stat().st_size
    with open(ref.file, "ab") as file:
        file.write(line)
    for call in (ref.read, ref.history, lambda: ref.update(B)):
        with pytest.raises(refs.CorruptRef, match=f"damaged at byte {offset}"):
            call()


@pytest.mark.parametrize(
    ("value", "actor"), [("", "me"), ("a b", "me"), ("../x", "me"), ("a\n", "me"), (A, "a b"), (A, ""), (A, "x\n")]
)
def test_what_would_break_the_file_is_refused(ref, value, actor):
    with pytest.raises(InvalidInput):
        ref.update(value, actor=actor)
    assert not ref.file.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a b", "x" * 129, "é"])
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(refs.MalformedRefName):
        refs.check_name(name)
    assert refs.check_name("v1.0-rc_2") == "v1.0-rc_2"


def test_a_long_history_loses_nothing(tmp_path):
    ref = Ref(tmp_path)
    line = f"{A} 2026-11-20T22:44:01.000000000Z {'x' * 128}\n"
    ref.file.write_text(line * (17_000_000 // len(line)) + line.replace(A, B))
    size = ref.file.stat().st_size
    assert ref.read() == B
    ref.update(A, expected=B)
    assert ref.file.stat().st_size > size


def test_of_those_who_expect_the_same_one_succeeds(tmp_path):
    ref = Ref(tmp_path)
    outcomes = []

    def move(number):
        for step in range(20):
            try:
                ref.update(f"v{step + 1}", expected=f"v{step}" if step else refs.NONE, actor=f"t{number}")
                outcomes.append(step)
            except refs.StaleValue:
                while (ref.read() or "v0")[1:] < str(step + 1) and int((ref.read() or "v0")[1:]) <= step:
                    pass

    threads = [threading.Thread(target=move, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == list(range(20))
    assert [entry.value for entry in ref.history()] == [f"v{step + 1}" for step in range(20)]
