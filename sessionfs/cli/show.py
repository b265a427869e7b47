"""``show``: an artifact, a directory or an operation, as it was at some moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from sessionfs.artifacts.names import text_of
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.changes import write_diff
from sessionfs.cli.log import record_of, write_operation
from sessionfs.cli.spec import Positional, Verb

if TYPE_CHECKING:
    from sessionfs.api import Session, SessionView, Store


def _show(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        for text in arguments.texts("MOMENT"):
            named, path = split_path(text)
            if path is None:
                _operation(call, store, named)
            else:
                _artifact(call, call.reading(store, named), tree_path(path))


def split_path(text: str) -> tuple[str, str | None]:
    """Return the moment and the path of ``MOMENT:PATH``; None without a path. A time within braces may hold colons."""
    head, brace, rest = text.partition("@{")
    inner, end, after = rest.partition("}")
    if brace and end:
        return f"{head}@{{{inner}}}", after[1:] if after.startswith(":") else None
    head, colon, rest = text.partition(":")
    return head, rest if colon else None


def _artifact(call: Call, reading: Session | SessionView, path: str) -> None:
    artifact = reading.artifacts[path] if path else None
    if artifact is None or artifact.kind == "directory":
        found = reading.artifacts.list(path, recursive=False)
        if call.out.as_json:
            call.out.document([one.to_dict() for one in found])
            return
        for one in found:
            call.out.line(text_of(one.name) + ("/" if one.kind == "directory" else ""))
    elif call.out.as_json:
        call.out.document(artifact.to_dict())
    elif artifact.kind == "symlink":
        call.out.line(text_of(artifact.target or ""))
    else:
        artifact.copy_to(cast(BinaryIO, call.out.bytes_stream))


def _operation(call: Call, store: Store, named: str) -> None:
    session, moment = call.moment(store, named)
    for operation in session.operations(until=moment or "now"):
        if call.out.as_json:
            call.out.document(record_of(operation))
        else:
            write_operation(call, session.id, operation)
            call.out.text("\n")
            write_diff(call, operation)
        return


VERBS = {
    "show": Verb(
        _show,
        json="Print one JSON document for each MOMENT",
        about="Of MOMENT:PATH the content as it was then; of a directory the names in it, of a link its target. "
        "Without a path, the operation that led to the moment, with all that it changed. With --json what the artifact "
        "says about itself, or the operation.",
        positionals=(
            Positional("MOMENT", "SESSION@{…}, or SESSION for now; :PATH behind it for one artifact", count="+"),
        ),
        examples=(
            ("show 'q4@{5}:report.txt'", "the artifact after record 5"),
            ("show '@{yesterday}:data/'", "what was in the directory data of the current session 24 hours ago"),
            ("show q4", "the last operation, as a diff"),
        ),
        exits={3: "There is no such session, moment or artifact."},
    )
}
