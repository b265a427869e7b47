"""``events``: what happened, in one session or in all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from sessionfs.api import SessionView
from sessionfs.api.times import to_ns
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.event_lines import each, say_of_session, write_event
from sessionfs.cli.exits import EXIT_OF_KIND, YES
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.errors import Corrupt
from sessionfs.events.event import Event
from sessionfs.events.query import Query
from sessionfs.events.reading import find_ends, read, read_all, selecting
from sessionfs.events.tree import trees

if TYPE_CHECKING:
    from sessionfs.store.store import Store

_INDENT = "  "


def _events(call: Call, arguments: Arguments) -> int:
    with call.open_store() as store:
        named = arguments.maybe("SESSION")
        reading = None if named is None else call.reading(store, named)
        session_id = None if reading is None else reading.id
        query = _query(arguments, session_id)
        if isinstance(reading, SessionView):
            query = _until(query, arguments, reading)
        if arguments.flag("follow"):
            _follow(call, store.core, session_id, query)
        elif query.correlation is not None:
            _write_trees(call, _found(store.core, session_id, query))
        elif call.out.as_json:
            call.out.document([event.to_dict() for event in _found(store.core, session_id, query)])
        elif not _write(call, _found(store.core, session_id, query)):
            return EXIT_OF_KIND[Corrupt]
    return YES


def _query(arguments: Arguments, session_id: str | None) -> Query:
    if session_id is None and (arguments.flag("from") or arguments.flag("to")):
        raise UsageError("--from and --to are numbers of one session's events; name the session")
    for option in ("to", "until", "reverse"):
        if arguments.flag("follow") and arguments.flag(option):
            raise UsageError(f"--follow waits for what is still to come, so --{option} cannot be given with it")
    if arguments.flag("correlation") and arguments.flag("reverse"):
        raise UsageError("--correlation shows causes before their effects, so --reverse cannot be given with it")
    last = arguments.number("to")
    return Query(
        types=tuple(arguments.texts("type")),
        start=arguments.number("from") or 0,
        end=None if last is None else last + 1,
        since_ns=to_ns(arguments.maybe("since")),
        until_ns=to_ns(arguments.maybe("until")),
        actor=arguments.maybe("actor"),
        correlation=arguments.maybe("correlation"),
        text=arguments.maybe("text"),
        reverse=arguments.flag("reverse"),
        limit=arguments.number("limit"),
    )


def _until(query: Query, arguments: Arguments, moment: SessionView) -> Query:
    """Return *query* for what had happened at *moment*."""
    from msgspec.structs import replace

    if arguments.flag("follow"):
        raise UsageError("--follow waits for what is still to come, and a moment has passed; name the session alone")
    end = moment.seq + 1
    return replace(query, end=end if query.end is None else min(end, query.end))


def _found(store: Store, session_id: str | None, query: Query) -> Iterator[Event]:
    return read_all(store, query) if session_id is None else read(store, session_id, query)


def _write(call: Call, events: Iterable[Event]) -> bool:
    """Write each as a line; whether that was possible with all."""
    return each(call, "events", events, partial(write_event, call))


def _write_trees(call: Call, events: Iterable[Event]) -> None:
    branches = trees(events)
    if call.out.as_json:
        call.out.document([branch.to_dict() for branch in branches])
        return
    for branch in branches:
        for depth, event in branch.walk():
            write_event(call, event, indent=_INDENT * depth)


def _follow(call: Call, store: Store, session_id: str | None, query: Query) -> None:
    """Write what there is (of that the last ones, with a limit), then what comes, until somebody interrupts."""
    from msgspec.structs import replace

    from sessionfs.watch import Watch

    chosen = None if session_id is None else [session_id]
    # What is wrong at an end is said by the watch, which begins there.
    ends = {of: end._replace(damage=None) for of, end in find_ends(store, chosen).items()}
    say = partial(say_of_session, call, "events")
    starts = {of: end.place for of, end in ends.items()}
    with Watch(store, chosen, selecting(query, store.objects), start=starts, on_error=say) as watch:
        last_ones = replace(query, reverse=query.limit is not None)
        found = read_all(store, last_ones, ends=ends, on_error=say)
        _write(call, reversed(list(found)) if last_ones.reverse else found)
        call.out.flush()
        while events := watch.read():
            _write(call, events)
            call.out.flush()


VERBS = {
    "events": Verb(
        _events,
        about="One line per event, the oldest first: its id, time, type, actor and data, separated by tabs when "
        "standard output is no terminal. Without SESSION those of all sessions, in the order of their times. With "
        "--correlation, what was caused by an event stands below it, indented. --json with --follow prints one object "
        "per line.",
        positionals=(
            Positional(
                "SESSION",
                "A session's id, a unique prefix of it, its unique name, or @; with @{…} behind it what had happened "
                "by then; all sessions by default",
                count="?",
                complete="session",
            ),
        ),
        options=(
            Option("-t --type", "Only this type; a glob; may be repeated", metavar="GLOB", repeat=True),
            Option("--since", "Only from this time on: 2026-11-20T22:44 (UTC), 7d, '10 minutes ago'", metavar="TIME"),
            Option("--until", "Only before this time", metavar="TIME"),
            Option("--from", "Only from this number on", metavar="SEQ", number=True),
            Option("--to", "Only up to this number", metavar="SEQ", number=True),
            Option("--actor", "Only what this one recorded; a glob", metavar="GLOB"),
            Option("--correlation", "Only what shares this correlation id, as a tree", metavar="ID"),
            Option("--text", "Only what has this text in its data, whatever the case", metavar="TEXT"),
            Option("--reverse", "The newest first"),
            Option("-n --limit", "So many at most; with --follow, the last ones", metavar="COUNT", number=True),
            Option("-f --follow", "Go on with what happens next, until interrupted"),
        ),
        examples=(
            ("events @ --type 'tool.*' --reverse -n 10", "the last ten calls of tools"),
            ("events --since '1 hour ago' --type error.occurred", "what failed in any session"),
            ("events --correlation 4bf92f3577b34da6a3ce929d0e0e4736", "one piece of work, as a tree"),
            ("events @ -f -n 0", "what happens from now on"),
        ),
        exits={
            2: "The request is malformed, or there is no such type.",
            3: "There is no such session.",
            6: "A log is damaged, or the data of an event are lost; the others are shown.",
        },
    ),
}
