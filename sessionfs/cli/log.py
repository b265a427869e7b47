"""``log``: what was done in a session, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sessionfs.artifacts import text_of
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.changes import COUNTED_BYTES, records_of, write_stat
from sessionfs.cli.exits import printable
from sessionfs.cli.spec import CURRENT_READ_SESSION, Option, Positional, Verb
from sessionfs.cli.tables import human_time
from sessionfs.clock import format_time
from sessionfs.errors import NotFound

if TYPE_CHECKING:
    from sessionfs.api import Operation, Session


def _log(call: Call, arguments: Arguments) -> None:
    path = arguments.maybe("PATH")
    with call.open_store() as store:
        session, moment = call.moment(store, arguments.maybe("SESSION"))
        chosen = None if path is None else tree_path(path) or None
        operations = session.operations(until=moment or "now") if chosen is None else done_to(session, chosen, moment)
        found = islice(operations, arguments.number("limit"))
        if call.out.as_json:
            call.out.document([record_of(operation) for operation in found])
            return
        for operation in found:
            if call.out.is_terminal:
                write_operation(call, session.id, operation)
                call.out.text("\n")
            else:
                _write_lines(call, operation)


def done_to(session: Session, path: str, moment: str | None = None) -> Iterator[Operation]:
    """Return what changed the artifact or directory at *path*, the newest first, up to *moment*.

    Raises:
        NotFound: Nothing did, and it is not there: the path is misspelt, or something of another session.
    """
    operations = session.operations(path, until=moment or "now")
    newest = next(operations, None)
    if newest is None and path not in session.at(moment or "now").artifacts:
        raise NotFound(
            f"there is no {text_of(path)!r} in session {session.id}, and never was{' up to then' if moment else ''}; "
            f"what there is: sessionfs artifact list -R {session.id}"
        )
    return chain(() if newest is None else (newest,), operations)


def record_of(operation: Operation) -> dict[str, Any]:
    """Return an operation, JSON-ready."""
    return {**operation.to_dict(), "changes": records_of(operation)}


def write_operation(call: Call, session_id: str, operation: Operation) -> None:
    """Write an operation for people."""
    name = call.out.colour("yellow", f"{session_id}@{{{operation.seq}}}")
    words = [human_time(format_time(operation.time_ns)), printable(operation.actor)]
    if operation.record_count > 1:
        words.append(f"{operation.record_count} records")
    if operation.correlation_id is not None:
        words.append(printable(operation.correlation_id))
    call.out.text("  ".join([name, *words]) + "\n")
    for note in operation.notes:
        call.out.text(f" session {printable(note)}\n")
    write_stat(call, operation)


def _write_lines(call: Call, operation: Operation) -> None:
    first = (operation.seq, format_time(operation.time_ns), operation.actor)
    for note in operation.notes:
        call.out.line(*first, "noted", "session", note)
    for record in records_of(operation):
        values = (record[field] for field in ("from", "added", "removed", "old_size", "new_size"))
        call.out.line(
            *first,
            record["change"],
            record["what"],
            record["name"],
            *("" if value is None else value for value in values),
        )


VERBS = {
    "log": Verb(
        _log,
        about="For people: each operation - a put, a rename, an rm -r, a burst of files that were collected - with the "
        "moment after it, when it was done and by whom, and what it changed, in lines where both sides are text of at "
        f"most {COUNTED_BYTES >> 20} MiB. When standard output is no terminal, one line per change, separated by tabs: "
        "seq, time, actor, change, what (artifact, state, session), name, old name, lines added and removed, old and "
        "new size. Events that change nothing are shown by: sessionfs events.",
        positionals=(
            CURRENT_READ_SESSION,
            Positional(
                "PATH",
                "Only what changed this artifact, or what is in this directory; through renames",
                count="?",
                complete="artifact",
            ),
        ),
        options=(Option("-n --limit", "At most so many operations", metavar="N", number=True),),
        examples=(
            ("log @ -n 5", "the last five operations of the current session"),
            ("log q4 report.txt", "the history of one artifact"),
            ("log 'q4@{before-merge}'", "what led to that moment"),
        ),
        exits={3: "There is no such session or moment, or no such PATH, now or earlier."},
    )
}
