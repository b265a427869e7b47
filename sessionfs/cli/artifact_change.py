"""The verbs that change artifacts but store no content: mv, cp, rm, tag, set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.artifact_put import MIME, TYPE
from sessionfs.cli.call import Call
from sessionfs.cli.spec import SESSION, Option, Positional, Verb
from sessionfs.cli.values import DESCRIPTION, META, UNSET_META, changed_metadata, text_or_none

if TYPE_CHECKING:
    from sessionfs.api import Artifact, Artifacts


def _move(call: Call, arguments: Arguments) -> None:
    _to_target(call, arguments, lambda artifacts, source, target: artifacts.rename(source, target))


def _copy(call: Call, arguments: Arguments) -> None:
    _to_target(call, arguments, lambda artifacts, source, target: artifacts.copy(source, target))


def _to_target(call: Call, arguments: Arguments, change: Callable[[Artifacts, str, str], Artifact]) -> None:
    source = tree_path(arguments.text("SOURCE"))
    with call.open_store() as store:
        artifacts = call.session(store, arguments.text("SESSION")).artifacts
        target = _into(artifacts, source, arguments.text("TARGET"))
        record = change(artifacts, source, target).to_dict()
    if call.out.as_json:
        call.out.document(record)


def _into(artifacts: Artifacts, source: str, named: str) -> str:
    """Return where *source* goes: into *named* if that is a directory or ends with '/', as with mv and cp."""
    target = tree_path(named)
    if not target:
        return source.rpartition("/")[2]
    found = artifacts.get(target)
    if named.endswith("/") or (found is not None and found.kind == "directory"):
        return f"{target}/{source.rpartition('/')[2]}"
    return target


def _remove(call: Call, arguments: Arguments) -> None:
    paths = [tree_path(path) for path in arguments.texts("PATH")]
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        gone = [session.artifacts[path].to_dict() for path in paths]
        for path in paths:
            _check_removable(session.artifacts, path, recursive=arguments.flag("recursive"))
        session.core.artifacts.delete_all(paths, recursive=arguments.flag("recursive"))
    if call.out.as_json:
        call.out.document(gone)


def _check_removable(artifacts: Artifacts, path: str, *, recursive: bool) -> None:
    if not recursive and artifacts[path].kind == "directory" and artifacts.list(path, recursive=False):
        from sessionfs.artifacts import DirectoryNotEmpty, text_of

        raise DirectoryNotEmpty(f"the directory {text_of(path)!r} is not empty; -r removes it with all that is in it")


def _tag(call: Call, arguments: Arguments) -> None:
    added, removed = arguments.texts("add"), arguments.texts("remove")
    if not added and not removed:
        raise UsageError("nothing to change was given: --add TAG or --remove TAG")
    _change_each(call, arguments, lambda artifacts, path: artifacts.tag(path, add=added, remove=removed))


def _set(call: Call, arguments: Arguments) -> None:
    attributes: dict[str, Any] = {}
    for option, field in (("type", "type"), ("mime", "mime_type"), ("description", "description")):
        if arguments.flag(option):
            attributes[field] = text_or_none(arguments.maybe(option))
    has_metadata = arguments.flag("meta") or arguments.flag("unset-meta")
    if not attributes and not has_metadata:
        raise UsageError("nothing to change was given")

    def change(artifacts: Artifacts, path: str) -> Artifact:
        if has_metadata:
            attributes["metadata"] = changed_metadata(artifacts[path].metadata, arguments)
        return artifacts.update(path, **attributes)

    _change_each(call, arguments, change)


def _change_each(call: Call, arguments: Arguments, change: Callable[[Artifacts, str], Artifact]) -> None:
    """Change every PATH; if one of them is not there, none is changed."""
    paths = [tree_path(path) for path in arguments.texts("PATH")]
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        # Inside, so that nobody's tags or metadata are lost between reading and setting them.
        with session.operation(), session.core.writing():
            for path in paths:
                session.artifacts[path]
            records = [change(session.artifacts, path).to_dict() for path in paths]
    if call.out.as_json:
        call.out.document(records)


_PATHS = Positional("PATH", "Paths in the session's tree", count="+", complete="artifact")
_SOURCE = Positional("SOURCE", "A path in the session's tree", complete="artifact")
_TARGET = Positional("TARGET", "Its new path, or a directory to put it into", complete="artifact")
_EXITS = {3: "There is no such session or artifact.", 4: "The session is not active."}

VERBS = {
    "artifact mv": Verb(
        _move,
        about="A file at TARGET is replaced; its history goes on under the same path.",
        positionals=(SESSION, _SOURCE, _TARGET),
        examples=(("artifact mv @ draft.txt reports/final.txt", "directories that are missing are made"),),
        exits={**_EXITS, 5: "A directory that is not empty is at TARGET."},
    ),
    "artifact cp": Verb(
        _copy,
        about="The copy shares its content with the original, and names it as its parent. A directory is copied with "
        "all that is in it.",
        positionals=(SESSION, _SOURCE, _TARGET),
        examples=(("artifact cp @ data data-before", "keeps a second tree; no content is copied"),),
        exits={**_EXITS, 5: "Something is at TARGET, or a limit of config.toml is reached."},
    ),
    "artifact rm": Verb(
        _remove,
        about="Earlier versions stay in the session's history. When one PATH cannot be removed, none is.",
        positionals=(SESSION, _PATHS),
        options=(Option("-r --recursive", "Directories too, with all that is in them"),),
        examples=(("artifact rm @ draft.txt", "removes a file"), ("artifact rm q4 -r tmp cache", "removes two trees")),
        exits={**_EXITS, 5: "A directory is not empty, and -r was not given."},
    ),
    "artifact tag": Verb(
        _tag,
        positionals=(SESSION, _PATHS),
        options=(
            Option("--add", "A tag to add; may be repeated", metavar="TAG", repeat=True),
            Option("--remove", "A tag to take away; may be repeated", metavar="TAG", repeat=True),
        ),
        examples=(("artifact tag @ report.txt --add final --remove draft", "changes its tags"),),
        exits=_EXITS,
    ),
    "artifact set": Verb(
        _set,
        about="What is not named stays as it is; an empty value takes it away.",
        positionals=(SESSION, _PATHS),
        options=(TYPE, MIME, DESCRIPTION, META, UNSET_META),
        examples=(
            ("artifact set @ out.bin --mime application/x-thing --type model", "sets both types"),
            ("artifact set @ a.csv b.csv --meta rows=100 --unset-meta draft", "changes metadata of two artifacts"),
        ),
        exits=_EXITS,
    ),
}
