"""``use``: choose the current session."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb


def _use(call: Call, arguments: Arguments) -> None:
    named = arguments.maybe("SESSION")
    if named is not None and arguments.flag("none"):
        raise UsageError("a SESSION and --none exclude each other")
    with call.open_store() as store:
        if arguments.flag("none"):
            store.sessions.use(None)
            chosen = None
        else:
            session = call.session(store, named)
            chosen = session.id
            if named is not None:
                store.sessions.use(session)
    overriding = call.env.get("SESSIONFS_SESSION")
    if overriding and (named is not None or arguments.flag("none")):
        call.say(f"sessionfs: use: noted, but SESSIONFS_SESSION is {overriding!r} and wins as long as it is set")
    if call.out.as_json:
        call.out.document({"id": chosen})
    elif chosen is not None:
        call.out.line(chosen)


VERBS = {
    "use": Verb(
        _use,
        about="The current session is what @ stands for. It is kept in the store's HEAD, for every process; the "
        "environment's SESSIONFS_SESSION wins over it. Without SESSION the current one is printed.",
        positionals=(
            Positional("SESSION", "A session's id, a unique prefix of it, or its name", count="?", complete="session"),
        ),
        options=(Option("--none", "No session is the current one"),),
        examples=(
            ("use q4", "makes q4 the current session"),
            ("use", "prints the current session's id"),
            ("artifact put @ report.txt", "puts into it"),
        ),
        exits={3: "There is no such session, or no current one."},
    )
}
