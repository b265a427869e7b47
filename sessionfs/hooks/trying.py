"""Calling hooks by hand, to see what they say: nothing is done, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sessionfs.artifacts import check_path
from sessionfs.errors import InvalidInput
from sessionfs.hooks import inside
from sessionfs.hooks.executables import Executable, is_enabled
from sessionfs.hooks.hooks import StoreHooks
from sessionfs.hooks.points import PRE, Place
from sessionfs.hooks.registry import NoSuchHook
from sessionfs.hooks.running import Hook, Outcome
from sessionfs.store import proposals
from sessionfs.store.hooked import Action
from sessionfs.store.session import Session


class BadTrial(InvalidInput):
    """It takes a path or key, or takes none."""


def try_hooks(
    hooks: StoreHooks, session: Session, place: Place, about: str | None = None, *, only: str | None = None
) -> list[tuple[str, Outcome]]:
    """Call what is called at *place*, in order, until one refuses, and return what each said with its name.

    Circuit breakers are neither asked nor told.

    Args:
        about: The path of an artifact of *session*, or a key of its state, where the point is about such a thing.
        only: The name of the one hook to call.

    Raises:
        NoSuchHook: Nothing is called there, or nothing of that name, or it is disabled.
        BadTrial: *about* is missing, or has no meaning.
        NotFound: The artifact or key does not exist.
    """
    action = _action(session, place.point, about)
    chain = _chosen(hooks, session, place, only)
    call = hooks.new_call(
        place.phase, place.point, action, None if place.phase == PRE else session.log.position.seq - 1
    )
    outcomes: list[tuple[str, Outcome]] = []
    outside = inside.enter(hooks.key)
    try:
        for hook in chain:
            outcome = hooks.call_anyway(hook, call)
            outcomes.append((hook.name, outcome))
            if outcome.is_refusal and place.phase == PRE:
                break
            if outcome.action is not None:
                call = replace(call, action=outcome.action)
    finally:
        inside.leave(outside)
    return outcomes


def _chosen(hooks: StoreHooks, session: Session, place: Place, only: str | None) -> list[Hook]:
    at = hooks.points_of(session).get(place.point)
    called = at.chain(place.phase) if at is not None else ()
    if not called:
        raise NoSuchHook(f"nothing is called at {place.name}; see: sessionfs hooks list")
    chosen = [hook for hook in called if only in (None, hook.name)]
    if not chosen:
        raise NoSuchHook(f"no hook {only!r} is called at {place.name}; what is: {_names(called)}")
    enabled = [hook for hook in chosen if not isinstance(hook, Executable) or is_enabled(hook.path)]
    if not enabled:
        raise NoSuchHook(f"what is called at {place.name} is disabled; first: sessionfs hooks enable {_names(chosen)}")
    return enabled


def _names(hooks: Iterable[Hook]) -> str:
    return " ".join(hook.name for hook in hooks)


def _action(session: Session, point: str, about: str | None) -> Action:
    kind = point.partition(".")[0]
    if (about is None) != (kind == "session"):
        wanted = {"session": "takes neither path nor key", "artifact": "needs the path of an artifact"}
        raise BadTrial(f"{point} {wanted.get(kind, 'needs a key of the state')}")
    if about is None:
        return proposals.of_session(session)
    if kind == "artifact":
        session.refresh()
        path = check_path(about)
        return proposals.of_retrieval(session, path, session.tree.resolve(path).id)
    return proposals.of_present_value(session, about)
