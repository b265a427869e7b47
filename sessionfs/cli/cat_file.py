"""``cat-file``: an object's type, size or content."""

from __future__ import annotations

from typing import BinaryIO, cast

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.plumbing import Plumbing
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.oid import ObjectId

_MODES = ("exists", "type", "size", "print")


def _cat_file(call: Call, arguments: Arguments) -> int | None:
    modes = [mode for mode in _MODES if arguments.flag(mode)]
    if len(modes) != 1:
        raise UsageError("one of -t, -s, -p and -e is needed, and only one")
    text = arguments.text("OID")
    with Plumbing(call) as store:
        if modes[0] == "exists":
            return exits.YES if store.find_oids(text) else exits.NO
        oid = store.resolve_oid(text)
        kind = store.objects.kind(oid)
        if modes[0] == "print":
            _print(store, oid, kind)
            return None
        size = store.objects.size(oid)
    if call.out.as_json:
        call.out.document({"oid": oid, "kind": kind, "size": size})
    else:
        call.out.line(kind if modes[0] == "type" else size)
    return None


def _print(store: Plumbing, oid: ObjectId, kind: str) -> None:
    out = store.call.out
    if kind == "blob":
        store.objects.copy_out(oid, cast(BinaryIO, out.bytes_stream))
    else:
        out.raw(store.objects.read_json(kind, oid))


VERBS = {
    "cat-file": Verb(
        _cat_file,
        positionals=(Positional("OID", "An object's id, or a unique prefix of it with at least 4 digits"),),
        options=(
            Option("-t --type", "Print blob, tree or snapshot"),
            Option("-s --size", "Print the size of the content in bytes"),
            Option("-p --print", "Write the content as it is, checked against the id"),
            Option("-e --exists", "Only exit with 0 if it is there, with 1 if not"),
        ),
        examples=(
            ("cat-file -t 5f3c", "prints blob"),
            ("cat-file -p 5f3c >out", "writes the content"),
            ("cat-file -e 5f3c && echo yes", "asks"),
        ),
        exits={
            1: "With -e: there is no such object.",
            2: "The request is malformed, or several objects start so.",
            3: "There is no such object, or no store.",
            6: "The object is damaged.",
        },
    )
}
