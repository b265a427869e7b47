"""``hash-object``: the id of content, which -w also stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.oid import Hasher, ObjectId

# What one update hashes: large enough for several threads (see sessionfs.oid).
_PIECE_BYTES = 8 << 20

HashStream = Callable[[BinaryIO], ObjectId]


def _hash_object(call: Call, arguments: Arguments) -> None:
    if not (arguments.texts("FILE") or arguments.flag("stdin") or arguments.flag("stdin-paths")):
        raise UsageError("nothing to hash was given: FILE, --stdin or --stdin-paths")
    if arguments.flag("stdin") and arguments.flag("stdin-paths"):
        raise UsageError("standard input cannot be both content and paths: --stdin or --stdin-paths")
    if not arguments.flag("write"):
        _print_oids(call, _oids(call, arguments, _hash, lambda path: _hash_path(path, _hash)))
        return
    from sessionfs.cli.plumbing import Plumbing

    with Plumbing(call) as store:

        def put_stream(file: BinaryIO) -> ObjectId:
            return store.objects.put_stream(file).oid

        def put_path(path: str) -> ObjectId:
            # A file at once is faster; a pipe can only be read as a stream.
            return store.objects.put_file(path).oid if os.path.isfile(path) else _hash_path(path, put_stream)

        _print_oids(call, _oids(call, arguments, put_stream, put_path))


def _oids(
    call: Call, arguments: Arguments, hash_stream: HashStream, hash_path: Callable[[str], ObjectId]
) -> Iterator[ObjectId]:
    if arguments.flag("stdin"):
        yield hash_stream(call.input_bytes())
    for path in arguments.texts("FILE"):
        yield hash_path(call.path(path))
    if arguments.flag("stdin-paths"):
        for line in call.input_bytes():
            yield hash_path(call.path(os.fsdecode(line.removesuffix(b"\n"))))


def _print_oids(call: Call, oids: Iterator[ObjectId]) -> None:
    if call.out.as_json:
        call.out.document(list(oids))
    else:
        for oid in oids:
            call.out.line(oid)


def _hash_path(path: str, hash_stream: HashStream) -> ObjectId:
    with open(path, "rb", buffering=0) as file:
        return hash_stream(file)


def _hash(file: BinaryIO) -> ObjectId:
    hasher = Hasher()
    while piece := file.read(_PIECE_BYTES):
        hasher.update(piece)
    return hasher.oid()


VERBS = {
    "hash-object": Verb(
        _hash_object,
        about="One id per line, in the order given: the BLAKE3 hash of the content, which b3sum prints too. Only -w "
        "needs a store.",
        positionals=(Positional("FILE", "Files", count="*", complete="file"),),
        options=(
            Option("-w --write", "Store the content as an object"),
            Option("--stdin", "Read content from standard input, before the FILEs"),
            Option("--stdin-paths", "Read paths from standard input, one per line, after the FILEs"),
        ),
        examples=(
            ("hash-object -w report.txt", "stores it and prints its id"),
            ("hash-object --stdin <report.txt", "only prints the id"),
        ),
        exits={3: "A file, or with -w the store, is not here.", 4: "A file may not be read, or the store not written."},
    )
}
