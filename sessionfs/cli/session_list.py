"""``session list`` and ``session show``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import CURRENT_READ_SESSION, Option, Verb
from sessionfs.cli.tables import STATUS_COLOURS, Column, human_size, human_time

STATUSES = ("active", "suspended", "completed", "failed", "archived")
SORT_KEYS = ("created", "updated", "name", "id", "size", "status")

SESSION_COLUMNS = (
    Column("id"),
    Column("status", colours=STATUS_COLOURS),
    Column("name"),
    Column("created_at", "CREATED", human=human_time),
    Column("artifact_count", "ARTIFACTS", right=True),
    Column("size", human=human_size, right=True),
    Column("tags", human=", ".join),
)

_SHOWN: dict[str, Callable[[Any], str]] = {
    "created_at": human_time,
    "updated_at": human_time,
    "started_at": human_time,
    "ended_at": human_time,
    "size": human_size,
    "stored_size": human_size,
}


def _list(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        parent = arguments.maybe("parent")
        sessions = store.sessions.list(
            status=arguments.texts("status") or None,
            tags=arguments.texts("tag"),
            parent=call.session(store, parent) if parent is not None else None,
            created_by=arguments.maybe("created-by"),
            created_after=arguments.maybe("after"),
            created_before=arguments.maybe("before"),
            text=arguments.maybe("text"),
            sort=arguments.maybe("sort") or "created",
            reverse=arguments.flag("reverse"),
            offset=arguments.number("offset") or 0,
            limit=arguments.number("limit"),
        )
        records: list[dict[str, Any]] = [session.to_dict() for session in sessions]
    call.out.table(SESSION_COLUMNS, records)


def _show(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        record = call.reading(store, arguments.maybe("SESSION")).to_dict()
    call.out.details(record, _SHOWN)


VERBS = {
    "session list": Verb(
        _list,
        about="One line per session: id, status, name, created_at, artifact_count, size and tags, separated by tabs "
        "when standard output is no terminal. All filters given must fit.",
        options=(
            Option(
                "--status", "Only with this status; repeated, any of them", metavar="STATUS", repeat=True,
                choices=STATUSES,
            ),
            Option("--tag", "Only with this tag; repeated, all of them", metavar="TAG", repeat=True),
            Option("--parent", "Only children of this session", metavar="SESSION", complete="session"),
            Option("--created-by", "Only those that this actor created, such as uid:1000", metavar="ACTOR"),
            Option("--after", "Only those created after: 2026-11-20, 2026-11-20T22:44:01Z, 7d", metavar="TIME"),
            Option("--before", "Only those created before", metavar="TIME"),
            Option("--text", "Only with this text in the name or description", metavar="TEXT"),
            Option("--sort", "By this field", metavar="KEY", choices=SORT_KEYS),
            Option("--reverse", "The other way round"),
            Option("--offset", "Leave out so many at the start", metavar="N", number=True),
            Option("--limit", "At most so many", metavar="N", number=True),
        ),
        examples=(
            ("session list --status active --tag sales", "active sessions with the tag sales"),
            ("session list --sort updated --reverse --limit 5", "the five that changed last"),
            ("session list --json | jq -r '.[].id'", "all ids"),
        ),
        exits={3: "The store, or the session that --parent names, is not here."},
    ),
    "session show": Verb(
        _show,
        about="One line per field, its name and its value separated by a tab when standard output is no terminal.",
        positionals=(CURRENT_READ_SESSION,),
        examples=(("session show q4", "shows the session named q4"), ("session show --json", "shows the current one")),
        exits={3: "There is no such session."},
    ),
}  # fmt: skip
