"""One call of a hook: what it is told, and what it may answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from sessionfs import correlation
from sessionfs.artifacts import check_path, from_text, text_of
from sessionfs.errors import Error, InvalidInput
from sessionfs.hooks.inside import VARIABLE, key_of, variable
from sessionfs.store.artifacts import encode_attributes
from sessionfs.store.hooked import CHANGEABLE, Action, ArtifactAction, SessionAction, freeze, thaw
from sessionfs.store.proposals import sibling
from sessionfs.store.session import checked_changes


class BadAnswer(InvalidInput):
    """A hook answered what it cannot answer."""


class HookCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook is told. Nothing in it can be set."""

    phase: str  # "pre" or "post"
    point: str  # as in "artifact.store"
    store: str  # the store's directory
    session: str
    actor: str
    action: Action  # a SessionAction, an ArtifactAction or a StateAction
    seq: int | None = None  # after it: number of the record that says so, where there is one

    def environment(self) -> dict[str, str]:
        """Return the variables for a process that the hook starts, without which what that does calls hooks again."""
        return {**correlation.environment(), VARIABLE: variable(key_of(self.store), os.environ)}


class Cancel(msgspec.Struct, frozen=True):
    """Refuse it: nothing is done, and the caller gets *reason* as a ``HookVeto``."""

    reason: str = ""


class Modify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do it, but changed so: a merge patch (RFC 7386) of the call's change.

    What is not given stays. ``metadata`` is merged, and a key that is None is taken away; everything else is replaced.
    The ``name`` of an artifact is the last part of its path.
    """

    name: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    tags: Sequence[str] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


Result = Cancel | Modify | None
"""What a function returns; None goes on. After the fact only None makes sense."""

_patch_decoder = msgspec.json.Decoder(Modify)


def parse_answer(text: bytes) -> Modify | None:
    """Return what an executable printed.

    Raises:
        BadAnswer: It is no JSON, or says what no answer says.
    """
    if not text.strip():
        return None
    try:
        return _patch_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as failure:
        shown = text[:60].decode("utf-8", "replace")
        raise BadAnswer(
            f"it printed {shown!r}, which is no JSON object with name, type, tags or metadata ({failure}); "
            "words for people belong on standard error"
        ) from failure


def modified(call: HookCall, patch: Modify) -> tuple[Action, dict[str, Any]]:
    """Return the change that *call* is about as *patch* makes it, and the fields that it sets, checked.

    Raises:
        BadAnswer: They cannot be set, or not to that.
    """
    given = {field: value for field in patch.__struct_fields__ if (value := getattr(patch, field)) is not UNSET}
    possible = CHANGEABLE.get(call.point, ())
    if not given:
        return call.action, given
    refused = [field for field in given if field not in possible]
    if refused:
        what = f"it can change {', '.join(possible)}" if possible else "it can change nothing"
        raise BadAnswer(f"it wants to change {', '.join(refused)}; before {call.point} {what}")
    if "metadata" in given:
        given["metadata"] = _merged(thaw(call.action.metadata), given["metadata"])  # type: ignore[attr-defined]
    try:
        return _checked(call.action, given)
    except Error as failure:
        raise BadAnswer(f"it wants to change {', '.join(given)}: {failure}") from failure


def _checked(action: Action, given: dict[str, Any]) -> tuple[Action, dict[str, Any]]:
    if isinstance(action, SessionAction):
        updated = checked_changes(given)
        fields = {field: getattr(updated, field) for field in given}
        return replace(action, **{field: freeze(value) for field, value in fields.items()}), fields
    assert isinstance(action, ArtifactAction)
    attributes = {field: value for field, value in given.items() if field != "name"}
    if action.link is not None and attributes:
        raise BadAnswer(f"it wants to change {', '.join(attributes)} of another name for an artifact; only name can be")
    fields = encode_attributes(attributes)
    shown = {field: freeze(value) for field, value in fields.items()}
    if "name" in given:
        fields["name"], shown["path"] = _renamed(action.path, given["name"])
    return replace(action, **shown), fields


def _renamed(path: str, name: Any) -> tuple[str, str]:
    """Return *name* as the lower floors know it, and in text form the path that *path* has when it is called so."""
    if not isinstance(name, str) or "/" in name:
        raise BadAnswer(f"{name!r} is no name for an artifact: it is the last part of a path")
    plain = from_text(name)
    return plain, text_of(check_path(sibling(from_text(path), plain)))


def _merged(target: Any, patch: Any) -> Any:
    """Return *target* with *patch* merged into it (RFC 7386, section 2)."""
    if not isinstance(patch, dict):
        return {} if patch is None else patch
    return _merge(target, patch)


def _merge(target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value) if isinstance(value, dict) else value
    return result
