"""Which action a key means, of what is chosen on the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sessionfs.api import FoundArtifact
from sessionfs.errors import InvalidInput
from sessionfs.events.event import Event
from sessionfs.sessions import SessionInfo
from sessionfs.ui import commands
from sessionfs.ui.commands import Action


class NothingChosen(InvalidInput):
    """There is nothing that it could be done with."""


class Chosen(NamedTuple):
    """What is chosen on the screen."""

    info: SessionInfo | None = None
    artifact: FoundArtifact | None = None
    state: tuple[str, str] | None = None  # key, and value as JSON
    event: Event | None = None

    def session(self) -> SessionInfo:
        """Return the session; raises NothingChosen."""
        if self.info is None:
            raise NothingChosen("no session is chosen; n makes one")
        return self.info

    def live_artifact(self) -> FoundArtifact:
        """Return the artifact, which is there; raises NothingChosen."""
        if self.artifact is None:
            raise NothingChosen("no artifact is chosen; p puts a file into the session")
        if not self.artifact.is_live:
            raise NothingChosen("it is not there any more; v shows its versions, and brings one back")
        return self.artifact


def _get(chosen: Chosen) -> Action:
    artifact = chosen.artifact or chosen.live_artifact()
    return commands.get(artifact.session if artifact.is_live else commands.moment(*_version(artifact)), artifact.path)


def _version(artifact: FoundArtifact) -> tuple[str, str]:
    session_id, _, seq = artifact.id.rpartition(":")
    return session_id, seq


def _tag(chosen: Chosen) -> Action:
    artifact = chosen.live_artifact()
    return commands.tag(artifact.session, artifact.path, artifact.tags)


def _move(chosen: Chosen) -> Action:
    artifact = chosen.live_artifact()
    return commands.move(artifact.session, artifact.path)


def _remove(chosen: Chosen) -> Action:
    artifact = chosen.live_artifact()
    return commands.remove(artifact.session, artifact.path)


def _set_state(chosen: Chosen) -> Action:
    return commands.set_state(chosen.session().id, *(chosen.state or ("", "")))


def _remove_state(chosen: Chosen) -> Action:
    if chosen.state is None:
        raise NothingChosen("no key is chosen; e sets a value")
    return commands.remove_state(chosen.session().id, chosen.state[0])


def _event(chosen: Chosen) -> Event:
    if chosen.event is None:
        raise NothingChosen("no event is chosen")
    return chosen.event


def _restore_here(chosen: Chosen) -> Action:
    event = _event(chosen)
    return commands.restore(event.session, str(event.seq))


ACTS: dict[str, Callable[[Chosen], Action]] = {
    "create_session": lambda _: commands.create_session(),
    "tag_session": lambda chosen: commands.tag_session(chosen.session()),
    "delete_session": lambda chosen: commands.delete_session(chosen.session()),
    "complete": lambda chosen: commands.end_well(chosen.session()),
    "fail": lambda chosen: commands.end_badly(chosen.session()),
    "step": lambda chosen: commands.step(chosen.session()),
    "checkpoint": lambda chosen: commands.checkpoint(chosen.session().id),
    "checkpoint_here": lambda chosen: commands.checkpoint(_event(chosen).session, _event(chosen).seq),
    "fork": lambda chosen: commands.fork(chosen.session().id),
    "fork_here": lambda chosen: commands.fork(_event(chosen).session, _event(chosen).seq),
    "restore": lambda chosen: commands.restore(chosen.session().id),
    "restore_here": _restore_here,
    "undo": lambda chosen: commands.undo(chosen.session().id),
    "redo": lambda chosen: commands.redo(chosen.session().id),
    "put": lambda chosen: commands.put(chosen.session().id),
    "get": _get,
    "tag": _tag,
    "move": _move,
    "remove": _remove,
    "set_state": _set_state,
    "remove_state": _remove_state,
}
"""What can be asked for, by the name that keys are bound to; each raises NothingChosen."""
