"""``verify-log`` and ``log-head``: whether logs are what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.plumbing import Plumbing
from sessionfs.cli.spec import SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column
from sessionfs.errors import Corrupt

if TYPE_CHECKING:
    from sessionfs.log.pages import Place


def _verify(call: Call, arguments: Arguments) -> int:
    from sessionfs.events.whole import verify

    with Plumbing(call) as plumbing:
        session_id = plumbing.resolve_session(arguments.text("SESSION"))
    with call.open_store() as store:
        verdict = verify(store.core, session_id, head=arguments.maybe("head"))
    if call.out.as_json:
        call.out.document(verdict.to_dict())
    else:
        call.out.line("whole" if verdict.is_whole else "not whole", verdict.count, verdict.chain or "-", session_id)
    if verdict.fault is not None:
        call.say(f"sessionfs: verify-log: session {session_id}: {exits.printable(verdict.fault)}")
    return exits.YES if verdict.is_whole else exits.NO


_COLUMNS = (Column("chain"), Column("count", right=True), Column("session"))


def _heads(call: Call, arguments: Arguments) -> int:
    heads: dict[str, Place | None] = {}
    damaged: dict[str, Corrupt] = {}
    with Plumbing(call) as plumbing:
        named = arguments.texts("SESSION")
        for session_id in [plumbing.resolve_session(text) for text in named] if named else plumbing.session_ids():
            try:
                heads[session_id] = _head(plumbing, session_id, must_be_there=bool(named))
            except Corrupt as failure:
                damaged[session_id] = failure
    rows = [
        {"chain": place.chain, "count": place.seq, "session": session_id}
        for session_id, place in heads.items()
        if place is not None
    ]
    call.out.table(_COLUMNS, rows)
    for session_id, found in damaged.items():
        call.say(f"sessionfs: log-head: session {session_id}: {exits.message_of(found)}")
    return exits.EXIT_OF_KIND[Corrupt] if damaged else exits.YES


def _head(plumbing: Plumbing, session_id: str, *, must_be_there: bool) -> Place | None:
    """Return the place behind the last good record; None for a session that never came to be, or is gone.

    Raises:
        CorruptLog: The log is damaged at its end.
        NoSuchLog: It is gone, and must be there.
    """
    from sessionfs.log.lines import NoSuchLog
    from sessionfs.log.pages import find_end

    try:
        end = find_end(plumbing.disk, plumbing.layout.log(session_id), session_id)
    except NoSuchLog:
        if must_be_there:
            raise
        return None
    if end.damage is not None:
        raise end.damage
    return end.place if end.place.seq else None


VERBS = {
    "verify-log": Verb(
        _verify,
        about="Reads every record and checks that each follows from the one before it, so that none was changed, left "
        "out, swapped or added. With --head, a chain that log-head printed earlier, also that none up to there was "
        "cut off, and that nobody wrote all of them anew. Prints the answer, how many records are good, the chain of "
        "the last one, and the session.",
        positionals=(SESSION,),
        options=(Option("--head", "A head of the log that was noted earlier", metavar="CHAIN"),),
        examples=(
            ("verify-log q4", "prints whole, 1204 and a chain"),
            ("verify-log q4 --head 5e7bb3d375baa00d5829e1b53278e3d3", "as it was when this was its head, and longer"),
        ),
        exits={1: "The log is not whole.", 3: "There is no such session."},
    ),
    "log-head": Verb(
        _heads,
        about="Prints the chain of the last record, how many records there are, and the session; without SESSION for "
        "all sessions. Kept where nobody who writes to the store can change it, it is proof of all records up to then; "
        "see verify-log.",
        positionals=(Positional("SESSION", "Sessions; all by default", count="*", complete="session"),),
        examples=(("log-head >heads", "notes the heads of all sessions"), ("log-head @", "of the current one")),
        exits={3: "There is no such session.", 6: "A log is damaged at its end; the heads of the others are printed."},
    ),
}
