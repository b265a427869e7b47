"""``checkpoint`` and ``checkpoints``: moments with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import CURRENT_SESSION, READ_SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column, human_time
from sessionfs.clock import format_time

if TYPE_CHECKING:
    from sessionfs.api import Checkpoint

_COLUMNS = (
    Column("name"),
    Column("seq", right=True),
    Column("time", human=human_time),
    Column("created_at", "NAMED", human=human_time),
    Column("created_by", "BY"),
    Column("message"),
)


def _checkpoint(call: Call, arguments: Arguments) -> None:
    name = arguments.text("NAME")
    deletes = arguments.flag("delete")
    for option in ("message", "replace"):
        if deletes and arguments.flag(option):
            raise UsageError(f"--delete takes a name away, so --{option} cannot be given with it")
    with call.open_store() as store:
        session, moment = call.moment(store, arguments.text("SESSION"))
        if deletes and moment is not None:
            raise UsageError(f"--delete takes a name away from a session; {arguments.text('SESSION')!r} is a moment")
        if deletes:
            record: dict[str, Any] = {"name": name, "oid": session.checkpoints.delete(name)}
        else:
            message, replace = arguments.maybe("message") or "", arguments.flag("replace")
            record = _record(session.checkpoints.create(name, message=message, at=moment or "now", replace=replace))
    if call.out.as_json:
        call.out.document(record)


def _list(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        records = [_record(one) for one in call.session(store, arguments.maybe("SESSION")).checkpoints.list()]
    call.out.table(_COLUMNS, records)


def _record(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "name": checkpoint.name,
        "seq": checkpoint.seq,
        "time": format_time(checkpoint.time_ns),
        "oid": checkpoint.oid,
        "created_at": format_time(checkpoint.created_ns),
        "created_by": checkpoint.created_by,
        "message": checkpoint.message,
    }


VERBS = {
    "checkpoint": Verb(
        _checkpoint,
        about="From then on SESSION@{NAME} is that moment, wherever a verb reads; so is checkpoints/NAME/ in a mounted "
        "session. To give a moment a name changes nothing in the session: finished ones can have checkpoints too.",
        positionals=(
            READ_SESSION,
            Positional("NAME", "Letters, digits, '.', '_' and '-'; not a number, a time, now or yesterday"),
        ),
        options=(
            Option("-m --message", "What it is, or why", metavar="TEXT"),
            Option("--replace", "Take the name from the moment that has it"),
            Option("-d --delete", "Take the name away; the moment stays"),
        ),
        examples=(
            ("checkpoint @ before-merge -m 'all tests pass'", "names the present moment"),
            ("checkpoint 'q4@{10 minutes ago}' good", "names an earlier one"),
            ("checkpoint --delete q4 good", "takes the name away"),
        ),
        exits={
            2: "The request is malformed, or NAME cannot be a name.",
            3: "There is no such session, moment or checkpoint.",
            5: "The name is taken.",
        },
    ),
    "checkpoints": Verb(
        _list,
        about="One line per checkpoint: name, the number of the last record before the moment, when that was written, "
        "when and by whom the name was given, and the message; separated by tabs when standard output is no terminal.",
        positionals=(CURRENT_SESSION,),
        examples=(("checkpoints q4", "those of q4"),),
        exits={3: "There is no such session."},
    ),
}
