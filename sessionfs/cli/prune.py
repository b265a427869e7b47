"""``prune``: a session gives old versions up."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.gc import duration
from sessionfs.cli.log import done_to
from sessionfs.cli.spec import SESSION, Option, Positional, Verb


def _prune(call: Call, arguments: Arguments) -> None:
    keep, keep_for_ns = arguments.number("keep"), duration(arguments, "keep-for")
    if keep is None and keep_for_ns is None:
        raise UsageError("say what is to be kept: --keep N versions of each artifact, --keep-for TIME, or both")
    keep_for = None if keep_for_ns is None else keep_for_ns / 1e9
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        paths = [tree_path(path) for path in arguments.texts("PATH")]
        for path in paths:
            done_to(session, path)  # which raises
        done = session.prune(keep=keep, keep_for=keep_for, paths=paths, dry_run=arguments.flag("dry-run"))
    if call.out.as_json:
        call.out.document(done.to_dict())
        return
    for path in done.paths:
        call.out.line(path)
    verb = "would give up" if arguments.flag("dry-run") else "gave up"
    call.say(
        f"sessionfs: prune: {done.session_id} {verb} {done.version_count} versions, {done.size} bytes; "
        "gc takes to the trash what nothing else needs of them"
    )


VERBS = {
    "prune": Verb(
        _prune,
        about="Never given up is what is live, pinned, or in a checkpoint; with both options, what either keeps. The "
        "log stays as it is: a record names what was given up, verify-log and every moment work as before, and reading "
        "a version that is gone says so. Prints the paths of the artifacts that have fewer versions now.",
        positionals=(SESSION, Positional("PATH", "Only these, and what is below them", count="*", complete="artifact")),
        options=(
            Option("--keep", "Keep the last N versions of each artifact", metavar="N", number=True),
            Option("--keep-for", "Keep what was live at some time in the last so long", metavar="TIME"),
            Option("--dry-run", "Only say what would go"),
        ),
        examples=(
            ("prune q4 --keep 10", "gives up all but the last ten versions of each artifact"),
            ("prune q4 --keep-for 30d logs", "every moment of the last 30 days stays whole, below logs"),
        ),
        exits={
            2: "Nothing was said to keep.",
            3: "There is no such session, or never was such a PATH in it.",
            6: "The session is damaged.",
        },
    ),
}
