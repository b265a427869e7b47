"""``cat-log``: a session's log, as it stands on disk."""

from __future__ import annotations

from itertools import islice

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.plumbing import Plumbing
from sessionfs.cli.spec import READ_SESSION, Option, Verb


def _cat_log(call: Call, arguments: Arguments) -> None:
    from sessionfs.log.lines import read_lines

    first = arguments.number("from") or 0
    with Plumbing(call) as store:
        session_id, last = store.resolve_moment(arguments.text("SESSION"))
        # The log alone, not the session: a log that adds up to nothing can still be read.
        whole = read_lines(store.disk, store.layout.log(session_id), session_id)
        until = whole if last is None else islice(whole, last + 1)
        lines = (line for seq, line in enumerate(until) if seq >= first)
        if call.out.as_json:
            import json

            call.out.document([json.loads(line) for line in lines])
        else:
            for line in lines:
                call.out.raw(line)


VERBS = {
    "cat-log": Verb(
        _cat_log,
        about="Every record is a line of JSON, and is checked against its chain. At a damaged record the output ends "
        "with an error; what a crash left incomplete at the end is left out.",
        positionals=(READ_SESSION,),
        options=(Option("--from", "Begin with the record of this number", metavar="SEQ", number=True),),
        examples=(
            ("cat-log @ | jq -r .type | sort | uniq -c", "counts the current session's events"),
            ("cat-log q4 --from 100", "leaves out the first hundred"),
        ),
        exits={3: "There is no such session.", 6: "The log is damaged; the records before the damage are printed."},
    )
}
