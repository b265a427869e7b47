"""What the rules ask for now, session by session, with reasons; and doing it.

One step for each session at most, but for giving up versions, which goes with suspending and archiving. What would be
done and is not, because something is pinned or in use, is said, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.clock import parse_time
from sessionfs.errors import Error, NotFound
from sessionfs.retention.keeping import Keep
from sessionfs.retention.policy import Policy, Rule, policy_of
from sessionfs.retention.prune import prune
from sessionfs.sessions import FINISHED, Fields, Status
from sessionfs.store.pinned import WHOLE
from sessionfs.store.session import Session
from sessionfs.store.store import Store
from sessionfs.store.unsaved import unsaved_sessions

_ACTION_OF_STATUS = {Status.SUSPENDED: "suspend", Status.ARCHIVED: "archive"}
_UNITS = ((86_400 * 10**9, "days"), (3600 * 10**9, "hours"), (60 * 10**9, "minutes"), (10**9, "seconds"))


class Step(NamedTuple):
    """One thing that the rules ask for."""

    action: str  # "suspend", "archive", "delete", "prune"; "keep" for what is not done
    session_id: str
    name: str | None  # of the session
    reason: str  # for people
    affected_count: int = 0  # artifacts that are archived or deleted; versions that are given up
    size: int = 0  # their bytes
    is_done: bool = False
    problem: str | None = None  # why it was not done, although the rules ask for it

    def to_dict(self) -> dict[str, str | int | bool | None]:
        """Return it JSON-ready."""
        return self._asdict()


def plan(store: Store) -> Iterator[Step]:
    """Yield what the rules ask for, and do nothing.

    Raises:
        BadConfig: config.toml cannot be understood.
    """
    yield from _walk(store, is_dry=True)


def run(store: Store) -> Iterator[Step]:
    """Do what the rules ask for, and yield each step when it is done, or has failed.

    Sessions go to the trash; versions are given up, and go there with the next gc. Each step is in the session's log,
    with its reason. Hooks are asked, and may veto.

    Durability:
        As the durability mode says. A crash leaves some of it done; the next run goes on.

    Concurrency:
        Safe beside everything else, and beside another run.
    """
    yield from _walk(store, is_dry=False)


def _walk(store: Store, *, is_dry: bool) -> Iterator[Step]:
    unsaved = unsaved_sessions(store.layout.staging)
    now_ns = store.clock()
    for session_id in store.session_ids():
        try:
            session = store.session(session_id)
        except NotFound:
            continue  # deleted since, or never came to be
        except Error as failure:
            yield Step("keep", session_id, None, f"it cannot be read: {failure}")
            continue
        if session.damage is not None:
            yield Step("keep", session_id, session.fold.fields.name, f"it is damaged: {session.damage}")
            continue
        yield from _of_session(store, session, now_ns, session_id in unsaved, is_dry)


def _of_session(store: Store, session: Session, now_ns: int, is_unsaved: bool, is_dry: bool) -> Iterator[Step]:
    fields = session.fold.fields
    policy = policy_of(store.config, fields)
    for step in _next_steps(session, policy, now_ns):
        held = _what_holds(step, fields, is_unsaved)
        if held is not None:
            yield step._replace(action="keep", reason=f"{held}; otherwise {step.action}: {step.reason}")
        else:
            yield step if is_dry else _do(store, session, step)
            if step.action == "delete":
                return
            break
    if policy.prunes:
        yield from _prune(store, session, policy, is_dry)


def _next_steps(session: Session, policy: Policy, now_ns: int) -> list[Step]:
    """Return what the lifecycle asks for: the first that nothing holds is to be done."""
    fields = session.fold.fields
    count, size = session.tree.artifact_count, session.tree.size
    if fields.status is Status.ACTIVE:
        idle_ns = now_ns - parse_time(fields.updated_at)
        suspension = _due(Status.SUSPENDED, fields, "idle", idle_ns, policy.timeout)
        return [] if suspension is None else [suspension]
    if fields.status not in FINISHED or fields.ended_at is None:
        return []
    ended_ns = now_ns - parse_time(fields.ended_at)
    what = f"{fields.status.value}, and ended"
    steps = [_due(None, fields, what, ended_ns, policy.delete_finished_after)]
    if fields.status is not Status.ARCHIVED:
        steps.append(_due(Status.ARCHIVED, fields, what, ended_ns, policy.archive_finished_after))
    return [step._replace(affected_count=count, size=size) for step in steps if step is not None]


def _due(to: Status | None, fields: Fields, what: str, passed_ns: int, rule: Rule) -> Step | None:
    """Return the step to a status, or to the trash, if its time has come."""
    if rule.value is None or passed_ns < rule.value:
        return None
    ago = "" if what == "idle" else " ago"
    since = "for " if what == "idle" else ""
    reason = f"{what} {since}{_duration(passed_ns)}{ago}; {rule.source} is {_duration(rule.value)}"
    return Step("delete" if to is None else _ACTION_OF_STATUS[to], fields.id, fields.name, reason)


def _what_holds(step: Step, fields: Fields, is_unsaved: bool) -> str | None:
    """Return what keeps a step from being done."""
    if step.action == "suspend":
        return "a mount holds something of it that is not saved yet" if is_unsaved else None
    if step.action == "delete" and fields.pins:
        path, pin = next(iter(sorted(fields.pins.items())))
        what = "it has" if path == WHOLE else f"{path!r} in it has"
        return f"{what} been pinned since {pin.time[:19]}Z by {pin.actor}"
    return None


def _do(store: Store, session: Session, step: Step) -> Step:
    try:
        if step.action == "delete":
            store.delete_session(session.id, step.reason)
        else:
            session.set_status("suspended" if step.action == "suspend" else "archived", step.reason)
    except Error as failure:
        return step._replace(problem=str(failure))
    return step._replace(is_done=True)


def _prune(store: Store, session: Session, policy: Policy, is_dry: bool) -> Iterator[Step]:
    keep = Keep(policy.keep_versions.value, policy.keep_versions_for.value)
    step = Step("prune", session.id, session.fold.fields.name, _describe(policy))
    try:
        done = prune(store, session.id, keep, dry_run=is_dry)
    except NotFound:
        return  # deleted since
    except Error as failure:
        yield step._replace(problem=str(failure))
        return
    if done.version_count:
        yield step._replace(affected_count=done.version_count, size=done.size, is_done=not is_dry)


def _describe(policy: Policy) -> str:
    count, duration = policy.keep_versions, policy.keep_versions_for
    rules = []
    if count.value is not None:
        rules.append(f"{count.source} is {count.value}")
    if duration.value is not None:
        rules.append(f"{duration.source} is {_duration(duration.value)}")
    return "; ".join(rules)


def _duration(ns: int) -> str:
    """Return ``40 days``, ``36 hours``: the largest unit of which there are two."""
    for length, unit in _UNITS:
        if ns >= 2 * length:
            return f"{ns // length} {unit}"
    return f"{ns / 10**9:.3g} seconds"
