import itertools

import pytest

from sessionfs.errors import Conflict, InvalidInput
from sessionfs.sessions import STATUS_AFTER, TRANSITIONS, Status, parse_status, transition

# DESIGN section 5, row by row.
POSSIBLE = {
    ("active", "suspended"): "session.suspended",
    ("active", "completed"): "session.completed",
    ("active", "failed"): "session.failed",
    ("suspended", "active"): "session.resumed",
    ("suspended", "completed"): "session.completed",
    ("suspended", "failed"): "session.failed",
    ("completed", "archived"): "session.archived",
    ("failed", "archived"): "session.archived",
}


@pytest.mark.parametrize(("current", "new"), list(itertools.product(Status, Status)))
def test_the_table_is_the_designs(current, new):
    event = POSSIBLE.get((current.value, new.value))
    if event is not None:
        assert transition("s", current, new) == event
        assert STATUS_AFTER[event] is new
        return
    with pytest.raises(Conflict) as failure:
        transition("s", current, new)
    assert current.value in str(failure.value) and new.value in str(failure.value)


def test_every_status_has_its_row():
    assert set(TRANSITIONS) == set(Status)


def test_a_word_that_is_no_status_is_refused_with_those_that_are():
    assert parse_status("failed") is Status.FAILED
    for word in ("Active", "done", "", "active "):
        with pytest.raises(InvalidInput, match="active, suspended, completed, failed, archived"):
            parse_status(word)
