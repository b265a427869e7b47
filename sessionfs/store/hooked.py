"""Hooks, as the store knows them: at which points they are called, what they are told, and what may be changed.

A store without hooks has ``hooks`` None, and no more is asked. A face installs what calls them
(:meth:`Store.install_hooks`). Each verb that is a point *asks* before it takes the log's lock, and the session *tells*
after the lock is released, so a hook may use the session it is about.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from sessionfs.errors import Denied
from sessionfs.oid import ObjectId
from sessionfs.store.hook_history import Ran, Skipped

if TYPE_CHECKING:
    from sessionfs.store.session import Session

# What a hook before each point may change; a point that is not here takes no changes.
CHANGEABLE: dict[str, tuple[str, ...]] = {
    "session.create": ("name", "tags", "metadata"),
    "session.update": ("name", "tags", "metadata"),
    "session.fork": ("name", "tags", "metadata"),
    "artifact.store": ("name", "type", "tags", "metadata"),
}

POINTS = (
    "session.create", "session.update", "session.suspend", "session.resume", "session.complete", "session.fail",
    "session.archive", "session.save", "session.load", "session.fork", "session.delete",
    "artifact.store", "artifact.retrieve", "artifact.rename", "artifact.delete",
    "state.change",
)  # fmt: skip


class HookVeto(Denied):
    """A hook refused the change; nothing was done. A hook that is a Python function may raise it to refuse."""

    errno = errno.EPERM


class HookFailed(Denied):
    """A hook that has to be asked could not answer, so nothing was done."""

    errno = errno.EPERM


Report = Ran | Skipped


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to happen, or has happened. Nothing in it can be set; paths and targets are in text form."""

    session: str

    @property
    def about(self) -> str | None:
        """The path or key that it is about."""
        return None


class SessionAction(Action, frozen=True, kw_only=True):
    """A step in a session's life: what the session says about itself, as it will be."""

    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = MappingProxyType({})
    parent: str | None = None
    status: str = "active"
    reason: str | None = None


class ArtifactAction(Action, frozen=True, kw_only=True):
    """Something that happens to an artifact: what it says about itself, as it will be (of a deleted one, as it was)."""

    path: str
    kind: str = "file"
    id: str | None = None  # of the version that is there before
    oid: ObjectId | None = None
    size: int = 0
    type: str | None = None
    mime_type: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = MappingProxyType({})
    target: str | None = None  # of a symlink
    link: str | None = None  # it becomes another name of the artifact at that path
    origin: str | None = None  # it becomes a copy of the artifact at that path, with all that is below it
    to: str | None = None  # where it is moved
    exchange: bool = False  # and what is there comes here
    recursive: bool = False  # with all that is below it

    @property
    def about(self) -> str | None:
        return self.path

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


class StateAction(Action, frozen=True, kw_only=True):
    """A key of the state is set, or deleted."""

    key: str
    json: msgspec.Raw | None = msgspec.field(name="value", default=None)  # the new one
    deleted: bool = False

    @property
    def about(self) -> str | None:
        return self.key

    @property
    def value(self) -> Any:
        """The new value; each call makes a new one. None when it is null or deleted."""
        return None if self.json is None else msgspec.json.decode(self.json)


class Answer(NamedTuple):
    """What hooks say that were asked: do this."""

    action: Action
    modified: dict[str, Any]  # fields that they changed, as records hold them
    reports: list[Report]  # what they did, for the caller to record


class PointHooks(Protocol):
    """The hooks of one point."""

    def pre(self, session: Session | None, action: Action) -> Answer:
        """Ask them. The log's lock is not held.

        Args:
            session: None for one that is about to be made.

        Raises:
            HookVeto, HookFailed: It must not be done; what they did has been recorded.
        """

    def post(self, session: Session | None, action: Action, seq: int | None, reports: list[Report]) -> None:
        """Tell them that it was done, and record what they did; never raises. The log's lock is not held.

        Args:
            session: None for one that is no more.
            seq: Number of its record; None where there is none.
            reports: What was done when they were asked, if that is not recorded yet.
        """


class Hooks(Protocol):
    """What a face installs."""

    def at(self, point: str, session: Session | None = None) -> PointHooks | None:
        """Return the hooks of *point*, those of *session* among them, or None when there are none now."""


class Asked:
    """Something that hooks let pass; they are told of it when it has been done."""

    __slots__ = ("_action", "_hooks", "modified", "reports")

    def __init__(self, hooks: PointHooks, session: Session | None, action: Action) -> None:
        """Ask *hooks*.

        Raises:
            HookVeto, HookFailed: It must not be done.
        """
        self._hooks = hooks
        self._action, self.modified, self.reports = hooks.pre(session, action)

    def take(self) -> list[Report]:
        """Return what the hooks did so far, for the caller to record; the next time there is nothing."""
        reports, self.reports = self.reports, []
        return reports

    def tell(self, session: Session | None, seq: int | None) -> None:
        """Tell the hooks that it was done, with no lock held; :meth:`Asking.tell` waits for that."""
        self._hooks.post(session, self._action, seq, self.take())


def freeze(value: Any) -> Any:
    """Return a JSON value as one in which nothing can be set."""
    if isinstance(value, dict):
        return MappingProxyType({key: freeze(item) for key, item in value.items()})
    return tuple(map(freeze, value)) if isinstance(value, list | tuple) else value


def thaw(value: Any) -> Any:
    """Return a frozen JSON value as a plain one."""
    if isinstance(value, MappingProxyType):
        return {key: thaw(item) for key, item in value.items()}
    return list(map(thaw, value)) if isinstance(value, list | tuple) else value


def encode(value: Any) -> bytes:
    """Return what holds frozen values as JSON."""
    return _encoder.encode(value)


_encoder = msgspec.json.Encoder(enc_hook=thaw)
