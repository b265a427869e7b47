"""``index status``, ``index rebuild``, ``index drop``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.exits import NO
from sessionfs.cli.spec import Option, Verb
from sessionfs.cli.tables import human_size, human_time

_SHOWN: dict[str, Callable[[Any], str]] = {
    "size": human_size,
    "made_at": human_time,
    "reading_ns": lambda ns: f"{ns / 1e9:.1f} s",
}


def _status(call: Call, arguments: Arguments) -> int | None:
    with call.open_store() as store:
        standing = store.texts.standing() if arguments.flag("text") else store.index.standing()
    call.out.details(standing.to_dict(), _SHOWN)
    return None if standing.is_there else NO


def _rebuild(call: Call, arguments: Arguments) -> None:
    is_text = arguments.flag("text")
    label = "reading contents" if is_text else "reading logs"
    with call.open_store() as store, call.progress(label, in_bytes=True) as progress:
        index = store.texts if is_text else store.index
        index.rebuild(progress.reach)
        if call.out.as_json:
            call.out.document(index.standing().to_dict())


def _drop(call: Call, arguments: Arguments) -> int | None:
    with call.open_store() as store:
        was_there = store.texts.drop()
        if not arguments.flag("text"):
            was_there = store.index.drop() or was_there
    if call.out.as_json:
        call.out.document({"was_there": was_there})
    return None if was_there else NO


_ABOUT = "The index is what find answers from. It is made of the logs alone, and kept up to date by whoever asks."
_TEXT = Option("--text", "The words of contents, which search answers from")

VERBS = {
    "index status": Verb(
        _status,
        about=f"{_ABOUT} One line per field: where it is (in the store, or where that may only be read in your cache "
        "directory), what it holds, and how many sessions have moved since it was used last.",
        options=(_TEXT,),
        examples=(
            ("index status", "where it is and how large"),
            ("index status --text", "how many contents were read for search"),
        ),
        exits={1: "There is none yet."},
    ),
    "index rebuild": Verb(
        _rebuild,
        about=f"{_ABOUT} It is rebuilt by itself when it is missing, damaged or of another version of sessionfs.",
        options=(_TEXT,),
        examples=(("index rebuild", "reads every log again"), ("index rebuild --text", "reads every content again")),
    ),
    "index drop": Verb(
        _drop,
        about=f"{_ABOUT} Removing it costs time, never data. The words of contents, which search answers from, are "
        "removed too.",
        options=(Option("--text", "Only these"),),
        examples=(("index drop", "frees its space until somebody searches again"),),
        exits={1: "There was none."},
    ),
}
