import pytest

from sessionfs.sessions import BadField, BadSessionId, check_id, check_metadata, check_name, check_tags, uuid7


@pytest.mark.parametrize("session_id", ["a", "9", "A.b_c-d", "x" * 128])
def test_a_slug_is_an_id(session_id):
    assert check_id(session_id) == session_id


@pytest.mark.parametrize(
    "session_id", ["", ".", "..", "-a", "_a", ".a", "a/b", "../a", "a b", "a\n", "é", "x" * 129, "a\0", None, 5, b"a"]
)
def test_nothing_that_could_be_another_path_is_an_id(session_id):
    with pytest.raises(BadSessionId):
        check_id(session_id)


def test_a_uuid7_holds_its_time_and_its_version():
    moment_ns = 1_795_214_641_123_000_000
    first, second = uuid7(lambda: moment_ns), uuid7(lambda: moment_ns)
    assert first != second
    assert int(first[:8] + first[9:13], 16) == moment_ns // 1_000_000
    assert first[14] == "7" and first[19] in "89ab"
    assert [len(part) for part in first.split("-")] == [8, 4, 4, 4, 12]
    assert uuid7(lambda: moment_ns + 1_000_000) > max(first, second)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 501, 5, b"a", "\udc80", "\x07"])
def test_a_name_is_printable_text(name):
    with pytest.raises(BadField):
        check_name(name)


def test_names_may_be_missing_or_in_any_language():
    assert check_name(None) is None
    assert check_name("Größe 数据") == "Größe 数据"


@pytest.mark.parametrize(
    "tags", ["text", ["a,b"], ["a/b"], [""], [" "], [5], ["."], [".."], ["a\nb"], ["é" * 128], 5, None]
)
def test_a_tag_is_also_a_files_name_and_part_of_a_list(tags):
    with pytest.raises(BadField):
        check_tags(tags)


def test_tags_keep_their_order_and_come_once():
    assert check_tags(["b", "a", "b"]) == ("b", "a")
    assert check_tags(tag for tag in ("x", "y")) == ("x", "y")


@pytest.mark.parametrize(
    "metadata", [None, [], "a", {"": 1}, {1: 2}, {"a": object()}, {"a": float("nan")}, {"a": "\udc80"}]
)
def test_metadata_is_a_mapping_that_json_can_hold(metadata):
    with pytest.raises(BadField):
        check_metadata(metadata)


def test_metadata_is_copied_as_plain_values():
    given = {"a": (1, 2), "b": {"c": None}}
    assert check_metadata(given) == {"a": [1, 2], "b": {"c": None}}


def test_metadata_that_contains_itself_is_refused():
    endless = {}
    endless["a"] = endless
    with pytest.raises(BadField):
        check_metadata(endless)
