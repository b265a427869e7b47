"""Values that several verbs read in the same way: ``K=V`` of metadata, names, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.spec import Option

TAG = Option("--tag", "Give it this tag; may be repeated", metavar="TAG", repeat=True)
META = Option(
    "--meta", "Set metadata: V as JSON if it is JSON, else as text; may be repeated", metavar="K=V", repeat=True
)
UNSET_META = Option("--unset-meta", "Take metadata away; may be repeated", metavar="K", repeat=True)
NAME = Option("--name", "A name for people, and to find it by", metavar="NAME")
DESCRIPTION = Option("--description", "What it is, in a sentence", metavar="TEXT")
SET = Option("--set", "Give a variable of the template a value; may be repeated", metavar="NAME=VALUE", repeat=True)
SET_FILE = Option(
    "--set-file", "Likewise, the text in a file; - is standard input; may be repeated", metavar="NAME=FILE", repeat=True
)


def parse_metadata(pairs: Iterable[str]) -> dict[str, Any]:
    """Return what several ``K=V`` of metadata say; otherwise as :func:`parse_pairs`."""
    return parse_pairs(pairs, "metadata: write K=V, as in author=ada or count=3")


def parse_pairs(pairs: Iterable[str], what: str) -> dict[str, Any]:
    """Return what several ``K=V`` say: V as JSON if it is JSON, else as text.

    Args:
        what: What they have to be, for messages.

    Raises:
        UsageError: One of them has no ``=``, or nothing before it.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is no {what}")
        try:
            values[key] = parse_json(value)
        except ValueError:
            values[key] = value
    return values


def changed_metadata(known: dict[str, Any], arguments: Arguments) -> dict[str, Any]:
    """Return *known* with what ``--meta`` and ``--unset-meta`` change."""
    removed = set(arguments.texts("unset-meta"))
    changed = {**known, **parse_metadata(arguments.texts("meta"))}
    return {key: value for key, value in changed.items() if key not in removed}


def parse_json(text: str) -> Any:
    """Return *text* as JSON, strictly: no NaN, no Infinity.

    Raises:
        ValueError: It is none.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as failure:
        raise ValueError("it is nested too deeply") from failure


def text_or_none(text: str | None) -> str | None:
    """Return *text*; None for an empty one, which takes a field away."""
    return text or None


def given_fields(arguments: Arguments) -> dict[str, Any]:
    """Return the fields of a session that are given in place of those that it would begin with."""
    fields: dict[str, Any] = {}
    for field in ("name", "description"):
        if arguments.flag(field):
            fields[field] = text_or_none(arguments.maybe(field))
    if arguments.flag("tag"):
        fields["tags"] = arguments.texts("tag")
    if arguments.flag("meta"):
        fields["metadata"] = parse_metadata(arguments.texts("meta"))
    return fields


def _refuse(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
