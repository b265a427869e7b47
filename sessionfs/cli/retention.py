"""``retention plan`` and ``retention run``: what the rules ask for, and doing it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import JSON_LINES, Option, Verb

if TYPE_CHECKING:
    from sessionfs.retention.plan import Step

_COLOURS = {"keep": "dim", "delete": "red", "prune": "yellow"}


def _plan(call: Call, arguments: Arguments) -> None:
    from sessionfs.retention.plan import plan

    with call.open_store() as store:
        _write(call, plan(store.core))


def _run(call: Call, arguments: Arguments) -> int | None:
    from sessionfs.retention.plan import run

    with call.open_store() as store:
        problem_count = _write(call, run(store.core))
        if arguments.flag("gc"):
            done = store.gc()
            call.say(f"sessionfs: retention run: gc: {done.trashed_count} to the trash, {done.deleted_count} deleted")
    return 1 if problem_count else None


def _write(call: Call, steps: Iterable[Step]) -> int:
    """Write a line for each step, when it is done; return how many could not be."""
    problem_count = 0
    for step in steps:
        problem_count += step.problem is not None
        if call.out.as_json:
            call.out.text(json.dumps(step.to_dict()) + "\n")
            continue
        action = call.out.colour(_COLOURS.get(step.action, "bold"), step.action)
        call.out.line(action, step.session_id, step.affected_count, step.size, step.problem or step.reason)
        if step.problem is not None:
            call.say(f"sessionfs: retention run: {step.action} {step.session_id}: {step.problem}")
    return problem_count


_LINES = (
    "A line for each step, separated by tabs: what is done (suspend, archive, delete, prune; keep for what a pin, a "
    "mount or damage prevents), the session, how many artifacts or versions, their bytes, and why."
)

VERBS = {
    "retention plan": Verb(
        _plan,
        json=JSON_LINES,
        about="The rules are in config.toml: sessions.timeout, retention.keep_versions, keep_versions_for, "
        "archive_finished_after and delete_finished_after; other ones for sessions with a tag in [retention.tag.TAG]; "
        f"those of a session itself are set with session configure. {_LINES} Nothing is done.",
        examples=(
            ("retention plan", "says what would happen now"),
            ("retention plan --json | jq -r 'select(.action==\"delete\").session_id'", "sessions that would go"),
        ),
    ),
    "retention run": Verb(
        _run,
        json=JSON_LINES,
        about="Sessions go to the trash, and stay there for retention.trash_grace; versions that are given up go there "
        f"with the next gc. Each step is recorded in its session, with the reason. {_LINES} Safe beside all else, and "
        "from cron.",
        options=(Option("--gc", "Collect garbage afterwards"),),
        examples=(("retention run --gc", "does what retention plan says"),),
        exits={1: "Something that the rules ask for could not be done; the rest was."},
    ),
}
