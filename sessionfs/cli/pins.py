"""``pin``, ``unpin`` and ``pins``: what is kept whatever the rules say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sessionfs.artifacts.names import text_of
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.spec import CURRENT_SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column, human_time

if TYPE_CHECKING:
    from sessionfs.api import Session

_TARGET = Positional("SESSION[:PATH]", "A session, or an artifact or directory in one", count="+", complete="session")


def _pin(call: Call, arguments: Arguments) -> None:
    message = arguments.maybe("message") or ""
    _each(call, arguments, lambda session, path: session.pin(path, message))


def _unpin(call: Call, arguments: Arguments) -> None:
    _each(call, arguments, lambda session, path: session.unpin(path))


def _each(call: Call, arguments: Arguments, do: Callable[[Session, str | None], None]) -> None:
    """Do it to each target, and say which they were, where somebody asks for JSON."""
    targets: list[dict[str, str | None]] = []
    with call.open_store() as store:
        for target in arguments.texts("SESSION[:PATH]"):
            named, _, path = target.partition(":")
            session, chosen = call.session(store, named), tree_path(path) if path else None
            do(session, chosen)
            targets.append({"session": session.id, "path": None if chosen is None else text_of(chosen)})
    if call.out.as_json:
        call.out.document(targets)


def _pins(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        named = arguments.maybe("SESSION")
        found = store.pins if named is None else call.session(store, named).pins
        records = [one.to_dict() for one in found]
    call.out.table(_COLUMNS, records)


_COLUMNS = (
    Column("target", "PINNED"),
    Column("time", "SINCE", human=human_time),
    Column("actor", "BY"),
    Column("message", "WHY"),
)

_EXITS = {3: "There is no such session, or nothing was ever there.", 6: "The session is damaged."}

VERBS = {
    "pin": Verb(
        _pin,
        about="A pin wins over gc, prune, retention and session delete. What is pinned can be changed like everything "
        "else: all its versions stay. A pin goes along when an artifact is renamed. Finished sessions can be pinned.",
        positionals=(_TARGET,),
        options=(Option("-m --message", "Why, for people", metavar="TEXT"),),
        examples=(
            ("pin q4 -m 'cited in the paper'", "keeps q4 with all that was ever in it"),
            ("pin q4:models/best.bin", "keeps all versions of one artifact, and q4"),
        ),
        exits=_EXITS,
    ),
    "unpin": Verb(
        _unpin,
        about="The rules decide again.",
        positionals=(_TARGET,),
        examples=(("unpin q4", "takes the pin of q4 away; those of artifacts in it stay"),),
        exits={3: "There is no such session, or it is not pinned."},
    ),
    "pins": Verb(
        _pins,
        about="What is pinned, since when, by whom and why: in one session, or in all.",
        positionals=(
            Positional("SESSION", CURRENT_SESSION.help.replace(" (the default)", ""), count="?", complete="session"),
        ),
        examples=(("pins", "lists them all"), ("pins q4 --json", "those of q4, as JSON")),
        exits={3: "There is no such session."},
    ),
}
