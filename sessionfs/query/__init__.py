"""Queries: which artifacts or sessions are meant, as text and as values. Pure: what answers them is the index.

``terms``      a query as a value: terms joined by and, or, not
``fields``     what artifacts and sessions can be asked for
``globs``      patterns for names, paths and other texts
``values``     times, sizes, numbers and ids, as they are written
``scan``       a query's text, from left to right
``parse``      from text to value
``arguments``  from the keywords of Python's ``find`` to value
``order``      sorting, and going on where a page ended
``flat``       metadata as keys with dots and plain values

The grammar, for people, is in ``sessionfs/docs/query.md``.
"""

from sessionfs.query.arguments import artifact_query, session_query
from sessionfs.query.order import BadCursor, BadOrder, Order, Page
from sessionfs.query.parse import parse_query
from sessionfs.query.scan import BadQuery
from sessionfs.query.terms import Query, Subject

__all__ = [
    "BadCursor",
    "BadOrder",
    "BadQuery",
    "Order",
    "Page",
    "Query",
    "Subject",
    "artifact_query",
    "parse_query",
    "session_query",
]
