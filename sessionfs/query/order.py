"""Sorting what was found, and going on where a page ended.

Equal ones are sorted by session and path, so that an order is always the same. A cursor is the place of the last one
that was given: what is added or removed before it meanwhile shifts nothing.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from sessionfs.errors import InvalidInput
from sessionfs.query.terms import Subject

SORTS: dict[Subject, dict[str, type[int] | type[str]]] = {
    Subject.ARTIFACTS: {
        "created": int,
        "updated": int,
        "modified": int,
        "size": int,
        "name": str,
        "path": str,
        "type": str,
        "session": str,
    },
    Subject.SESSIONS: {
        "created": int,
        "updated": int,
        "size": int,
        "artifacts": int,
        "events": int,
        "name": str,
        "status": str,
        "id": str,
    },
}
"""What can be sorted by, and what that is."""

Place = tuple[int | str, ...]
"""Where something stands in an order: the value sorted by, then what tells equal ones apart."""

_TIES: dict[Subject, tuple[type[int] | type[str], ...]] = {
    Subject.ARTIFACTS: (str, str, int, int, int),  # session, path, numbers of record and version, number in the index
    Subject.SESSIONS: (str,),  # id
}


class BadOrder(InvalidInput):
    """Something that cannot be sorted by, or a number that counts nothing."""


class BadCursor(InvalidInput):
    """A text that is no cursor, or one of another order."""


class Order(msgspec.Struct, frozen=True):
    """By what is sorted."""

    key: str = "created"
    reverse: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of what was found is wanted, in which order."""

    order: Order = Order()
    offset: int = 0
    limit: int | None = None
    after: Place | None = None  # only what comes after this place


def make_page(
    subject: Subject,
    *,
    sort: str = "created",
    reverse: bool = False,
    offset: int = 0,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page:
    """Return the page that is asked for.

    Args:
        cursor: What :func:`format_cursor` gave for the end of another page.

    Raises:
        BadOrder: There is nothing to sort by that is called so, or *offset* or *limit* is no count.
        BadCursor: It is none, or of another order.
    """
    if sort not in SORTS[subject]:
        raise BadOrder(f"{subject.value} cannot be sorted by {sort!r}; these are possible: {', '.join(SORTS[subject])}")
    check_count("offset", offset)
    check_count("limit", limit)
    order = Order(sort, reverse)
    after = None if cursor is None else _parse_cursor(cursor, subject, order)
    return Page(order=order, offset=offset, limit=limit, after=after)


def check_count(name: str, number: Any) -> None:
    """Check that *number* counts something, or is None.

    Raises:
        BadOrder: It does not; the message calls it *name*.
    """
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 62):
        raise BadOrder(f"{name} is {number!r}; a whole number of 0 or more is needed")


def format_cursor(order: Order, place: Place) -> str:
    """Return the cursor that goes on after *place*."""
    text = msgspec.json.encode([order.key, order.reverse, *place])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _parse_cursor(cursor: str, subject: Subject, order: Order) -> Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found: Any = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as failure:
        raise BadCursor(f"{cursor[:80]!r} is no cursor: give what an earlier page ended with") from failure
    if not isinstance(found, list) or found[:2] != [order.key, order.reverse]:
        raise BadCursor("the cursor is of another order; give the same sort and reverse as for the page that it ended")
    kinds = (SORTS[subject][order.key], *_TIES[subject])
    place = tuple(found[2:])
    if tuple(map(type, place)) != kinds:
        raise BadCursor(f"{cursor[:80]!r} is no cursor for {subject.value}: give what an earlier page ended with")
    return place
