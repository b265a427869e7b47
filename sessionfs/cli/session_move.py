"""The steps of a session's life, saving it, and moving it to the trash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import CURRENT_SESSION, SESSION, Option, Verb

if TYPE_CHECKING:
    from sessionfs.api import Session
    from sessionfs.cli.spec import Run


def _step(move: Callable[[Session, Arguments], None]) -> Run:
    """Return what runs a verb that takes a session one step further."""

    def run(call: Call, arguments: Arguments) -> None:
        with call.open_store() as store:
            session = call.session(store, arguments.maybe("SESSION"))
            move(session, arguments)
            record = session.to_dict()
        if call.out.as_json:
            call.out.document(record)

    return run


def _fail(session: Session, arguments: Arguments) -> None:
    session.fail(arguments.text("reason"))


def _fail_with_reason(call: Call, arguments: Arguments) -> int | None:
    if not arguments.maybe("reason"):
        raise UsageError("--reason is missing: say why the session failed")
    return _step(_fail)(call, arguments)


def _save(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("SESSION"))
        oid = session.save()
    if call.out.as_json:
        call.out.document({"id": session.id, "snapshot": oid})
    else:
        call.out.line(oid)


def _delete(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        place = session.delete()
        grace_ns = store.core.config.trash_grace_ns
    call.say(
        f"sessionfs: session {session.id} is in the trash, at {place}; "
        f"nothing there is removed before {_duration(grace_ns)} have passed"
    )
    if call.out.as_json:
        call.out.document({"id": session.id, "trash": place})


def _duration(ns: int) -> str:
    seconds = ns // 1_000_000_000
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"


_EXITS = {3: "There is no such session.", 5: "From its status this step is not possible; nothing was changed."}

VERBS = {
    "session save": Verb(
        _save,
        about="Prints the snapshot's id. A session is saved by itself when it is suspended or ended, and as its log "
        "grows.",
        positionals=(CURRENT_SESSION,),
        examples=(("session save @", "prints the id of the new snapshot"),),
        exits={3: "There is no such session."},
    ),
    "session suspend": Verb(
        _step(lambda session, _: session.suspend()),
        positionals=(CURRENT_SESSION,),
        examples=(("session suspend q4", "makes q4 read-only until it is resumed"),),
        exits=_EXITS,
    ),
    "session resume": Verb(
        _step(lambda session, _: session.resume()),
        positionals=(CURRENT_SESSION,),
        examples=(("session resume q4", "makes q4 active again"),),
        exits=_EXITS,
    ),
    "session complete": Verb(
        _step(lambda session, _: session.complete()),
        about="A finished session stays listed, readable and mountable, and cannot be changed any more.",
        positionals=(CURRENT_SESSION,),
        examples=(("session complete q4", "ends q4 well"),),
        exits=_EXITS,
    ),
    "session fail": Verb(
        _fail_with_reason,
        positionals=(CURRENT_SESSION,),
        options=(Option("--reason", "Why; this is needed", metavar="TEXT"),),
        examples=(("session fail q4 --reason 'the model gave up'", "ends q4 badly"),),
        exits=_EXITS,
    ),
    "session archive": Verb(
        _step(lambda session, _: session.archive()),
        positionals=(CURRENT_SESSION,),
        examples=(("session archive q4", "puts q4, which has ended, away"),),
        exits=_EXITS,
    ),
    "session delete": Verb(
        _delete,
        about="Nothing is removed: the session moves to the store's trash, and stays there for retention.trash_grace.",
        positionals=(SESSION,),
        examples=(("session delete q4", "moves q4 to the trash, and says where it is"),),
        exits={3: "There is no such session."},
    ),
}
