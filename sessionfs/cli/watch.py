"""``watch``: what all processes do in a store, as it happens."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.event_command import ended_with, event_environment
from sessionfs.cli.event_lines import each, say_of_session, write_event
from sessionfs.cli.spec import JSON_LINES, Option, Positional, Verb
from sessionfs.events.event import Event

if TYPE_CHECKING:
    from sessionfs.api import Store


def _watch(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        named = [call.session(store, text) for text in arguments.texts("SESSION")]
        command = arguments.maybe("exec")
        watch = store.watch(
            *arguments.texts("type"),
            sessions=named or None,
            start=arguments.number("from"),
            poll=True if arguments.flag("poll") else None,
            on_error=partial(say_of_session, call, "watch"),
        )
        do = partial(write_event, call) if command is None else partial(_run, call, store, command)
        with watch:
            while events := watch.read():
                each(call, "watch", events, do)
                call.out.flush()


def _run(call: Call, store: Store, command: str, event: Event) -> None:
    """Run the user's command with one event: as JSON on its standard input, and what names it in its environment."""
    env = event_environment(call, store, event)
    document = json.dumps(event.to_dict()).encode() + b"\n"
    done = subprocess.run(["/bin/sh", "-c", command], input=document, env=env, cwd=call.path("."), check=False)
    if done.returncode:
        call.say(f"sessionfs: watch: the command ended with {ended_with(done.returncode)} for event {event.id}")


VERBS = {
    "watch": Verb(
        _watch,
        json=JSON_LINES,
        about="Prints events of all processes, at most a tenth of a second late, those of a session in order, in the "
        "form that 'events' has. Without SESSION those of all sessions, also of new "
        "ones. It ends when it is interrupted, or when the sessions that were named are deleted. With --exec, a "
        "command of the shell is run for each event instead, one after the other. It gets the event as JSON on its "
        "standard input, and SESSIONFS_STORE, SESSIONFS_SESSION, SESSIONFS_EVENT_SEQ and SESSIONFS_EVENT_TYPE in its "
        "environment; what it records names the event as its cause.",
        positionals=(
            Positional(
                "SESSION",
                "A session's id, a unique prefix of it, its unique name, or @; all sessions by default",
                count="*",
                complete="session",
            ),
        ),
        options=(
            Option("-t --type", "Only events of this type; a glob; may be repeated", metavar="GLOB", repeat=True),
            Option("--exec", "Run this command of the shell for each event", metavar="CMD"),
            Option("--from", "Begin with what is there, with the event of this number", metavar="SEQ", number=True),
            Option("--poll", "Look 25 times a second instead of being told, where a filesystem does not tell"),
        ),
        examples=(
            ("watch", "what happens in the store"),
            ("watch q4 --type 'artifact.*' --json | jq .data.path", "the paths that change in a session"),
            ("watch --type session.failed --exec 'mail -s \"$SESSIONFS_SESSION failed\" me'", "tells somebody"),
        ),
        exits={2: "The request is malformed, or there is no such type.", 3: "There is no such session."},
    )
}
