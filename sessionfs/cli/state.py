"""``state``: a session's keys and values."""

from __future__ import annotations

import json
from typing import Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.exits import printable
from sessionfs.cli.spec import READ_SESSION, SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column
from sessionfs.cli.values import parse_json

STDIN = "-"

# A terminal shows values up to here.
_SHOWN_SIGNS = 60


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_SIGNS else text[: _SHOWN_SIGNS - 1] + "…"


_COLUMNS = (Column("key"), Column("value", human=lambda text: _shorten(printable(text))))


def _get(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        value = call.reading(store, arguments.text("SESSION")).state[arguments.text("KEY")]
    if not arguments.flag("string"):
        call.out.document(value)
    elif isinstance(value, str):
        call.out.text(value + "\n")
    else:
        raise UsageError(f"the value of {arguments.text('KEY')!r} is no text; leave out --string to see its JSON")


def _set(call: Call, arguments: Arguments) -> None:
    key = arguments.text("KEY")
    value = _value(call, arguments)
    expected = arguments.maybe("if-match")
    conditions: dict[str, Any] = {"if_none_match": arguments.flag("if-none-match")}
    if expected is not None:
        conditions["if_match"] = _parse(expected, arguments)
    with call.open_store() as store:
        call.session(store, arguments.text("SESSION")).state.set(key, value, **conditions)
    if call.out.as_json:
        call.out.document({key: value})


def _value(call: Call, arguments: Arguments) -> Any:
    text = arguments.text("VALUE")
    if text == STDIN:
        try:
            text = call.input_bytes().read().decode()
        except UnicodeDecodeError as failure:
            raise UsageError(f"what standard input gave is no UTF-8 text: {failure}") from failure
        if arguments.flag("string"):
            return text.removesuffix("\n")
    return _parse(text, arguments)


def _parse(text: str, arguments: Arguments) -> Any:
    if arguments.flag("string"):
        return text
    try:
        return parse_json(text)
    except ValueError as failure:
        raise UsageError(f"the value is not JSON ({failure}); for a text, add --string") from failure


def _remove(call: Call, arguments: Arguments) -> None:
    keys = arguments.texts("KEY")
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        # Inside, so that a key that is not there keeps all the others.
        with session.operation(), session.core.writing():
            for key in keys:
                session.state[key]
            for key in dict.fromkeys(keys):
                del session.state[key]
    if call.out.as_json:
        call.out.document(keys)


def _list(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        state = call.reading(store, arguments.text("SESSION")).state.to_dict(arguments.maybe("PREFIX") or "")
    if call.out.as_json:
        call.out.document(state)
    else:
        rows = [{"key": key, "value": json.dumps(value, ensure_ascii=False)} for key, value in state.items()]
        call.out.table(_COLUMNS, rows)


_KEY = Positional("KEY", "A key of the session's state", complete="key")
_KEYS = Positional("KEY", "Keys of the session's state", count="+", complete="key")

VERBS = {
    "state get": Verb(
        _get,
        about="Prints the value as JSON.",
        positionals=(READ_SESSION, _KEY),
        options=(Option("--string", "Print a text as it is, without quotes"),),
        examples=(("state get @ step", "prints 3"), ("state get q4 user --string", "prints a text")),
        exits={2: "The value is no text, with --string; or usage.", 3: "There is no such session or key."},
    ),
    "state set": Verb(
        _set,
        positionals=(SESSION, _KEY, Positional("VALUE", "JSON; - reads it from standard input")),
        options=(
            Option("--string", "VALUE, and that of --if-match, is text rather than JSON"),
            Option("--if-match", "Only if the value is this one now", metavar="VALUE"),
            Option("--if-none-match", "Only if the key has no value"),
        ),
        examples=(
            ("state set @ step 3", "a number"),
            ("state set @ user --string ada", "a text, the same as '\"ada\"'"),
            ("state set q4 config - <config.json", "a large value"),
            ("state set @ step 4 --if-match 3", "unless somebody was faster"),
        ),
        exits={
            2: "The request is malformed: VALUE is no JSON, or the key cannot be one.",
            3: "There is no such session.",
            4: "The session is not active.",
            5: "The value is not what --if-match or --if-none-match says; nothing was changed.",
        },
    ),
    "state rm": Verb(
        _remove,
        about="When one KEY is not there, none is deleted.",
        positionals=(SESSION, _KEYS),
        examples=(("state rm @ step user", "deletes two keys"),),
        exits={3: "There is no such session or key.", 4: "The session is not active."},
    ),
    "state list": Verb(
        _list,
        about="One line per key: key and JSON, separated by a tab when standard output is no terminal.",
        positionals=(READ_SESSION, Positional("PREFIX", "Only keys that start so", count="?")),
        examples=(("state list @", "all keys"), ("state list q4 user.", "keys that start with 'user.'")),
        exits={3: "There is no such session."},
    ),
}
