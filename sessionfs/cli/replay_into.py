"""``replay --into``: the same events in a fork, but for some that are dropped or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.exits import printable
from sessionfs.cli.values import parse_json

if TYPE_CHECKING:
    from sessionfs.api import Session, WhatIf


def replay_into(call: Call, session: Session, end: str, arguments: Arguments) -> int:
    """Make the fork and print its id; returns the exit code."""
    change = dict(_change(text) for text in arguments.texts("change"))
    content = dict(_content(call, text) for text in arguments.texts("content"))
    drop = arguments.texts("drop")
    done = session.what_if(id=arguments.text("into"), drop=drop, change=change, content=content, end=end)
    if call.out.as_json:
        call.out.document(done.to_dict())
    else:
        call.out.line(done.session)
        _say(call, done)
    return exits.NO if done.impossible else exits.YES


def _say(call: Call, done: WhatIf) -> None:
    counts = [(done.count, "happened again"), (len(done.dropped), "dropped"), (len(done.changed), "changed")]
    told = ", ".join(f"{count} {what}" for count, what in counts if count)
    call.say(
        f"sessionfs: events of {done.of} since {done.begins}: {told}; compare: sessionfs diff {done.of} {done.session}"
    )
    for one in done.impossible:
        call.say(f"sessionfs: {one.event} ({one.type}) could not happen: {printable(one.why)}")


def _change(text: str) -> tuple[int, dict[str, Any]]:
    seq, json = _split(text, "--change", "--change '7={\"new\": 3}'")
    try:
        fields = parse_json(json)
    except ValueError as failure:
        raise UsageError(f"--change {text!r:.100} is no JSON after the '=': {failure}") from failure
    if not isinstance(fields, dict):
        raise UsageError(f"--change {text!r:.100}: an object is needed, with the fields that are to be others")
    return seq, fields


def _content(call: Call, text: str) -> tuple[int, bytes]:
    seq, path = _split(text, "--content", "--content 7=report.txt")
    if path == "-":
        return seq, call.input_bytes().read()
    with open(call.path(path), "rb") as file:
        return seq, file.read()


def _split(text: str, option: str, example: str) -> tuple[int, str]:
    seq, equals, rest = text.partition("=")
    if not equals or not rest or not (seq.isascii() and seq.isdecimal() and len(seq) <= 18):
        raise UsageError(f"{option} takes the number of an event and what is to be; as in {example}")
    return int(seq), rest
