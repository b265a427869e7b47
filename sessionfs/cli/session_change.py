"""``session create`` and ``session update``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import CURRENT_SESSION, Option, Verb
from sessionfs.cli.values import (
    DESCRIPTION,
    META,
    NAME,
    SET,
    SET_FILE,
    TAG,
    UNSET_META,
    changed_metadata,
    parse_metadata,
    text_or_none,
)

if TYPE_CHECKING:
    from sessionfs.api import Store


def _create(call: Call, arguments: Arguments) -> None:
    metadata = parse_metadata(arguments.texts("meta"))
    parent = arguments.maybe("parent")
    with call.open_store() as store:
        session = store.sessions.create(
            arguments.maybe("name"),
            id=arguments.maybe("id"),
            description=arguments.maybe("description"),
            tags=arguments.texts("tag"),
            metadata=metadata,
            parent=call.session(store, parent) if parent is not None else None,
            **_templated(call, store, arguments),
        )
        if arguments.flag("use"):
            store.sessions.use(session)
        record = session.to_dict()
    if call.out.as_json:
        call.out.document(record)
    else:
        call.out.line(record["id"])


def _templated(call: Call, store: Store, arguments: Arguments) -> dict[str, Any]:
    """Return the template that is named, with the values of its variables."""
    name = arguments.maybe("template")
    if name is None:
        if arguments.flag("set") or arguments.flag("set-file"):
            raise UsageError("--set and --set-file are for the variables of a template: name one with --template")
        return {}
    from sessionfs.cli.template import read_variables, templates_of

    template = templates_of(call, store)[name]
    return {"template": template, "variables": read_variables(call, template, arguments)}


def _update(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("SESSION"))
        session.core.update_from(lambda info: _changes(info.tags, info.metadata, arguments))
        record = session.to_dict()
    if call.out.as_json:
        call.out.document(record)


def _changes(tags: tuple[str, ...], metadata: dict[str, Any], arguments: Arguments) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field in ("name", "description"):
        if arguments.flag(field):
            changes[field] = text_or_none(arguments.maybe(field))
    if arguments.flag("tag") or arguments.flag("untag"):
        removed = set(arguments.texts("untag"))
        changes["tags"] = [tag for tag in (*tags, *arguments.texts("tag")) if tag not in removed]
    if arguments.flag("meta") or arguments.flag("unset-meta"):
        changes["metadata"] = changed_metadata(metadata, arguments)
    if not changes:
        raise UsageError("nothing to change was given")
    return changes


VERBS = {
    "session create": Verb(
        _create,
        options=(
            Option("--id", "A slug, unique in the store; a UUIDv7 by default", metavar="ID"),
            NAME,
            DESCRIPTION,
            TAG,
            META,
            Option("--parent", "The session it comes from", metavar="SESSION", complete="session"),
            Option("--template", "What it begins with; see template list", metavar="TEMPLATE", complete="template"),
            SET,
            SET_FILE,
            Option("--use", "Make it the current session"),
        ),
        examples=(
            ("session create --name Q4 --tag sales --meta region=north --meta year=2026", "prints the new id"),
            ("session create --id q4-charts --parent q4", "a child, with an id of one's own"),
            ("session create --template ml_training --set name=run7", "with artifacts and state to begin with"),
        ),
        exits={
            2: "A variable is missing, or cannot have its value; or usage.",
            3: "The parent, the template or one of its files is not here.",
            5: "The id is taken, or a limit is reached.",
        },
    ),
    "session update": Verb(
        _update,
        about="What is not named stays as it is; an empty name or description takes it away.",
        positionals=(CURRENT_SESSION,),
        options=(
            NAME,
            DESCRIPTION,
            TAG,
            Option("--untag", "Take this tag away; may be repeated", metavar="TAG", repeat=True),
            META,
            UNSET_META,
        ),
        examples=(
            ("session update q4 --description 'Sales of the last quarter' --tag final", "sets and adds"),
            ("session update @ --name '' --untag draft", "takes name and tag away"),
        ),
        exits={3: "There is no such session.", 4: "The session is not active."},
    ),
}
