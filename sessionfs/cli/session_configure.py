"""``session configure``: what a session answers for itself, in place of config.toml."""

from __future__ import annotations

from typing import Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import SESSION, Option, Positional, Verb


def _configure(call: Call, arguments: Arguments) -> None:
    from sessionfs.cli.values import parse_pairs

    what = "setting: write KEY=VALUE, as in retention.keep_versions=5"
    settings: dict[str, Any] = parse_pairs(arguments.texts("KEY=VALUE"), what)
    settings.update(dict.fromkeys(arguments.texts("unset")))
    with call.open_store() as store:
        session = call.session(store, arguments.text("SESSION"))
        if settings:
            session.configure(settings)
        set_now = session.settings
    if set_now or call.out.as_json:
        call.out.details(set_now, {})


VERBS = {
    "session configure": Verb(
        _configure,
        about="Keys are those of config.toml: limits.max_artifact_size, limits.max_artifacts_per_session and "
        "limits.max_session_size, which can only be narrower than the store's; sessions.timeout; "
        "retention.keep_versions, keep_versions_for, archive_finished_after and delete_finished_after, where 'never' "
        "lifts a rule. Prints what is set. A finished session can be configured, too; a fork inherits what is set.",
        positionals=(SESSION, Positional("KEY=VALUE", "What to set; without any, nothing is changed", count="*")),
        options=(Option("--unset", "Take this key away again; may be repeated", metavar="KEY", repeat=True),),
        examples=(
            ("session configure q4 retention.keep_versions=5 sessions.timeout=2h", "sets both for q4"),
            ("session configure q4 --unset sessions.timeout", "lets config.toml decide about it again"),
        ),
        exits={2: "No session has such a key, or it cannot be that.", 3: "There is no such session."},
    ),
}
