"""``diff``: what changed between two moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call, is_moment
from sessionfs.cli.changes import records_of, write_diff, write_names, write_stat, write_total
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.errors import NotFound

if TYPE_CHECKING:
    from sessionfs.api import Session, SessionView, Store


def _diff(call: Call, arguments: Arguments) -> int:
    first, words = arguments.text("MOMENT"), arguments.texts("OTHER")
    with call.open_store() as store:
        session, moment = call.moment(store, first)
        before = session.at(moment or "now")
        after = _other(call, store, before, words[0]) if words else None
        paths = [_path(word) for word in (words if after is None else words[1:])]
        if after is None:
            if moment is None:
                raise UsageError(
                    f"{first!r} is the present, and so is the other side; name a moment, as in {first}@{{5}}"
                )
            after = session.at("now")
        for path in paths:
            if path not in before.artifacts and path not in after.artifacts:
                raise NotFound(f"{path!r} is neither a moment nor a path on either side")
        difference = session.diff(before, after, paths)
        if call.out.as_json:
            call.out.document(records_of(difference))
        elif arguments.flag("names"):
            write_names(call, difference)
        elif arguments.flag("stat"):
            write_total(call, difference, write_stat(call, difference))
        else:
            write_diff(call, difference)
        return exits.NO if difference else exits.YES


def _other(call: Call, store: Store, before: SessionView, word: str) -> SessionView | None:
    """Return the second moment, if *word* is one rather than a path."""
    if is_moment(word) or word == "@":
        session, moment = call.moment(store, word)
        return session.at(moment or "now")
    session_named = _find_session(call, store, word)
    if session_named is None:
        return None
    path = tree_path(word)
    if path in before.artifacts or path in before.session.artifacts:
        raise UsageError(f"{word!r} is a session and a path: write {word}@{{now}} for the one, ./{word} for the other")
    return session_named.at("now")


def _find_session(call: Call, store: Store, word: str) -> Session | None:
    try:
        return call.session(store, word)
    except NotFound:
        return None


def _path(word: str) -> str:
    path = tree_path(word.removeprefix("./"))
    if not path:
        raise UsageError("a path names an artifact or a directory; without one everything is compared")
    return path


VERBS = {
    "diff": Verb(
        _diff,
        about="From the first moment to the second, by default to now. Artifacts are shown as by git diff, in a form "
        "that patch -p1 and git apply take; what a patch has no words for, such as tags, stands in lines that begin "
        "with '#'. State follows, a value a piece; with paths it is left out. What differs in times alone is no "
        "difference. Two sessions can be compared as well, such as a fork and its parent.",
        positionals=(
            Positional("MOMENT", "SESSION@{…}, or SESSION for now", complete="session"),
            Positional("OTHER", "The second moment, then paths; or paths alone", count="*", complete="session"),
        ),
        options=(
            Option("--names", "Only what changed: A, D, M or R (renamed), artifact or state, its name, its old name"),
            Option("--stat", "How much changed"),
        ),
        examples=(
            ("diff '@{before-merge}'", "what has changed since that checkpoint"),
            ("diff 'q4@{5}' 'q4@{9}' report.txt", "one artifact between two moments"),
            ("diff q4 q4-again --names", "what differs between two sessions now"),
        ),
        exits={
            0: "There is no difference.",
            1: "There are differences.",
            3: "There is no such session, moment or path.",
        },
    )
}
