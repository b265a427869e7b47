"""``record``: an event from a shell."""

from __future__ import annotations

from typing import Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.values import parse_json

STDIN = "-"


def _record(call: Call, arguments: Arguments) -> None:
    data = _data(call, arguments.maybe("data"))
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("session"))
        seq = session.record(
            arguments.text("TYPE"),
            data,
            correlation_id=arguments.maybe("correlation"),
            cause=arguments.maybe("cause"),
            trace=arguments.maybe("trace"),
        )
        id = f"{session.id}:{seq}"
    if call.out.as_json:
        call.out.document({"session": session.id, "seq": seq})
    else:
        call.out.line(id)


def _data(call: Call, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    if text == STDIN:
        try:
            text = call.input_bytes().read().decode()
        except UnicodeDecodeError as failure:
            raise UsageError(f"what standard input gave is no UTF-8 text: {failure}") from failure
    try:
        data = parse_json(text)
    except ValueError as failure:
        raise UsageError(
            f"the data are not JSON ({failure}); an object is needed, as in '{{\"step\": 3}}'"
        ) from failure
    if not isinstance(data, dict):
        raise UsageError("the data are no JSON object; one is needed, as in '{\"step\": 3}'")
    return data


VERBS = {
    "record": Verb(
        _record,
        about="Prints the event's id. Types: agent.executed, tool.invoked, workflow.started, workflow.completed, "
        "error.occurred, warning.raised, and custom.… of one's own; every other type is recorded by what it says. "
        "The correlation id is $SESSIONFS_CORRELATION_ID when none is given, the trace $TRACEPARENT.",
        positionals=(Positional("TYPE", "What happened"),),
        options=(
            Option("--data", "What there is to say, a JSON object; - reads it from standard input", metavar="JSON"),
            Option("--session", "Where; the current session by default", metavar="SESSION", complete="session"),
            Option("--correlation", "What it shares with other events of the same work", metavar="ID"),
            Option("--cause", "The event that it follows from", metavar="SESSION:SEQ"),
            Option("--trace", "A W3C traceparent", metavar="TRACEPARENT"),
        ),
        examples=(
            ('record custom.deployed --data \'{"version": "1.2"}\'', "prints q4:17"),
            (
                'record error.occurred --data \'{"code": "E42", "message": "no such host"}\' --cause q4:17',
                "what came of it",
            ),
            ("record tool.invoked --session q4 --data - <call.json", "data of any size"),
        ),
        exits={
            2: "The request is malformed: the type, the data, an id.",
            3: "There is no such session.",
            4: "The session is not active.",
        },
    )
}
