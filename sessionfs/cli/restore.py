"""``restore``, ``undo`` and ``redo``: going back, as new records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli.arguments import Arguments, UsageError, whole_number
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.spec import READ_SESSION, Option, Positional, Verb

if TYPE_CHECKING:
    from sessionfs.api import Restored, Session
    from sessionfs.travel.appending import Changed

LETTERS = {"added": "A", "deleted": "D", "modified": "M", "renamed": "R"}


def _restore(call: Call, arguments: Arguments) -> None:
    words = [*arguments.texts("MOMENT"), *arguments.texts("PATH")]
    with call.open_store() as store:
        session, moment = call.moment(store, arguments.text("SESSION"))
        if moment is None:
            if not words:
                raise UsageError("no moment was given: a record's number, a time, a checkpoint; as in restore @ 5")
            moment, *words = words
        done = session.restore(moment, [tree_path(word) for word in words])
    if done.seq is None:
        call.say(f"sessionfs: session {session.id} is what it was then: nothing to restore")
    else:
        what = ", ".join(words) if words else "artifacts and state"
        call.say(f"sessionfs: session {session.id}: {what} as after record {done.to}; {_way_back(session, done)}")
    _write(call, done)


def _undo(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("session"))
        done = session.undo(_count(arguments))
    call.say(f"sessionfs: session {session.id}: {_several(len(done.operations))} undone; {_way_back(session, done)}")
    _write(call, done)


def _redo(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("session"))
        done = session.redo(_count(arguments))
    call.say(f"sessionfs: session {session.id}: {_several(len(done.operations), 'undoing')} taken back")
    _write(call, done)


def _count(arguments: Arguments) -> int:
    word = arguments.maybe("N")
    count = 1 if word is None else whole_number(word)
    if not count:
        raise UsageError(f"{word!r} is no number of operations: 1 or more; name a session with --session")
    return count


def _way_back(session: Session, done: Restored) -> str:
    return f"what was before is {session.id}@{{{done.checkpoint}}}"


def _several(count: int, noun: str = "operation") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _write(call: Call, done: Restored) -> None:
    if call.out.as_json:
        call.out.document(done.to_dict())
    else:
        write_changes(call, done.changes)


def write_changes(call: Call, changes: tuple[Changed, ...]) -> None:
    """Write a line for each change: a letter, what it is, its name, and what it was called before."""
    for change in changes:
        record = change.to_dict()
        old = [] if record["renamed_from"] is None else [record["renamed_from"]]
        call.out.line(LETTERS[change.kind], change.what, record["name"], *old)


_N = Positional("N", "How many; 1 by default", count="?")
_SESSION = Option("-s --session", "The session; @ by default", metavar="SESSION", complete="session")
_PRINTS = (
    "Prints a line for each change: A (added), D (deleted), M (modified) or R (renamed), artifact or state, its name "
    "and, if it was renamed, its old name."
)
_EXITS = {
    3: "There is no such session, moment or path.",
    4: "The session is not active.",
}

VERBS = {
    "restore": Verb(
        _restore,
        about="Artifacts and state together, or only the paths that are named. Nothing in the log is lost: what was "
        "before gets a checkpoint, versions go on counting, and undo takes the restoring back. All of it happens, or "
        f"nothing. {_PRINTS}",
        positionals=(
            READ_SESSION,
            Positional("MOMENT", "5, '10 minutes ago', a time, a checkpoint; unless SESSION has one", count="?"),
            Positional("PATH", "Paths in the session's tree; everything by default", count="*", complete="artifact"),
        ),
        examples=(
            ("restore @ before-merge", "everything as at that checkpoint"),
            ("restore q4 '10 minutes ago' reports", "one directory"),
            ("restore 'q4@{5}' totals.csv", "one artifact, as after record 5"),
        ),
        exits={**_EXITS, 5: "A limit of config.toml would be exceeded."},
    ),
    "undo": Verb(
        _undo,
        about="One operation is one put, one rename, one rm -r, one burst of collected files, or what one process did "
        "in a mount without a pause of a second. What others did at the same time stays. redo brings back what was "
        f"undone, until something else is changed. {_PRINTS}",
        positionals=(_N,),
        options=(_SESSION,),
        examples=(("undo", "the last operation"), ("undo 3 --session q4", "the last three of q4")),
        exits={**_EXITS, 5: "There are not so many operations, or another one rests on what would be undone."},
    ),
    "redo": Verb(
        _redo,
        about=f"Each undo is taken back as a whole, the last one first. {_PRINTS}",
        positionals=(_N,),
        options=(_SESSION,),
        examples=(("redo", "brings back what the last undo took"),),
        exits={**_EXITS, 5: "Nothing was undone, or something else was changed since."},
    ),
}
