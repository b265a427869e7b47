"""What a session answers for itself, in place of config.toml: limits, a timeout, rules of retention.

Kept as it was given, so that it reads as in config.toml. A limit of its own only narrows: what config.toml allows is
for whoever keeps the store to say. The other keys win over config.toml, also over what that says of a tag. A fork
inherits them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sessionfs.errors import InvalidInput
from sessionfs.sessions import Configured
from sessionfs.store.config import KEYS, OWN_KEYS, Config, nearest

if TYPE_CHECKING:
    from sessionfs.store.session import Session

_LIMITS = "limits."


class BadSetting(InvalidInput):
    """A key that sessions do not have, or a value that it cannot have."""


def configure(session: Session, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Set some of what *session* answers for itself, whatever its status, and return all of it.

    Args:
        settings: Values by key, as in config.toml: ``"retention.keep_versions": 5``, ``"sessions.timeout": "2h"``.
            ``"never"`` lifts a rule; None takes a key away again.

    Raises:
        BadSetting: Nothing was changed.

    Durability:
        As the durability mode says.
    """
    checked = {key: None if value is None else check_setting(key, value) for key, value in settings.items()}
    with session.writing():
        changed = {key: value for key, value in checked.items() if session.fold.fields.settings.get(key) != value}
        if changed:
            session.append("session.configured", Configured(settings=changed))
        return dict(session.fold.fields.settings)


def own_config(config: Config, settings: Mapping[str, Any]) -> Config:
    """Return *config* as it holds for a session with these *settings*."""
    changed: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in KEYS:
            continue  # a newer sessionfs knows it
        field, parse = KEYS[key]
        parsed, general = parse(value), getattr(config, field)
        changed[field] = min(parsed, general) if key.startswith(_LIMITS) and general is not None else parsed
    return config._replace(**changed)


def check_setting(key: str, value: Any) -> Any:
    """Return *value* if a session can answer it for *key*.

    Raises:
        BadSetting: It cannot, or not for that key.
    """
    if key not in OWN_KEYS:
        raise BadSetting(f"a session cannot set {key!r} for itself; {nearest(key, OWN_KEYS)}")
    try:
        KEYS[key][1](value)
    except (ValueError, OverflowError) as failure:
        raise BadSetting(f"{key}: {failure}") from failure
    return value
