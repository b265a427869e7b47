"""From a query's text to its value.

Grammar, where words in capitals are as they stand::

    query  = [ or ]                                      nothing: everything
    or     = and { OR and }
    and    = not { [ AND ] not }
    not    = { "-" | NOT } one
    one    = "(" or ")" | field operator values | "has:(" or ")" | "session:(" or ")" | word
    field  = NAME { "." key }                            meta.dept, session.tag, session.meta."the dept"
    operator = ":" [ comparison ] | comparison           no space behind ":"; comparison = "=" "!=" "<" "<=" ">" ">="
    values = value { "," value }                         any of them; only with ":", "=" and "!="
    value  = text | text ".." text | quoted              a..b, a.., ..b: from, up to, both included
    word   = text | quoted                               in the name or description; with * ? [ a pattern of the name
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from sessionfs.clock import system_clock
from sessionfs.query import values
from sessionfs.query.fields import ALIASES, CHOICES, FIELDS, FOLDED, WORDS, Value
from sessionfs.query.globs import Glob, Style
from sessionfs.query.scan import BadQuery, Piece, Scanner
from sessionfs.query.terms import (
    HasArtifact,
    HasText,
    Meta,
    MetaMatches,
    MetaWithin,
    Not,
    OfSession,
    OidIs,
    Query,
    Subject,
    Term,
    TextIs,
    TextMatches,
    Within,
    all_of,
    any_of,
)

_MAX_DEPTH = 50
_MAX_TERMS = 300

_ONLY_ARTIFACTS = "only artifacts have versions"
_VERSIONS = ("live", "all")
_SPECIAL = re.compile(r"[*?\[]")

_Read = TypeVar("_Read")


def parse_query(text: str, subject: Subject = Subject.ARTIFACTS, *, now_ns: int | None = None) -> Query:
    """Return the query that *text* is.

    Args:
        subject: What it is about.
        now_ns: What ages count from; now by default.

    Raises:
        BadQuery: It is none; the message says at which column, and what could stand there.
    """
    parser = _Parser(text, system_clock() if now_ns is None else now_ns)
    where = parser.parse(subject)
    if parser.versions is not None and subject is not Subject.ARTIFACTS:
        raise parser.fail(_ONLY_ARTIFACTS, parser.versions[1])
    return Query(subject=subject, where=where, versions=parser.versions is not None and parser.versions[0])


class _Parser:
    """One parse."""

    def __init__(self, text: str, now_ns: int) -> None:
        self.versions: tuple[bool, int] | None = None  # what versions: says, and where
        self._scanner = Scanner(text)
        self._now_ns = now_ns
        self._depth = 0
        self._terms = 0

    def fail(self, problem: str, at: int | None = None) -> BadQuery:
        return self._scanner.fail(problem, at)

    # Structure

    def parse(self, subject: Subject) -> Term:
        self._scanner.skip_space()
        if not self._scanner.next:
            return all_of([])
        where = self._or(subject)
        if self._scanner.next:
            raise self.fail("this parenthesis closes none")
        return where

    def _or(self, subject: Subject) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.fail(f"parentheses are nested more than {_MAX_DEPTH} deep")
        parts = [self._and(subject)]
        while self._scanner.take_word("OR"):
            parts.append(self._and(subject))
        self._depth -= 1
        if len(parts) > 1 and all_of([]) in parts:
            raise self.fail("versions: is no term that OR could join")
        return any_of(parts)

    def _and(self, subject: Subject) -> Term:
        scanner = self._scanner
        parts: list[Term] = []
        count = 0
        while True:
            scanner.skip_space()
            if count and scanner.take_word("AND"):
                scanner.skip_space()
            elif count and (not scanner.next or scanner.next == ")" or self._comes("OR")):
                return all_of(parts)
            found = self._not(subject)
            count += 1
            if found is not None:
                parts.append(found)

    def _comes(self, word: str) -> bool:
        begin = self._scanner.at
        comes = self._scanner.take_word(word)
        self._scanner.at = begin
        return comes

    def _not(self, subject: Subject) -> Term | None:
        """Return the next term; None for ``versions:``, which is none."""
        scanner = self._scanner
        begin, is_negated = scanner.at, False
        while scanner.take_word("NOT") or scanner.take("-"):
            scanner.skip_space()
            is_negated = not is_negated
        self._count_term()
        found = self._one(subject)
        if found is None and (is_negated or self._depth > 1):
            raise self.fail("versions: says what is looked at, so it stands outside of parentheses and NOT", begin)
        return Not(found) if is_negated and found is not None else found

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > _MAX_TERMS:
            raise self.fail(f"a query has at most {_MAX_TERMS} terms, each value counted")

    def _one(self, subject: Subject) -> Term | None:
        scanner = self._scanner
        if scanner.next == "(":
            return self._group(subject)
        if not scanner.next or scanner.next == ")" or self._comes("OR") or self._comes("AND"):
            raise self.fail("a term is missing here")
        taken = scanner.take_field()
        if taken is None:
            return self._word(subject, scanner.take_quoted() if scanner.next in "\"'" else scanner.take_bare_word())
        field, keys = taken
        return self._field(subject, field, keys)

    def _group(self, subject: Subject) -> Term:
        begin = self._scanner.at
        self._scanner.take("(")
        where = self._or(subject)
        if not self._scanner.take(")"):
            raise self.fail("this parenthesis is not closed", begin)
        return where

    def _word(self, subject: Subject, piece: Piece) -> Term:
        if not piece.text:
            raise self.fail("an empty word is in every name", piece.at)
        if not piece.is_quoted and _SPECIAL.search(piece.text):
            is_path = subject is Subject.ARTIFACTS and "/" in piece.text
            return _text("path" if is_path else "name", piece.text, exact=False, folded=False)
        return HasText(piece.text)

    # Fields

    def _field(self, subject: Subject, field: Piece, keys: list[str]) -> Term | None:
        name = ALIASES.get(field.text, field.text)
        if name == "session" and keys and subject is Subject.ARTIFACTS:
            return OfSession(self._field(Subject.SESSIONS, field._replace(text=keys[0]), keys[1:]) or all_of([]))
        if name == "meta":
            if not keys:
                raise self.fail("meta needs a key, as in meta.author:ada", field.at)
            return self._values(field, lambda operator, piece: self._meta(".".join(keys), operator, piece))
        if keys:
            raise self.fail(f"only meta and session have parts after a dot, and {field.text!r} has none", field.at)
        if name in ("has", "session") and name in (*FIELDS[subject], *WORDS[subject]):
            operator_at = self._scanner.at
            operator = self._scanner.take_operator()
            if self._scanner.next == "(" and operator == ":":
                if name == "has":
                    return HasArtifact(self._group(Subject.ARTIFACTS))
                return OfSession(self._group(Subject.SESSIONS))
            if name == "has":
                raise self.fail("has: takes a query about artifacts in parentheses, as in has:(type:log)")
            self._scanner.at = operator_at
        if name == "versions" and subject is Subject.ARTIFACTS:
            self._take_versions(field)
            return None
        return self._values(field, lambda operator, piece: self._compare(subject, name, field, operator, piece))

    def _take_versions(self, field: Piece) -> None:
        self._scanner.take_operator()
        piece = self._scanner.take_value()
        if piece.text not in _VERSIONS:
            raise self.fail(f"versions: is live or all, not {piece.text!r}", piece.at)
        self.versions = piece.text == "all", field.at

    def _values(self, field: Piece, make: Callable[[str, Piece], Term]) -> Term:
        scanner = self._scanner
        operator = scanner.take_operator()
        parts = [make("=" if operator == "!=" else operator, scanner.take_value())]
        while scanner.take(","):
            if operator not in (":", "=", "!="):
                raise self.fail(f"several values can be given with ':', '=' and '!=', not with {operator!r}")
            self._count_term()
            parts.append(make("=" if operator == "!=" else operator, scanner.take_value()))
        return Not(any_of(parts)) if operator == "!=" else any_of(parts)

    def _compare(self, subject: Subject, name: str, field: Piece, operator: str, piece: Piece) -> Term:
        if name in ("after", "before"):
            low, _ = self._valued(piece, lambda text: values.parse_time(text, self._now_ns))
            return Within("created", low + 1, None) if name == "after" else Within("created", None, low)
        if name == "text":
            return HasText(piece.text)
        folded = name in FOLDED
        name = FOLDED.get(name, name)
        kind = FIELDS[subject].get(name)
        if kind is None:
            raise self.fail(_unknown(subject, field.text), field.at)
        if kind is Value.OID:
            return OidIs(self._valued(piece, values.check_digits))
        if kind in _READERS or kind is Value.TIME:
            return self._number(name, kind, operator, piece)
        if operator not in (":", "="):
            raise self.fail(f"{field.text} is a text; ':', '=' and '!=' compare it, not {operator!r}", field.at)
        choices = CHOICES.get((subject, name), ())
        if choices and not _SPECIAL.search(piece.text) and piece.text not in choices:
            raise self.fail(f"{name} is one of {', '.join(choices)}; not {piece.text!r}", piece.at)
        if kind in (Value.NAME, Value.PATH) and (kind is Value.PATH or "/" in piece.text):
            name = "path"
        return _text(name, piece.text, exact=operator == "=", folded=folded)

    # Values

    def _number(self, name: str, kind: Value, operator: str, piece: Piece) -> Term:
        read = _READERS.get(kind) or (lambda text: values.parse_time(text, self._now_ns))
        if operator in (":", "=") and ".." in piece.text and not piece.is_quoted:
            begin, end = self._ends(piece)
            low = self._valued(piece._replace(text=begin), read)[0] if begin else None
            high = self._valued(piece._replace(text=end), read)[1] if end else None
            return Within(name, low, high)
        if operator in (":", "=") and kind is Value.TIME and values.is_age(piece.text):
            self._valued(piece, read)
            raise self.fail(f"nothing is exactly so old; write {name}:>{piece.text} or {name}:<{piece.text}", piece.at)
        low, high = self._valued(piece, read)
        return {
            ":": Within(name, low, high),
            "=": Within(name, low, high),
            ">": Within(name, high, None),
            ">=": Within(name, low, None),
            "<": Within(name, None, low),
            "<=": Within(name, None, high),
        }[operator]

    def _meta(self, key: str, operator: str, piece: Piece) -> Term:
        text = piece.text
        if operator == ":" and not piece.is_quoted:
            if text == "*":
                return Meta(key)
            if ".." in text:
                return self._meta_range(key, *self._ends(piece))
        number = None if piece.is_quoted else values.read_number(text)
        if operator == ":" and number is None and _SPECIAL.search(text):
            return MetaMatches(key, Glob(text))
        value = text if number is None else number
        if operator in (":", "="):
            return MetaWithin(key, value, value)
        if operator in (">", ">="):
            return MetaWithin(key, value, None, low_included=operator == ">=")
        return MetaWithin(key, None, value, high_included=operator == "<=")

    def _meta_range(self, key: str, begin: str, end: str) -> Term:
        numbers = [values.read_number(text) if text else None for text in (begin, end)]
        if any(text and number is None for text, number in zip((begin, end), numbers, strict=True)):
            return MetaWithin(key, begin or None, end or None)
        return MetaWithin(key, numbers[0], numbers[1])

    def _ends(self, piece: Piece) -> tuple[str, str]:
        begin, _, end = piece.text.partition("..")
        if not begin and not end:
            raise self.fail("a range needs a beginning or an end: 1..5, 1.. or ..5", piece.at)
        return begin, end

    def _valued(self, piece: Piece, read: Callable[[str], _Read]) -> _Read:
        try:
            return read(piece.text)
        except values.BadValue as failure:
            raise self.fail(str(failure), piece.at) from failure


def _text(name: str, text: str, *, exact: bool, folded: bool) -> Term:
    if folded:
        return _folded(name, text, exact=exact)
    if exact or not _SPECIAL.search(text):
        return TextIs(name, text)
    return TextMatches(name, Glob(text, Style.PATH if name == "path" else Style.TEXT))


def _folded(name: str, text: str, *, exact: bool) -> Term:
    pattern = _SPECIAL.sub(lambda sign: f"[{sign[0]}]", text) if exact else text
    return TextMatches(name, Glob(pattern, Style.PATH if name == "path" else Style.TEXT, folded=True))


def _unknown(subject: Subject, name: str) -> str:
    from difflib import get_close_matches

    known = sorted({*FIELDS[subject], *WORDS[subject]})
    close = get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known)}"
    return f"{subject.value} have no field {name!r}; {hint}"


_READERS: dict[Value, Callable[[str], values.Interval]] = {
    Value.SIZE: values.parse_bytes,
    Value.COUNT: values.parse_number,
}
