import msgspec
import pytest

from sessionfs.sessions import SORT_KEYS, BadFilter, Filter, SessionInfo, Status, arrange


def make_info(id, **fields):
    usual = {
        "name": None,
        "description": None,
        "tags": (),
        "metadata": {},
        "parent": None,
        "status": Status.ACTIVE,
        "reason": None,
        "created_by": "me",
        **dict.fromkeys(("created_ns", "updated_ns", "started_ns", "artifact_count", "size", "stored_size"), 0),
        "ended_ns": None,
        "event_count": 1,
        "state_count": 0,
        "damage": None,
    }
    return SessionInfo(id=id, **{**usual, **fields})


ONE = make_info("one", name="Quarterly Report", tags=("a", "b"), created_ns=10, size=5)
TWO = make_info("two", description="a REPORT too", tags=("a",), created_ns=20, status=Status.FAILED, parent="one")
THREE = make_info("three", created_by="you", created_ns=30, size=5)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "one two three"),
        ({"status": (Status.FAILED, Status.ARCHIVED)}, "two"),
        ({"status": ()}, ""),
        ({"tags": ("a",)}, "one two"),
        ({"tags": ("b", "a")}, "one"),
        ({"parent": "one"}, "two"),
        ({"created_by": "you"}, "three"),
        ({"created_after_ns": 10}, "two three"),
        ({"created_before_ns": 30}, "one two"),
        ({"text": "report"}, "one two"),
        ({"text": "nothing"}, ""),
        ({"text": "report", "tags": ("b",)}, "one"),
    ],
)
def test_a_filter_keeps_what_fits_all_of_it(wanted, expected):
    assert [info.id for info in (ONE, TWO, THREE) if Filter(**wanted).matches(info)] == expected.split()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "one two three"),
        ({"reverse": True}, "three two one"),
        ({"sort": "id"}, "one three two"),
        ({"sort": "size"}, "two one three"),
        ({"sort": "name"}, "three two one"),
        ({"offset": 1, "limit": 1}, "two"),
        ({"offset": 5}, ""),
        ({"limit": 0}, ""),
    ],
)
def test_lists_are_sorted_and_cut(arguments, expected):
    assert [info.id for info in arrange([TWO, THREE, ONE], **arguments)] == expected.split()


def test_every_sort_key_sorts_every_session():
    for key in SORT_KEYS:
        assert len(arrange([ONE, TWO, THREE], sort=key)) == 3


@pytest.mark.parametrize("arguments", [{"sort": "colour"}, {"offset": -1}, {"limit": -1}])
def test_an_impossible_list_is_refused(arguments):
    with pytest.raises(BadFilter):
        arrange([ONE], **arguments)


def test_a_session_is_ready_for_json():
    plain = msgspec.json.decode(msgspec.json.encode(TWO.to_dict()))
    assert plain["status"] == "failed" and plain["tags"] == ["a"]
    assert plain["created_at"] == "1970-01-01T00:00:00.000000020Z" and plain["ended_at"] is None
    assert not any(key.endswith("_ns") for key in plain)
