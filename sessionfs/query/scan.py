"""A query's text, read from left to right."""

from __future__ import annotations

import re
from typing import NamedTuple

from sessionfs.errors import InvalidInput

MAX_LENGTH = 8192

_SHOWN_LENGTH = 40
_SPACE = re.compile(r"\s*")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KEY = re.compile(r"[^\s\"'():=<>!.,]+")
_OPERATOR = re.compile(r"\s*(:\s*(?:>=|<=|!=|>|<|=)|:|>=|<=|!=|>|<|=)")
_QUOTES = "\"'"
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # what lies between stands for a stray byte of a name


class BadQuery(InvalidInput):
    """A query that cannot be understood.

    Attributes:
        column: Where, counted from 1.
        problem: What is wrong there.
    """

    def __init__(self, text: str, at: int, problem: str) -> None:
        rest = text[at : at + _SHOWN_LENGTH]
        near = f"before {rest + ('…' if at + _SHOWN_LENGTH < len(text) else '')!r}" if rest else "at its end"
        super().__init__(f"the query goes wrong at column {at + 1}, {near}: {problem}")
        self.column = at + 1
        self.problem = problem


def find_half(text: str) -> int | None:
    """Return where in *text* half of a surrogate pair stands, which is no character; None if there is none.

    JSON can write one, and Python keeps it; nothing in a store holds one.
    """
    found = _HALF.search(text)
    return None if found is None else found.start()


class Piece(NamedTuple):
    """A word or quoted text, and where it stands."""

    text: str
    at: int
    is_quoted: bool


class Scanner:
    """A place in a query's text."""

    def __init__(self, text: str) -> None:
        """Begin.

        Raises:
            BadQuery: It is longer than anybody writes, or no Unicode.
        """
        self.text = text
        self.at = 0
        if len(text) > MAX_LENGTH:
            raise BadQuery(text, MAX_LENGTH, f"it has {len(text)} characters, and {MAX_LENGTH} are the most")
        half = find_half(text)
        if half is not None:
            raise BadQuery(text, half, "half of a surrogate pair is no character")

    def fail(self, problem: str, at: int | None = None) -> BadQuery:
        """Return the error for what is wrong here, or at *at*."""
        return BadQuery(self.text, self.at if at is None else at, problem)

    def skip_space(self) -> None:
        """Go to the next character that is no space."""
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    @property
    def next(self) -> str:
        """The character that comes next; "" at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, sign: str) -> bool:
        """Go past *sign* if it comes next."""
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def take_word(self, word: str) -> bool:
        """Go past *word* if it comes next and ends there."""
        end = self.at + len(word)
        if not self.text.startswith(word, self.at) or not (end == len(self.text) or self.text[end] in " \t\r\n()"):
            return False
        self.at = end
        return True

    def take_field(self) -> tuple[Piece, list[str]] | None:
        """Go past a field and the keys behind it, if an operator follows: ``size``, ``meta.author."the dept"``."""
        found = _FIELD.match(self.text, self.at)
        if found is None:
            return None
        begin, keys = self.at, []
        self.at = found.end()
        while self.next == ".":
            self.at += 1
            key = self._take_key()
            if key is None:
                self.at = begin
                return None
            keys.append(key)
        if _OPERATOR.match(self.text, self.at) is None:
            self.at = begin
            return None
        return Piece(found[0], begin, False), keys

    def _take_key(self) -> str | None:
        if self.next and self.next in _QUOTES:
            return self.take_quoted().text
        found = _KEY.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def take_operator(self) -> str:
        """Go past the operator: ``:``, or a comparison without the ``:`` that may stand before it."""
        found = _OPERATOR.match(self.text, self.at)
        assert found is not None  # take_field has seen it
        self.at = found.end()
        if found[1] == ":":
            return ":"
        self.skip_space()
        return found[1].removeprefix(":").lstrip()

    def take_value(self) -> Piece:
        """Go past one value: quoted, or up to a space, a comma, or a parenthesis that was opened before it.

        Raises:
            BadQuery: There is none, or its quotes do not end.
        """
        if self.next and self.next in _QUOTES:
            return self.take_quoted()
        return self._take_bare(",")

    def take_bare_word(self) -> Piece:
        """Go past a word that stands alone."""
        return self._take_bare("")

    def take_quoted(self) -> Piece:
        r"""Go past a text in quotes; in it, ``\"`` is the quote and ``\\`` a backslash.

        Raises:
            BadQuery: The quotes do not end.
        """
        begin, quote = self.at, self.next
        parts: list[str] = []
        self.at += 1
        while (sign := self.next) != quote:
            if not sign:
                raise self.fail(f"the quote {quote} that begins here does not end", begin)
            if sign == "\\" and self.text[self.at + 1 : self.at + 2] in (quote, "\\"):
                self.at += 1
                sign = self.next
            parts.append(sign)
            self.at += 1
        self.at += 1
        return Piece("".join(parts), begin, True)

    def _take_bare(self, ends: str) -> Piece:
        begin, open_count = self.at, 0
        while (sign := self.next) and not sign.isspace() and sign not in ends:
            if sign == "(":
                open_count += 1
            elif sign == ")":
                if open_count == 0:
                    break
                open_count -= 1
            self.at += 1
        if self.at == begin:
            raise self.fail("a value is missing here")
        return Piece(self.text[begin : self.at], begin, False)
