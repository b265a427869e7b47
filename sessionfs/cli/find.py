"""``find``: artifacts, or sessions, by what they are."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable
from typing import Any

from sessionfs.api.finding import Found, FoundArtifact
from sessionfs.artifacts.names import encode
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.session_list import SESSION_COLUMNS
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import Column, human_size, human_time
from sessionfs.query import Query, Subject, parse_query
from sessionfs.query.order import SORTS, make_page
from sessionfs.sessions import SessionInfo

_SHORT = (Column("session"), Column("path"))

_LONG = (
    Column("session"),
    Column("kind"),
    Column("version", right=True),
    Column("size", human=human_size, right=True),
    Column("updated_at", "UPDATED", human=human_time),
    Column("type"),
    Column("tags", human=", ".join),
    Column("path"),
)

_SHORT_OF_SESSIONS = (Column("id"),)

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\0": "\0", "\\\\": "\\"}
_ESCAPE = re.compile(r"\\[tn0\\]")


def _find(call: Call, arguments: Arguments) -> None:
    subject = Subject.SESSIONS if arguments.flag("sessions") else Subject.ARTIFACTS
    query = _query(arguments, subject)
    call.check_form(arguments, "null", "format", "explain")
    form = _Format(arguments.text("format"), subject) if arguments.flag("format") else None
    with call.open_store() as store, call.progress("reading logs", in_bytes=True) as progress:
        found = Found(
            store,
            query,
            make_page(
                subject,
                sort=arguments.maybe("sort") or "created",
                reverse=arguments.flag("reverse"),
                offset=arguments.number("offset") or 0,
                limit=arguments.number("limit"),
                cursor=arguments.maybe("cursor"),
            ),
            store.found_artifact if subject is Subject.ARTIFACTS else _itself,
            progress=progress.reach,
        )
        if arguments.flag("explain"):
            for line in found.explain():
                call.out.line(line)
        elif arguments.flag("count"):
            number = found.count()
            call.out.document(number) if call.out.as_json else call.out.line(number)
        else:
            _write(call, arguments, subject, found, form)


def _query(arguments: Arguments, subject: Subject) -> Query:
    query = parse_query(" ".join(arguments.texts("QUERY")), subject)
    if not arguments.flag("all-versions"):
        return query
    if subject is Subject.SESSIONS:
        raise UsageError("--all-versions is about artifacts; it cannot be given with --sessions")
    return Query(subject=subject, where=query.where, versions=True)


def _itself(found: Any) -> Any:
    return found


def _write(call: Call, arguments: Arguments, subject: Subject, found: Found[Any], form: _Format | None) -> None:
    if form is not None or arguments.flag("null"):
        as_bytes = _raw(form, b"\0" if arguments.flag("null") else b"\n")
        for one in found:
            call.out.raw(as_bytes(one))
    else:
        short, long = (_SHORT, _LONG) if subject is Subject.ARTIFACTS else (_SHORT_OF_SESSIONS, SESSION_COLUMNS)
        call.out.table(long if arguments.flag("long") else short, (one.to_dict() for one in found))
    if found.cursor is not None:
        call.say(f"sessionfs: find: there may be more; go on with --cursor {found.cursor}")


def _raw(form: _Format | None, end: bytes) -> Callable[[Any], bytes]:
    """Return what makes the bytes for one that was found: as the format says, or what it is called, raw."""
    if form is not None:
        return lambda one: form.fill(one) + end
    return lambda one: b"".join(encode(name) + end for name in _names(one))


def _names(found: Any) -> Iterable[str]:
    return (found.session, found.path) if isinstance(found, FoundArtifact) else (found.id,)


class _Format:
    """What ``--format`` says: text, and fields of what is found in braces."""

    def __init__(self, text: str, subject: Subject) -> None:
        text = _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], text)
        try:
            self._parts = list(string.Formatter().parse(text))
        except ValueError as failure:
            raise UsageError(f"--format {text!r} cannot be understood: {failure}; write {{{{ for a brace") from failure
        if any(spec or conversion for _, _, spec, conversion in self._parts):
            raise UsageError(
                "--format takes names of fields in braces, as in {session}/{path}, and nothing behind them"
            )
        known = list(FoundArtifact.JSON) if subject is Subject.ARTIFACTS else SessionInfo.json_fields()
        for _, field, _, _ in self._parts:
            if field is not None and field.partition(".")[0] not in known:
                raise UsageError(f"--format names {field!r}, which is no field; there are: {', '.join(known)}")

    def fill(self, found: Any) -> bytes:
        """Return the text for one that was found; names of artifacts are as they are."""
        record = found.to_dict()
        if isinstance(found, FoundArtifact):
            record |= {"path": found.path, "name": found.name}
        parts = []
        for text, field, _, _ in self._parts:
            parts.append(encode(text))
            if field is not None:
                parts.append(encode(_plain(_value(record, field))))
        return b"".join(parts)


def _value(record: dict[str, Any], field: str) -> Any:
    """Return the value of a field; dots lead into metadata."""
    name, *keys = field.split(".")
    value = record[name]
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    from sessionfs.cli.tables import plain

    return plain(value)


VERBS = {
    "find": Verb(
        _find,
        about="One line per artifact: session and path, separated by a tab when standard output is no terminal; in the "
        "order of creation. The words are one query, such as: type:log tag:q4 name:*.csv size:>1M after:7d "
        "meta.dept:sales, with AND, OR, NOT and parentheses. A word alone is looked for in names and descriptions. "
        "Fields are name (a pattern; with / a path), iname, path, session, session.FIELD, id, type, mime, kind, tag, "
        "description, by, oid, size, stored, version, links, created, updated, modified, after, before, meta.KEY. With "
        "--sessions: id, name, status, tag, description, parent, reason, by, artifacts, events, state, size, stored, "
        "created, updated, started, ended, after, before, meta.KEY, has:(QUERY). Directories are found when kind: is "
        "asked for. The whole grammar is in sessionfs/docs/query.md.",
        positionals=(Positional("QUERY", "What to find; all by default", count="*"),),
        options=(
            Option("-l --long", "More than session and path"),
            Option("-0 -z --null", "Raw names, each with a NUL behind it, as xargs -0 reads them"),
            Option(
                "--format", r"A line for each: fields as {session}, {path}, {meta…}; \t and \n as ever", metavar="TEXT"
            ),
            Option("--sessions", "Find sessions, not artifacts"),
            Option("--all-versions", "Also what was there once: replaced, removed"),
            Option("--count", "Print only how many there are"),
            Option("--sort", "By this field", metavar="KEY", choices=tuple(dict.fromkeys(
                [*SORTS[Subject.ARTIFACTS], *SORTS[Subject.SESSIONS]]
            ))),
            Option("--reverse", "The other way round"),
            Option("--offset", "Leave out so many at the start", metavar="N", number=True),
            Option("--limit", "At most so many; all by default", metavar="N", number=True),
            Option("--cursor", "Go on where an earlier page ended", metavar="TEXT"),
            Option("--explain", "Print how it is found instead"),
        ),
        examples=(
            ("find type:tool_result tag:q4 'size:>1M' after:7d", "large results of the last week"),
            ("find 'name:*.csv' meta.dept:sales -l", "with their sizes, types and tags"),
            ("find 'meta.author = \"x\"' NOT tag:draft --json | jq '.[].oid'", "their contents' names"),
            ("find session.status:failed type:log -0 | xargs -0 -n 2 sessionfs artifact cat", "logs of what failed"),
            ("find --sessions 'status:active has:(tag:raw)' --sort updated --reverse --limit 5", "by their artifacts"),
        ),
        exits={
            0: "Done, whether something was found or not.",
            2: "The query cannot be understood; the message says at which column.",
        },
    ),
}  # fmt: skip
