"""``search``: artifacts, sessions and events by the words in them."""

from __future__ import annotations

from typing import Any

from sessionfs.api.searching import Hit
from sessionfs.artifacts import text_of
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.exits import NO, YES, printable
from sessionfs.cli.spec import JSON_LINES, Option, Positional, Verb
from sessionfs.query.scan import Scanner

_KINDS = ("artifact", "session", "event")
_SHOWN_ON_TERMINALS = 20
_CUT = "…"


def _search(call: Call, arguments: Arguments) -> int:
    words, query = _split(arguments.texts("WORDS"))
    limit = arguments.number("limit")
    shown = _SHOWN_ON_TERMINALS if limit is None and call.out.is_terminal else limit or None
    with call.open_store() as store, call.progress("reading contents", in_bytes=True) as progress:
        store.index.refresh()
        hits = store.search(
            words,
            query or None,
            kinds=_kinds(arguments),
            versions=arguments.flag("all-versions"),
            limit=None if shown is None else shown + (limit is None),
            progress=progress.reach,
        )
        found = 0
        for hit in hits:
            found += 1
            if limit is None and shown is not None and found > shown:
                call.say(f"sessionfs: search: these are the best {shown}; --limit 0 shows all")
                break
            _write(call, hit)
        waiting = store.texts.standing().waiting_count
    if waiting:
        call.say(f"sessionfs: search: {waiting} PDF files could not be read; pip install 'sessionfs[documents]'")
    return YES if found else NO


def _split(given: list[str]) -> tuple[str, str]:
    """Return the words, and the query that begins with the first argument that names a field."""
    for place, argument in enumerate(given):
        if place and _begins_query(argument):
            return _joined(given[:place]), " ".join(given[place:])
    return _joined(given), ""


def _joined(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]  # whatever it holds: quotes, several words
    # What the shell was given in quotes is meant as one.
    return " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words)


def _begins_query(argument: str) -> bool:
    if argument == "NOT":
        return False
    scanner = Scanner(argument.removeprefix("NOT ").lstrip("-( "))
    return scanner.take_field() is not None


def _kinds(arguments: Arguments) -> tuple[str, ...]:
    kinds = tuple(arguments.texts("kind"))
    if any(kind not in _KINDS for kind in kinds):
        raise UsageError(f"--kind is one of {', '.join(_KINDS)}")
    return kinds or _KINDS


def _write(call: Call, hit: Hit) -> None:
    if call.out.as_json:
        import json

        call.out.raw((json.dumps(_record(hit), ensure_ascii=False) + "\n").encode("utf-8", "replace"))
    elif call.out.is_terminal:
        call.out.text(f"{call.out.colour('magenta', printable(_label(hit)))}\n    {_marked(call, hit)}\n")
    else:
        call.out.line(hit.kind, _label(hit), hit.snippet)


def _label(hit: Hit) -> str:
    """Return what is shown of where it was found: a path, a session, a record."""
    if hit.artifact is not None:
        path = text_of(hit.artifact.path)
        return f"{hit.session}/{path}" if hit.artifact.is_live else f"{hit.session}@{{{_seq(hit.artifact.id)}}}/{path}"
    if hit.event is not None:
        return f"{hit.session}@{{{hit.event.seq}}} {hit.event.type}"
    name = None if hit.info is None else hit.info.name
    return hit.session if name is None else f"{hit.session} {name}"


def _seq(version: str) -> str:
    return version.rpartition(":")[2]


def _marked(call: Call, hit: Hit) -> str:
    parts, at = [], 0
    for start, end in hit.spans:
        parts += [printable(hit.snippet[at:start]), call.out.colour("match", printable(hit.snippet[start:end]))]
        at = end
    return "".join([*parts, printable(hit.snippet[at:])]) + _CUT


def _record(hit: Hit) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": hit.kind,
        "score": round(hit.score, 6),
        "session": hit.session,
        "snippet": hit.snippet,
        "spans": [list(span) for span in hit.spans],
    }
    if hit.artifact is not None:
        record["artifact"] = hit.artifact.to_dict()
    if hit.event is not None:
        record["event"] = hit.event.to_dict()
    return record


VERBS = {
    "search": Verb(
        _search,
        json=JSON_LINES,
        about="One line for each artifact, session and event that has all the words, the best first: what it is, "
        "where, and the text around the words, separated by tabs; on a terminal the best 20 below each other, with the "
        'words marked. Words in quotes stand next to each other ("annual report"), "begin*" is what begins so, "NOT '
        'word" must not be there, OR stands between alternatives. Case and accents do not matter; of Chinese, Japanese '
        "and others without spaces each part is a word. From the first argument that names a field on, the rest is a "
        "query that says in which artifacts, as for find: type:document tag:q4. Words are found in names, descriptions "
        "and tags, in text of all kinds, office documents, PDF files (pip install 'sessionfs[documents]'), and events. "
        "They are indexed when somebody searches, each content once, its first 4 MiB (search.document_limit in "
        "config.toml; search.enabled = false turns it off).",
        positionals=(Positional("WORDS", "What to find, then perhaps a query", count="+"),),
        options=(
            Option("-k --kind", "Only artifact, session or event; may be repeated", metavar="KIND", repeat=True,
                   choices=_KINDS),
            Option("--all-versions", "Also what was there once: replaced, removed"),
            Option("--limit", "At most so many; 0 for all", metavar="N", number=True),
        ),
        examples=(
            ("search quarterly 'annual report' tag:q4", "documents of the fourth quarter"),
            ("search 'time* OR deadline' session.status:failed", "beginnings, and alternatives"),
            ("search 東京 --json | jq -r '.artifact.path'", "any part of a sentence"),
            ("search 'connection refused' --kind event", "what tools said"),
        ),
        exits={
            0: "Something was found.",
            1: "Nothing was.",
            2: "The words or the query cannot be understood; the message says at which column.",
            4: "Words are not indexed here: config.toml says so.",
        },
    ),
}  # fmt: skip
