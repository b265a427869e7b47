"""``fork`` and ``merge``: making two sessions of one, and bringing back what changed in the other."""

from __future__ import annotations

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.restore import write_changes
from sessionfs.cli.spec import READ_SESSION, SESSION, Option, Positional, Verb
from sessionfs.cli.values import DESCRIPTION, META, NAME, TAG, given_fields


def _fork(call: Call, arguments: Arguments) -> None:
    fields = given_fields(arguments)
    with call.open_store() as store:
        parent, moment = call.moment(store, arguments.text("SESSION"))
        named = arguments.maybe("at")
        if moment is not None and named is not None:
            raise UsageError(f"two moments were given: {moment!r} and {named!r}")
        child = parent.fork(moment or named or "now", id=arguments.maybe("id"), **fields)
        if arguments.flag("use"):
            store.sessions.use(child)
        record = child.to_dict() if call.out.as_json else {"id": child.id}
    if call.out.as_json:
        call.out.document(record)
    else:
        call.out.line(record["id"])


def _merge(call: Call, arguments: Arguments) -> int:
    dry_run = arguments.flag("dry-run")
    with call.open_store() as store:
        source = call.session(store, arguments.text("CHILD"))
        named = arguments.maybe("into")
        done = source.merge(None if named is None else call.session(store, named), dry_run=dry_run)
    if call.out.as_json:
        call.out.document(done.to_dict())
    elif done.conflicts:
        for conflict in done.conflicts:
            call.out.line("C", conflict.what, conflict.to_dict()["name"], conflict.source, conflict.target)
    else:
        write_changes(call, done.changes)
    if done.conflicts:
        call.say(
            f"sessionfs: {done.source} and {done.target} changed these in different ways since {done.base}; nothing "
            "was merged: make them the same in one of the two, and merge again"
        )
        return exits.NO
    if done.seq is not None:
        call.say(f"sessionfs: {done.source} is merged; what was before is {done.target}@{{{done.checkpoint}}}")
    return exits.YES


VERBS = {
    "fork": Verb(
        _fork,
        about="The new session is a child of SESSION, with the artifacts and the state that it has, or had at the "
        "moment named. Nothing is copied, so it takes no time and no space whatever there is; each goes its own way "
        "from then on. It inherits description, tags and metadata. Prints its id.",
        positionals=(READ_SESSION,),
        options=(
            Option("--at", "The moment; now by default", metavar="MOMENT"),
            Option("--id", "A slug, unique in the store; a UUIDv7 by default", metavar="ID"),
            NAME,
            DESCRIPTION,
            TAG,
            META,
            Option("--use", "Make it the current session"),
        ),
        examples=(
            ("fork q4 --id q4-again", "a copy to try things on"),
            ("fork q4 --at '10 minutes ago'", "as it was then"),
            ("fork 'q4@{before-merge}' --use", "likewise from a checkpoint"),
        ),
        exits={3: "There is no such session or moment.", 5: "The id is taken, or limits.max_sessions is reached."},
    ),
    "merge": Verb(
        _merge,
        about="Artifacts are compared path by path, state key by key, with what both had in common: the moment of the "
        "fork, or of the last merge. What only CHILD changed is taken over, as one operation, and a checkpoint is made "
        "of what was before. What both changed in different ways is a conflict: these are listed (C, artifact or "
        "state, the name, what became of it in CHILD and in PARENT), and nothing is taken over.",
        positionals=(Positional("CHILD", SESSION.help, complete="session"),),
        options=(
            Option("--into", "Where to; its parent by default", metavar="PARENT", complete="session"),
            Option("-n --dry-run", "Only say what would be changed"),
        ),
        examples=(
            ("merge q4-again", "into its parent"),
            ("merge q4 --into q4-again", "brings a fork up to date with its parent"),
        ),
        exits={
            0: "Everything was taken over, or there was nothing to be.",
            1: "There are conflicts.",
            4: "PARENT is not active.",
        },
    ),
}
