"""``tree``: parents and children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.drawing import Signs, fit, signs_of
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import STATUS_COLOURS, human_size

if TYPE_CHECKING:
    from sessionfs.analytics.family import Member

_NAME_WIDTH = 60


def _tree(call: Call, arguments: Arguments) -> None:
    call.check_form(arguments, "null")
    named = arguments.maybe("SESSION")
    with call.open_store() as store, call.progress("reading logs", in_bytes=True) as progress:
        session = None if named is None else call.session(store, named)
        store.index.refresh(progress.reach)
        members = store.tree(session)
    if call.out.as_json:
        call.out.document([member.to_dict() for member in members])
    elif arguments.flag("null"):
        call.out.raw(b"".join(member.id.encode() + b"\0" for member in members))
    else:
        _draw(call, members)


def _draw(call: Call, members: tuple[Member, ...]) -> None:
    signs = signs_of(call)
    above: list[bool] = []  # for each level, whether more of it comes
    known = {member.id for member in members}
    for member in members:
        del above[member.depth :]
        lines = "".join(signs.pipe if more else "    " for more in above[1:])
        if member.depth:
            lines += signs.elbow if member.is_last else signs.branch
        above.append(not member.is_last)
        call.out.text(f"{lines}{_words(call, member, known, signs)}\n")


def _words(call: Call, member: Member, known: set[str], signs: Signs) -> str:
    words = [
        member.id,
        *([fit(member.name, _NAME_WIDTH, signs.rest)] if member.name else []),
        call.out.colour(STATUS_COLOURS.get(member.status, ""), member.status),
        f"{member.artifact_count:,} artifacts, {human_size(member.size)}",
    ]
    if member.is_fork:
        words.append("a fork")
    if member.parent is not None and member.depth == 0 and member.parent not in known:
        words.append(f"child of {member.parent}")
    return "  ".join(words)


VERBS = {
    "tree": Verb(
        _tree,
        about="Each session stands above its children. Without SESSION those of the whole store. --json prints a list, "
        "each session before its children, with how deep it stands.",
        positionals=(
            Positional(
                "SESSION",
                "This one and what descends from it: an id, a unique prefix of it, its unique name, or @",
                count="?",
                complete="session",
            ),
        ),
        options=(Option("-0 -z --null", "Only ids, each with a NUL behind it, as xargs -0 reads them"),),
        examples=(
            ("tree", "all sessions"),
            ("tree q4", "q4 and its children"),
            ("tree q4 -0 | xargs -0 -n 1 sessionfs session complete", "ends them all"),
        ),
        exits={3: "There is no such session."},
    ),
}
