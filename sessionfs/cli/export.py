"""``export`` and ``import``: sessions as ordinary files."""

from __future__ import annotations

import os
from typing import BinaryIO, cast

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_put import check_outside
from sessionfs.cli.call import Call
from sessionfs.cli.exits import printable
from sessionfs.cli.spec import READ_SESSION, Option, Positional, Verb
from sessionfs.cli.values import DESCRIPTION, META, NAME, TAG, given_fields

_STREAM = "-"
_FORMATS = ("directory", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.lz4")


def _export(call: Call, arguments: Arguments) -> None:
    place = arguments.text("DEST")
    if place == _STREAM and call.out.is_terminal:
        raise UsageError("an archive is not written to a terminal; redirect standard output, or name a file")
    with call.open_store() as store, call.progress("exporting", in_bytes=True) as progress:
        session, moment = call.moment(store, arguments.text("SESSION"))
        _check_beside(call.path(place) if place != _STREAM else None, store.path)
        target = cast(BinaryIO, call.out.bytes_stream) if place == _STREAM else call.path(place)
        exported = session.export(
            target,
            moment=moment or "now",
            format=arguments.maybe("format"),
            all_versions=arguments.flag("all-versions"),
            progress=progress.advance,
        )
    if exported.absent:
        call.say(
            f"sessionfs: export: these could not be made there, and are in session.json only: "
            f"{printable(', '.join(exported.absent))}"
        )
    if exported.lost_xattr_count:
        call.say(
            f"sessionfs: export: {exported.lost_xattr_count} extended attributes could not be kept there, and are in "
            "session.json only"
        )
    if place != _STREAM and call.out.as_json:
        call.out.document(exported.to_dict())


def _check_beside(place: str | None, store_path: str) -> None:
    """Check that the export is not written into the store."""
    if place is None:
        return
    store, path = os.path.realpath(store_path), os.path.realpath(place)
    if os.path.commonpath((store, path)) == store:
        raise UsageError(f"{place} is in the store {store}; name a place outside it")


def _import(call: Call, arguments: Arguments) -> None:
    source = arguments.text("SOURCE")
    fields = given_fields(arguments)
    with call.open_store() as store, call.progress("importing", in_bytes=True) as progress:
        place = call.input_bytes() if source == _STREAM else call.path(source)
        if isinstance(place, str) and os.path.isdir(place):
            check_outside(place, store.path)
        imported = store.import_session(place, id=arguments.maybe("id"), progress=progress.advance, **fields)
        if arguments.flag("use"):
            store.sessions.use(imported.session_id)
    if imported.left_out:
        names = printable(", ".join(imported.left_out))
        call.say(f"sessionfs: import: extended attributes outside user. are not kept: {names}")
    if call.out.as_json:
        call.out.document(imported.to_dict())
    else:
        call.out.line(imported.session_id)


VERBS = {
    "export": Verb(
        _export,
        about="A directory, or a tar archive by the name of DEST, with artifacts/ as ordinary files (modes, times, "
        "owners, links, extended attributes), state/ with a JSON file for each key, and session.json with all that "
        "files cannot say. import makes the same session of it. DEST appears when it is complete.",
        positionals=(
            READ_SESSION,
            Positional(
                "DEST",
                "A directory; or .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.lz4; - is standard output as tar",
                complete="file",
            ),
        ),
        options=(
            Option("--format", "Whatever the name says", metavar="FORMAT", choices=_FORMATS),
            Option("--all-versions", "With the earlier versions of the artifacts, and the log as events"),
        ),
        examples=(
            ("export q4 q4.tar.gz", "an archive"),
            ("export 'q4@{yesterday}' /tmp/q4", "a directory, as it was then"),
            ("export q4 - | tar tv", "through a pipe"),
        ),
        exits={3: "There is no such session or moment.", 5: "Something is at DEST.", 6: "Some content is damaged."},
    ),
    "import": Verb(
        _import,
        about="What export wrote becomes the same session again; of any other directory or tar archive the files "
        "become artifacts, with modes, times, links and attributes in user. (owners too, if root does it). All of it "
        "or nothing: if anything is wrong, there is no session. Members of an archive that are absolute, step up by .. "
        "or lie behind a link are refused; nothing is ever written outside the store. Prints the session's id.",
        positionals=(
            Positional(
                "SOURCE",
                "A directory or a tar archive (gzip, bzip2, xz, lz4); - is an archive from standard input",
                complete="file",
            ),
        ),
        options=(
            Option("--id", "By default that of the exported session, else a UUIDv7", metavar="ID"),
            NAME,
            DESCRIPTION,
            TAG,
            META,
            Option("--use", "Make it the current session"),
        ),
        examples=(
            ("import q4.tar.gz", "an export, under its own id"),
            ("import q4.tar.gz --id q4-copy", "under another one"),
            ("import ~/project --name project --tag raw", "any directory"),
            ("import - <data.tar.xz", "any archive"),
        ),
        exits={
            2: "It holds what no session can have.",
            3: "There is no such source.",
            5: "The id is taken, or a limit of config.toml is reached.",
            6: "The archive is cut short or damaged.",
        },
    ),
}
