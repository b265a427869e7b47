"""``artifact list`` and ``artifact show``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import ARTIFACT, READ_SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column, human_size, human_time

_SHORT = (Column("path"),)

_LONG = (
    Column("kind"),
    Column("mode"),
    Column("version", right=True),
    Column("size", human=human_size, right=True),
    Column("stored_size", "STORED", human=human_size, right=True),
    Column("updated_at", "UPDATED", human=human_time),
    Column("type"),
    Column("oid", human=lambda oid: str(oid)[:12]),
    Column("path"),
)

_SHOWN: dict[str, Callable[[Any], str]] = {
    "created_at": human_time,
    "updated_at": human_time,
    "mtime": human_time,
    "size": human_size,
    "stored_size": human_size,
}


def _list(call: Call, arguments: Arguments) -> None:
    call.check_form(arguments, "null")
    with call.open_store() as store:
        artifacts = call.reading(store, arguments.text("SESSION")).artifacts
        found = artifacts.list(
            tree_path(arguments.maybe("PATH") or ""),
            recursive=arguments.flag("recursive"),
            type=arguments.maybe("type"),
            tags=arguments.texts("tag"),
        )
    if arguments.flag("null"):
        from sessionfs.artifacts.names import encode

        for artifact in found:
            call.out.raw(encode(artifact.path) + b"\0")
        return
    columns = _LONG if arguments.flag("long") else _SHORT
    call.out.table(columns, [artifact.to_dict() for artifact in found])


def _show(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        artifacts = call.reading(store, arguments.text("SESSION")).artifacts
        record = artifacts[tree_path(arguments.text("PATH"))].to_dict()
    call.out.details(record, _SHOWN)


def tree_path(path: str) -> str:
    """Return a path in a session as the API takes it: one '/' at its end is allowed, "." and "/" are the root ("")."""
    return "" if path in (".", "/") else path.removesuffix("/")


VERBS = {
    "artifact list": Verb(
        _list,
        about="What is directly in PATH, or in the session, a path in a line; with -R all artifacts below. With -l "
        "kind, mode, version, size, stored_size, updated_at, type, oid and path, separated by tabs when standard "
        r"output is no terminal. Bytes of names that are no UTF-8 are shown as \xHH; -z gives them as they are.",
        positionals=(
            READ_SESSION,
            Positional("PATH", "A directory of the session's tree", count="?", complete="artifact"),
        ),
        options=(
            Option("-l --long", "More than the path"),
            Option("-R --recursive", "Everything below, directories left out"),
            Option("-z --null", "Raw paths, each with a NUL behind it, as xargs -0 reads them"),
            Option("--type", "Only of this type", metavar="TYPE"),
            Option("--tag", "Only with this tag; repeated, all of them", metavar="TAG", repeat=True),
        ),
        examples=(
            ("artifact list @ -l", "what is at the top of the current session"),
            ("artifact list q4 data -R --tag input", "paths below data/ that have the tag input"),
            ("artifact list 'q4@{yesterday}' -l", "what was there 24 hours ago"),
            ("artifact list q4 -R --json | jq '.[] | {path, size}'", "every artifact's path and size"),
        ),
        exits={3: "There is no such session or directory."},
    ),
    "artifact show": Verb(
        _show,
        about="One line per field, its name and its value separated by a tab when standard output is no terminal.",
        positionals=(READ_SESSION, ARTIFACT),
        examples=(("artifact show @ report.txt", "its id, oid, version, type, tags, …"),),
        exits={3: "There is no such session or artifact."},
    ),
}
