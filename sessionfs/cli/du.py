"""``du``: where the space is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import Column, human_size

if TYPE_CHECKING:
    from sessionfs.analytics.space import Space

SHOWN = 20

_SESSIONS = (
    Column("id", "SESSION"),
    Column("total", human=human_size, right=True),
    Column("own", human=human_size, right=True),
    Column("log", human=human_size, right=True),
    Column("shared", human=human_size, right=True),
    Column("size", "ARTIFACTS", human=human_size, right=True),
    Column("name"),
)

_PLACES = (
    Column("purpose", "WHAT"),
    Column("count", "FILES", human="{:,}".format, right=True),
    Column("size", human=human_size, right=True),
    Column("allocated", "ON DISK", human=human_size, right=True),
)


def _du(call: Call, arguments: Arguments) -> None:
    call.check_form(arguments, "null")
    query = " ".join(arguments.texts("QUERY"))
    with call.open_store() as store:
        with call.progress("reading logs", in_bytes=True) as progress:
            store.index.refresh(progress.reach)
        space = store.du(query)
    if call.out.as_json:
        call.out.document(space.to_dict())
    elif arguments.flag("null"):
        call.out.raw(b"".join(session.id.encode() + b"\0" for session in space.sessions))
    elif call.out.is_terminal:
        _show(call, space, arguments.number("limit"))
    else:
        _lines(call, space)


def _show(call: Call, space: Space, limit: int | None) -> None:
    sessions = space.sessions[: SHOWN if limit is None else limit]
    call.out.table(_SESSIONS, [session.to_dict() for session in sessions])
    if len(sessions) < len(space.sessions):
        call.out.text(f"and {len(space.sessions) - len(sessions):,} more; see --limit\n")
    content = space.content
    call.out.text(
        f"\nTheir content takes {human_size(content.stored)}, {human_size(content.shared)} of it shared with others.\n"
    )
    call.out.text("\nThe whole store\n")
    records: list[dict[str, Any]] = [place.to_dict() for place in space.places if place.count or place.size]
    records.append(
        {
            "purpose": "total",
            "count": sum(place.count for place in space.places),
            "size": space.size,
            "allocated": space.allocated,
        }
    )
    call.out.table(_PLACES, records)


def _lines(call: Call, space: Space) -> None:
    for session in space.sessions:
        numbers = (session.total, session.own, session.log, session.shared, session.size)
        call.out.line("session", session.id, *numbers, session.name or "")
    for name, number in space.content.to_dict().items():
        call.out.line("content", name, number)
    for place in space.places:
        call.out.line("place", place.purpose, place.count, place.size, place.allocated)
    call.out.line("total", space.size, space.allocated)


VERBS = {
    "du": Verb(
        _du,
        about="For each session: its content that no other session has (OWN), its log, and content that others have "
        "too (SHARED): equal content is stored once, whichever sessions have it, in whichever file or pack. OWN and "
        "LOG are what is free when it is gone, after gc; snapshots are not counted. Then what all files of the store "
        "are there for: as many bytes as 'du --apparent-size' counts, and what the filesystem gave for them, as du "
        "counts. The words are a query for sessions, as for 'find --sessions'. When standard output is no terminal: "
        "lines of 'session', id, total, own, log, shared, artifacts' size and name; 'content', name, bytes; 'place', "
        "what for, files, bytes, bytes on the disk; 'total', bytes, bytes on the disk.",
        positionals=(Positional("QUERY", "Which sessions; all by default", count="*"),),
        options=(
            Option("--limit", "Show so many sessions on a terminal; 20 by default", metavar="N", number=True),
            Option("-0 -z --null", "Only ids, those that take most first, each with a NUL behind it"),
        ),
        examples=(
            ("du", "the sessions that take most, and the whole store"),
            ("du tag:nightly before:30d", "what would be free without these"),
            ("du --json | jq .content", "what deduplication and compression save"),
        ),
        exits={2: "The query cannot be understood; the message says at which column."},
    ),
}
