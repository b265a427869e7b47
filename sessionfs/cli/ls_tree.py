"""``ls-tree``: what a tree object, or a session's live tree, holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call, is_moment
from sessionfs.cli.exits import printable
from sessionfs.cli.plumbing import Plumbing
from sessionfs.cli.rev_parse import resolve
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.errors import Corrupt, InvalidInput
from sessionfs.oid import ObjectId

NO_OID = "-"

# What a tree object leaves out (sessionfs.artifacts.node). Not imported from there: that takes msgspec, which is two
# thirds of what a plumbing verb may cost. A test compares the two.
USUAL_MODES = {"file": "0644", "directory": "0755", "symlink": "0777"}
OTHER_MODE = "0600"


class NoTree(InvalidInput):
    """The object is neither a tree nor a snapshot."""


def _ls_tree(call: Call, arguments: Arguments) -> None:
    text = arguments.text("TREE")
    recursive = arguments.flag("recursive")
    with Plumbing(call) as store:
        if is_moment(text) or (":" not in text and not store.find_oids(text)):
            found = list(_live(call, text, recursive))
        else:
            found = list(_entries(store, _tree_oid(store, resolve(store, text)), "", recursive))
    if call.out.as_json:
        call.out.document(found)
        return
    for entry in found:
        size = [entry["size"] if entry["kind"] == "file" else "-"] if arguments.flag("long") else []
        call.out.line(entry["mode"], entry["kind"], entry["oid"] or NO_OID, *size, printable(entry["path"]))


def _tree_oid(store: Plumbing, oid: ObjectId) -> ObjectId:
    """Return the tree that *oid* is, or whose snapshot it is."""
    kind = store.objects.kind(oid)
    if kind == "tree":
        return oid
    if kind == "snapshot":
        return ObjectId(_decode(store, kind, oid)["root"]["tree"])
    raise NoTree(f"{oid} is a {kind}, neither a tree nor a snapshot; print it with: sessionfs cat-file -p {oid}")


def _entries(store: Plumbing, oid: ObjectId, above: str, recursive: bool) -> Iterator[dict[str, Any]]:
    decoded = _decode(store, "tree", oid)
    for part in decoded.get("parts", ()):  # of a large directory
        yield from _entries(store, ObjectId(part["tree"]), above, recursive)
    for entry in decoded.get("entries", ()):
        kind = entry.get("kind", "file")
        path = above + entry["name"]
        if kind == "directory" and recursive:
            yield from _entries(store, ObjectId(entry["tree"]), path + "/", recursive)
            continue
        yield {
            "mode": entry.get("mode") or USUAL_MODES.get(kind, OTHER_MODE),
            "kind": kind,
            "oid": entry.get("tree") if kind == "directory" else entry.get("oid"),
            "size": entry.get("size", 0),
            "path": path,
        }


def _decode(store: Plumbing, kind: str, oid: ObjectId) -> dict[str, Any]:
    try:
        decoded: dict[str, Any] = json.loads(store.objects.read_json(kind, oid))
    except ValueError as failure:
        raise Corrupt(f"the {kind} {oid} is no JSON: {failure}; see sessionfs fsck") from failure
    return decoded


def _live(call: Call, session: str, recursive: bool) -> Iterator[dict[str, Any]]:
    with call.open_store() as store:
        artifacts = call.reading(store, session).artifacts
        for artifact in artifacts.list(recursive=recursive):
            entry = artifact.to_dict()
            yield {field: entry[field] for field in ("mode", "kind", "oid", "size", "path")}


VERBS = {
    "ls-tree": Verb(
        _ls_tree,
        about="One line per entry: mode, kind, oid, with -l the size, and the path, separated by tabs. TREE is a tree "
        "or a snapshot, in any form that rev-parse takes; a SESSION stands for its live tree, and "
        "SESSION@{…} for that of a moment; their directories have no oid (-).",
        positionals=(Positional("TREE", "A tree, a snapshot, SESSION:REF or SESSION[@{…}]", complete="session"),),
        options=(
            Option("-r --recursive", "Everything below, directories left out"),
            Option("-l --long", "With sizes in bytes"),
        ),
        examples=(
            ("ls-tree -r -l @", "every artifact of the current session"),
            ("ls-tree $(sessionfs rev-parse q4:before-merge)", "the top of a snapshot"),
        ),
        exits={
            2: "The request is malformed, or the object is no tree.",
            3: "There is no such tree.",
            6: "A tree is damaged.",
        },
    )
}
