import pytest
from blake3 import blake3

from sessionfs.oid import THREADED_BYTES, Hasher, hash_bytes, is_oid, is_oid_prefix

# Of the BLAKE3 paper's test vectors.
EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_the_name_of_nothing_is_the_published_one():
    assert hash_bytes(b"") == EMPTY


@pytest.mark.parametrize("size", [1, 1024, THREADED_BYTES - 1, THREADED_BYTES, THREADED_BYTES + 1])
def test_threads_and_pieces_change_nothing(size):
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    hasher = Hasher()
    for start in range(0, size, 1_000_000):
        hasher.update(data[start : start + 1_000_000])
    assert hash_bytes(data) == hash_bytes(memoryview(data)) == hasher.oid() == blake3(data).hexdigest()


def test_a_hasher_goes_on_after_it_was_asked():
    hasher = Hasher()
    assert hasher.oid() == EMPTY
    hasher.update(b"x")
    assert hasher.oid() == hash_bytes(b"x")


@pytest.mark.parametrize("text", ["", EMPTY[:-1], EMPTY + "0", EMPTY.upper(), EMPTY + "\n", "../" + EMPTY[3:]])
def test_what_is_no_oid(text):
    assert not is_oid(text)


def test_what_is_an_oid():
    assert is_oid(EMPTY)


def test_a_prefix_has_at_least_four_digits():
    assert [is_oid_prefix(text) for text in ("abc", "abcd", EMPTY, EMPTY + "0", "abcg", "ABCD")] == [
        False, True, True, False, False, False,
    ]  # fmt: skip
