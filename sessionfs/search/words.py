"""Words as they are written to be searched for.

words    = one { OR one }
one      = { [ "-" | NOT ] term }          all of these terms, and at least one without "-"
term     = word [ "*" ] | phrase [ "*" ]   with "*", what begins so
phrase   = '"' text '"'                    these words in this order, next to each other
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sessionfs.errors import InvalidInput
from sessionfs.search.tokens import as_fts, has_words

MAX_LENGTH = 4096
MAX_TERMS = 64

_TERM = re.compile(
    r'\s*(?:(?P<not>-|NOT\s+)?(?P<term>"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+?))(?P<star>\*?)(?=\s|"|$)|$)'
)


class BadWords(InvalidInput):
    """Words that cannot be searched for.

    Attributes:
        column: Where, counted from 1.
    """

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(f"the words go wrong at column {at + 1}: {problem}")
        self.column = at + 1


class Find(NamedTuple):
    """A word or phrase that is looked for."""

    text: str
    is_beginning: bool = False

    @property
    def match(self) -> str:
        """It as FTS5 takes it."""
        # Quotes are no letters, so nothing is lost with them.
        text = as_fts(self.text).replace('"', " ")
        return f'"{text}"' + (" *" if self.is_beginning else "")


class Words(NamedTuple):
    """Some terms that must all be there, and some that must not."""

    wanted: tuple[Find, ...]
    unwanted: tuple[Find, ...] = ()


def parse_words(text: str) -> tuple[Words, ...]:
    """Return the alternatives that *text* stands for.

    Raises:
        BadWords: It cannot be understood, or there is nothing to look for.
    """
    if len(text) > MAX_LENGTH:
        raise BadWords(MAX_LENGTH, f"there are {len(text)} characters, and {MAX_LENGTH} are the most")
    alternatives: list[Words] = []
    wanted: list[Find] = []
    unwanted: list[Find] = []
    at = count = 0
    while at < len(text):
        found = _TERM.match(text, at)
        begin = len(text) - len(text[at:].lstrip())
        if found is None:
            raise BadWords(begin, 'the quote " that begins here does not end')
        at = found.end()
        if found["term"] is None:
            break
        if found["word"] == "OR" and not found["not"]:
            alternatives.append(_alternative(wanted, unwanted, begin))
            wanted, unwanted = [], []
            continue
        term = found["phrase"] if found["phrase"] is not None else found["word"]
        if not has_words(term):
            raise BadWords(
                begin, f"{found['term']!r} has no letters or digits, and only words are indexed; see grep -F"
            )
        count += 1
        if count > MAX_TERMS:
            raise BadWords(begin, f"there are more than {MAX_TERMS} words")
        (unwanted if found["not"] else wanted).append(Find(term, bool(found["star"])))
    alternatives.append(_alternative(wanted, unwanted, len(text)))
    return tuple(alternatives)


def _alternative(wanted: list[Find], unwanted: list[Find], at: int) -> Words:
    if not wanted:
        raise BadWords(at, "a word is missing here that is to be found")
    return Words(tuple(wanted), tuple(unwanted))
