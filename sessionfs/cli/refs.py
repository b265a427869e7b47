"""``show-ref`` and ``update-ref``: the named snapshots of sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sessionfs import refs
from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.plumbing import Plumbing
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.clock import system_clock
from sessionfs.errors import InvalidInput
from sessionfs.oid import is_oid


class NoSnapshot(InvalidInput):
    """A ref names a snapshot, and the object is none."""


def _show_ref(call: Call, arguments: Arguments) -> int:
    with Plumbing(call) as store:
        named = arguments.texts("SESSION")
        session_ids = [store.resolve_session(text) for text in named] if named else store.session_ids()
        found = [
            {"name": f"{session_id}/{name}", "oid": oid}
            for session_id in session_ids
            for name, oid in _refs_of(store, session_id)
        ]
    if call.out.as_json:
        call.out.document(found)
    else:
        for ref in found:
            call.out.line(ref["oid"], ref["name"])
    return exits.YES if found else exits.NO


def _refs_of(store: Plumbing, session_id: str) -> Iterator[tuple[str, str]]:
    directory = store.layout.refs(session_id)
    for name in refs.list_names(store.disk, directory):
        oid = refs.read(store.disk, os.path.join(directory, name))
        if oid is not None:
            yield name, oid


def _update_ref(call: Call, arguments: Arguments) -> None:
    deleting = arguments.flag("delete")
    new, old = arguments.maybe("NEW"), arguments.maybe("OLD")
    if deleting:
        if old is not None:
            raise UsageError(f"{old!r} is one argument too many: with -d there is no NEW")
        new, old = refs.NONE, new
    elif new is None:
        raise UsageError("NEW is missing")
    with Plumbing(call) as store:
        session_id, path = _place(store, arguments.text("NAME"))
        value = _value(store, new or refs.NONE)
        expected = None if old is None else refs.NONE if old in ("", refs.NONE) else _oid(store, old)
        refs.update(
            store.disk,
            system_clock,
            store.unsynced,
            store.config.mode,
            path,
            value,
            actor=f"uid:{os.geteuid()}",
            expected=expected,
        )
    if call.out.as_json:
        name = f"{session_id}/{os.path.basename(path)}"
        call.out.document({"name": name, "oid": None if value == refs.NONE else value})


def _place(store: Plumbing, name: str) -> tuple[str, str]:
    """Return the session's id and the file of the ref that *name*, SESSION/REF, names."""
    session, slash, ref = name.rpartition("/")
    if not slash:
        raise UsageError(f"{name!r} is no ref: write SESSION/REF, as in @/before-merge")
    session_id = store.resolve_session(session)
    return session_id, f"{store.layout.refs(session_id)}/{refs.check_name(ref)}"


def _value(store: Plumbing, text: str) -> str:
    if text == refs.NONE:
        return text
    oid = store.resolve_oid(text)
    kind = store.objects.kind(oid)
    if kind != "snapshot":
        raise NoSnapshot(f"{oid} is a {kind}, and a ref names a snapshot; write one with: sessionfs session save")
    return oid


def _oid(store: Plumbing, text: str) -> str:
    """Return the id that OLD is; it may name an object that is no longer there."""
    return text if is_oid(text) else store.resolve_oid(text)


VERBS = {
    "show-ref": Verb(
        _show_ref,
        about="One line per ref: the snapshot's id, a tab, and SESSION/REF.",
        positionals=(Positional("SESSION", "Only of these sessions", count="*", complete="session"),),
        examples=(("show-ref", "all refs"), ("show-ref q4", "those of q4")),
        exits={1: "There is no ref.", 3: "There is no such session."},
    ),
    "update-ref": Verb(
        _update_ref,
        about="When OLD is given and the ref is not there, nothing is changed; of several who try that at once, one "
        "succeeds. 64 zeros, or an empty word, stand for no ref at all.",
        positionals=(
            Positional("NAME", "SESSION/REF, which is made when it is new"),
            Positional("NEW", "The snapshot that it shall name: its id or a unique prefix", count="?"),
            Positional("OLD", "What it must name now", count="?"),
        ),
        options=(Option("-d --delete", "Delete the ref: update-ref -d NAME [OLD]"),),
        examples=(
            ("update-ref @/before-merge $(sessionfs session save @)", "names the present state"),
            ("update-ref q4/best 77ab 5f3c", "moves it, if it is still at 5f3c…"),
        ),
        exits={
            2: "The request is malformed, or NEW is no snapshot.",
            3: "There is no such session or object.",
            5: "The ref is not at OLD; nothing was changed.",
        },
    ),
}
