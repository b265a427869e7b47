"""``init``: make a store."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb


def _init(call: Call, arguments: Arguments) -> None:
    from sessionfs.store.layout import FORMAT
    from sessionfs.store.store import Store

    path = call.new_store_path(arguments.maybe("DIR"))
    profile = arguments.maybe("profile") or "default"
    Store.create(path, profile=profile)
    if call.out.as_json:
        call.out.document({"path": path, "format": FORMAT, "profile": profile})
    else:
        call.out.line(path)


VERBS = {
    "init": Verb(
        _init,
        about="Makes a store in DIR, a directory that is missing or empty, and prints its path. Without DIR: where "
        "--store or $SESSIONFS_STORE say, else .sessionfs in the current directory, where every verb run in it or "
        "below finds it.",
        positionals=(Positional("DIR", "The store's directory", count="?", complete="directory"),),
        options=(
            Option(
                "--profile",
                "What config.toml starts with; guarded has limits of 100 active sessions, 1,000 artifacts per session "
                "and 100 MiB per artifact, and a timeout of one hour",
                metavar="PROFILE",
                choices=("default", "guarded"),
            ),
        ),
        examples=(
            ("init", "makes .sessionfs here"),
            ("init /srv/runs --profile guarded", "makes a store with limits"),
        ),
        exits={4: "The directory cannot be written.", 5: "There is a store already, or a directory that is not empty."},
    )
}
