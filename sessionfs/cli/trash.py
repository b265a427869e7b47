"""``trash list``, ``trash restore`` and ``trash empty``."""

from __future__ import annotations

from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.gc import duration
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import Column, human_size, human_time


def _list(call: Call, arguments: Arguments) -> None:
    from sessionfs.clock import format_time
    from sessionfs.retention.trash import list_trash

    with call.open_store() as store:
        grace_ns = store.core.config.trash_grace_ns
        records: list[dict[str, Any]] = [
            {**one.to_dict(), "until": format_time(one.time_ns + grace_ns)} for one in list_trash(store.core)
        ]
    call.out.table(_COLUMNS, records)


def _restore(call: Call, arguments: Arguments) -> None:
    from sessionfs.retention.trash import find, restore

    with call.open_store() as store:
        trashed = find(store.core, arguments.text("NAME"))
        count = restore(store.core, trashed)
    if call.out.as_json:
        call.out.document({"name": trashed.name, "kind": trashed.kind, "count": count})
    else:
        call.out.line(trashed.kind, trashed.session_id or trashed.name, count)


def _empty(call: Call, arguments: Arguments) -> None:
    from sessionfs.retention.gc import empty_trash

    with call.open_store() as store:
        done = empty_trash(store.core, older_ns=duration(arguments, "older-than") or 0)
    if call.out.as_json:
        call.out.document({"count": done[0], "size": done[1]})
    else:
        call.out.line("deleted", *done)


_COLUMNS = (
    Column("name", "NAME"),
    Column("kind", "KIND"),
    Column("time", "SINCE", human=human_time),
    Column("until", "UNTIL", human=human_time),
    Column("file_count", "FILES", right=True),
    Column("size", "SIZE", human=human_size, right=True),
)

VERBS = {
    "trash list": Verb(
        _list,
        about="What is in the trash, since when, and until when at least: gc deletes it after that.",
        examples=(("trash list", "shows it"), ("trash list --json | jq -r '.[].session_id'", "the sessions in it")),
    ),
    "trash restore": Verb(
        _restore,
        about="A session is again what it was before it was deleted; objects are in their place again.",
        positionals=(Positional("NAME", "A name that trash list shows, or a session's id: the newest of it"),),
        examples=(("trash restore q4", "takes a session back"),),
        exits={3: "It is not in the trash.", 5: "There is a session of that id again."},
    ),
    "trash empty": Verb(
        _empty,
        about="Deletes what is in the trash, for good. Objects that something needs after all come back instead. "
        "Prints how many files were deleted, and their bytes.",
        options=(Option("--older-than", "Only what has been there for so long", metavar="TIME"),),
        examples=(("trash empty --older-than 1d", "keeps what was deleted today"),),
    ),
}
