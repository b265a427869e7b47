"""``hooks``: what is called before and after changes, and how it fares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column, human_time

if TYPE_CHECKING:
    from sessionfs.api import Store
    from sessionfs.store.session import Session

_STATE_COLOURS = {
    "enabled": "green",
    "open": "red",
    "distrusted": "red",
    "broken": "red",
    "unknown": "red",
    "trying": "yellow",
}


def _human_ms(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


_LIST_COLUMNS = (
    Column("name"),
    Column("at", header="CALLED AT"),
    Column("kind"),
    Column("priority", right=True),
    Column("state", colours=_STATE_COLOURS),
    Column("calls", right=True),
    Column("failures", header="FAILED", right=True),
    Column("vetoes", right=True),
    Column("skipped", right=True),
    Column("mean_ms", header="MEAN", human=_human_ms, right=True),
    Column("longest_ms", header="LONGEST", human=_human_ms, right=True),
    Column("last_result", header="LAST"),
    Column("last_at", header="LAST AT", human=human_time),
    Column("open_in", header="OPEN IN"),
    Column("message"),
)

_RUN_COLUMNS = (
    Column("hook"),
    Column("result"),
    Column("duration_ms", header="DURATION", human=_human_ms, right=True),
    Column("message"),
)


def _list(call: Call, arguments: Arguments) -> None:
    from sessionfs.hooks.listing import list_hooks

    with call.open_store() as store:
        named = arguments.maybe("SESSION")
        sessions = None if named is None else [_resolve(call, store, named).id]
        infos = [info.to_dict() for info in list_hooks(store.hooks, sessions)]
    call.out.table(_LIST_COLUMNS, infos)


def _run(call: Call, arguments: Arguments) -> int:
    from sessionfs.hooks.points import parse_place
    from sessionfs.hooks.trying import try_hooks

    place = parse_place(arguments.text("POINT"))
    with call.open_store() as store:
        session = _resolve(call, store, arguments.text("SESSION"))
        outcomes = try_hooks(store.hooks, session, place, arguments.maybe("ABOUT"), only=arguments.maybe("hook"))
    rows: list[dict[str, Any]] = [
        {
            "hook": name,
            "result": outcome.report.result,
            "duration_ms": round(outcome.report.duration_ns / 1_000_000, 3),
            "message": outcome.report.message,
            "modified": outcome.modified,
        }
        for name, outcome in outcomes
    ]
    call.out.table(_RUN_COLUMNS, rows)
    return exits.NO if any(outcome.is_refusal for _, outcome in outcomes) else exits.YES


def _resolve(call: Call, store: Store, text: str) -> Session:
    """Return a session without loading it, which is itself a point for hooks."""
    return store.core.resolve(text, current=call.env.get("SESSIONFS_SESSION") or None)


def _enable(call: Call, arguments: Arguments) -> None:
    _switch(call, arguments, on=True)


def _disable(call: Call, arguments: Arguments) -> None:
    _switch(call, arguments, on=False)


def _switch(call: Call, arguments: Arguments, *, on: bool) -> None:
    from sessionfs.hooks.switching import switch

    with call.open_store() as store:
        changed = [name for name in arguments.texts("HOOK") if switch(store.hooks, name, on=on)]
    if call.out.as_json:
        call.out.document(changed)


_HOOKS = Positional(
    "HOOK", "The path of an executable below hooks/, or from templates/ on; or the name of an entry point", count="+"
)
_SWITCH_EXITS = {3: "There is no such hook.", 4: "It is not yours to change."}

VERBS = {
    "hooks list": Verb(
        _list,
        about="Executables in the store's hooks/, functions of installed packages, and what else left records, in the "
        "order in which they are called. Counts and times are those of all sessions, or of SESSION. STATE is enabled, "
        "disabled, open (failed so often that it is skipped for 15 seconds; OPEN IN names the sessions), trying (after "
        "that), distrusted (an executable of another user than you or root), broken (a package that cannot be "
        "loaded), unknown (no such point) or gone (left records and is not here).",
        positionals=(Positional("SESSION", "Count what they did in this session only", count="?", complete="session"),),
        examples=(("hooks list", "all hooks of the store"), ("hooks list @ --json", "what they did in one session")),
        exits={3: "There is no such session."},
    ),
    "hooks run": Verb(
        _run,
        about="Calls what is called at a point, to see what it says. Nothing is done, and nothing is recorded. For the "
        "points of artifacts, ABOUT is the path of one that is there; for state.change, a key that is there.",
        positionals=(
            Positional("POINT", "As in pre-artifact-store or post-session-complete"),
            SESSION,
            Positional("ABOUT", "The path of an artifact, or a key of the state", count="?", complete="artifact"),
        ),
        options=(Option("--hook", "Only this one", metavar="HOOK"),),
        examples=(
            ("hooks run pre-artifact-store @ report.txt", "asks whether report.txt could be stored"),
            ("hooks run post-session-complete q4 --hook post-session-complete.d/50-mail", "calls one hook"),
        ),
        exits={
            1: "A hook refused or failed.",
            2: "There is no such point, or ABOUT is missing; or usage.",
            3: "There is no such session, artifact or key, or nothing is called there.",
        },
    ),
    "hooks enable": Verb(
        _enable,
        about="An executable gets the permission to be executed. An entry point is enabled with all it registers.",
        positionals=(_HOOKS,),
        examples=(("hooks enable pre-artifact-store", "as chmod +x hooks/pre-artifact-store"),),
        exits=_SWITCH_EXITS,
    ),
    "hooks disable": Verb(
        _disable,
        about="An executable loses the permission to be executed. An entry point is disabled for this store; processes "
        "that have loaded it go on calling it.",
        positionals=(_HOOKS,),
        examples=(("hooks disable post-session-complete.d/50-mail", "as chmod -x on that file"),),
        exits=_SWITCH_EXITS,
    ),
}
