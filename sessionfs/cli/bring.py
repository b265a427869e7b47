"""``clone``, ``fetch`` and ``push``."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.backup import PRINTS, place_of, show
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Positional, Verb


def _clone(call: Call, arguments: Arguments) -> int:
    from sessionfs import api

    with call.progress("copying", in_bytes=True) as progress:
        source, path = place_of(call, arguments.text("SOURCE")), call.path(arguments.text("DEST"))
        return show(call, api.clone(source, path, progress=progress.reach))


def _fetch(call: Call, arguments: Arguments) -> int:
    with call.open_store() as store, call.progress("copying", in_bytes=True) as progress:
        source = place_of(call, arguments.text("SOURCE"))
        return show(call, store.fetch(source, arguments.texts("SESSION") or None, progress=progress.reach))


def _push(call: Call, arguments: Arguments) -> int:
    with call.open_store() as store, call.progress("copying", in_bytes=True) as progress:
        target = place_of(call, arguments.text("DEST"))
        sessions = [call.session(store, text).id for text in arguments.texts("SESSION")]
        return show(call, store.push(target, sessions or None, progress=progress.reach))


_RULES = (
    "A session comes whole or not at all. One that is there gets what is new; one that has another history there is "
    "refused, and so is one of which something is damaged. The sessions that it was forked from come along. Objects "
    "that are there are not copied. Both stores may be in use. "
)

VERBS = {
    "clone": Verb(
        _clone,
        about="A store with all sessions of SOURCE, and an id of its own: fetch and push bring sessions from one to "
        "the other. SOURCE is a directory, or host:path on another machine, which rsync reaches over ssh. Hooks are "
        "not copied. DEST appears when it is complete; doing it again goes on where it was interrupted. " + PRINTS,
        positionals=(
            Positional("SOURCE", "A store", complete="directory"),
            Positional("DEST", "A directory that is not there, or empty", complete="directory"),
        ),
        examples=(("clone /srv/runs mine", "copies a store"), ("clone server:/srv/runs mine", "from another machine")),
        exits={1: "Something is damaged.", 3: "There is no store.", 5: "Something is at DEST."},
    ),
    "fetch": Verb(
        _fetch,
        about=f"Brings sessions from another store into this one. {_RULES}{PRINTS}",
        positionals=(
            Positional("SOURCE", "A store in a directory", complete="directory"),
            Positional("SESSION", "Ids, unique starts of ids, or unique names, in SOURCE; all by default", count="*"),
        ),
        examples=(("fetch /srv/runs", "all that is new there"), ("fetch /srv/runs q4", "one session")),
        exits={3: "There is no such store or session.", 5: "A session was refused."},
    ),
    "push": Verb(
        _push,
        about=f"Brings sessions from this store into another one. {_RULES}{PRINTS}",
        positionals=(
            Positional("DEST", "A store in a directory", complete="directory"),
            Positional("SESSION", "Sessions of this store; all by default", count="*", complete="session"),
        ),
        examples=(("push /srv/runs", "all that is new here"), ("push /srv/runs @", "the current session")),
        exits={3: "There is no such store or session.", 5: "A session was refused."},
    ),
}
