"""``bundle create``, ``verify`` and ``unbundle``: sessions in one file."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO, cast

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.backup import PRINTS, show
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb

if TYPE_CHECKING:
    from sessionfs.backup.bundle_create import Bundled

_STREAM = "-"


def _create(call: Call, arguments: Arguments) -> None:
    file = arguments.text("FILE")
    if file == _STREAM and call.out.is_terminal:
        raise UsageError("a bundle is not written to a terminal; redirect standard output, or name a file")
    with call.open_store() as store, call.progress("bundling", in_bytes=True) as progress:
        sessions = [call.session(store, text).id for text in arguments.texts("SESSION")]
        target = cast(BinaryIO, call.out.bytes_stream) if file == _STREAM else call.path(file)
        bundled = store.bundle(target, sessions or None, since=arguments.maybe("since"), progress=progress.advance)
    if file != _STREAM:
        _show(call, bundled)


def _verify(call: Call, arguments: Arguments) -> None:
    from sessionfs.api import verify_bundle

    with call.progress("checking", in_bytes=True) as progress, _opened(call, arguments.text("FILE")) as source:
        bundled = verify_bundle(progress.reading(source))
    _show(call, bundled)


def _unbundle(call: Call, arguments: Arguments) -> int:
    with (
        call.open_store() as store,
        call.progress("reading", in_bytes=True) as progress,
        _opened(call, arguments.text("FILE")) as source,
    ):
        return show(call, store.unbundle(source, arguments.texts("SESSION") or None, progress=progress.advance))


def _opened(call: Call, file: str) -> nullcontext[BinaryIO] | BinaryIO:
    return nullcontext(call.input_bytes()) if file == _STREAM else open(call.path(file), "rb")


def _show(call: Call, bundled: Bundled) -> None:
    if call.out.as_json:
        call.out.document(bundled.to_dict())
        return
    for part in bundled.sessions:
        call.out.line(part.id, str(part.start.seq), str(part.end.seq - 1), part.end.chain)


_PRINTS = "Prints a line for each session: its id, its first and last record in the bundle, and the chain of the last."
_FILE = Positional("FILE", "A file; - for standard output or input", complete="file")

VERBS = {
    "bundle create": Verb(
        _create,
        about="Everything of the sessions in one file: artifacts with all versions, state, events, checkpoints. What "
        "they were forked from comes along. With --since, what they had at that moment is left out, and whoever takes "
        "the bundle in must have it, from an earlier bundle for instance. Sessions without anything new are left out. "
        "FILE appears when it is whole. It is not compressed further: gzip or zstd can be put behind. " + _PRINTS,
        positionals=(
            _FILE,
            Positional("SESSION", "Sessions; all by default", count="*", complete="session"),
        ),
        options=(
            Option(
                "--since",
                "Only what came after this moment: a time; of one session also a record's number or a checkpoint",
                metavar="MOMENT",
            ),
        ),
        examples=(
            ("bundle create q4.bundle q4", "one session with its whole history"),
            ("bundle create week.bundle --since '7 days ago'", "what is new since then, of all sessions"),
            ("bundle create - q4 | ssh there sessionfs bundle unbundle -", "through a pipe"),
        ),
        exits={3: "There is no such session.", 6: "A session, or what it needs, is damaged."},
    ),
    "bundle verify": Verb(
        _verify,
        about="Reads all of a bundle and checks each byte: its own hash, the chain of each log, each object against "
        "its name. Needs no store. " + _PRINTS,
        positionals=(_FILE,),
        examples=(("bundle verify q4.bundle && echo whole", "checks a bundle"),),
        exits={0: "It is whole.", 6: "It is cut short, was changed, or is no bundle."},
    ),
    "bundle unbundle": Verb(
        _unbundle,
        about="Takes the sessions of a bundle over, with their ids and histories. One that is there gets what is new; "
        "one that has another history there is refused. All is checked before a record is taken over; doing it again "
        "changes nothing. " + PRINTS,
        positionals=(_FILE, Positional("SESSION", "Ids of sessions in the bundle; all by default", count="*")),
        examples=(("bundle unbundle q4.bundle", "takes it in"), ("bundle unbundle - <q4.bundle", "from a pipe")),
        exits={
            3: "The bundle does not have the session, or needs records that this store does not have.",
            5: "A session was refused.",
            6: "The bundle is damaged; no session was taken over.",
        },
    ),
}
