"""Which rules hold for a session: its own, else those of its tags, else those of the store. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sessionfs.sessions import Fields
from sessionfs.store.config import KEYS, TAG_KEYS, Config


class Rule(NamedTuple):
    """What one rule says, and which key says so; None is that it does not hold."""

    value: int | None  # nanoseconds, or a number of versions
    source: str


class Policy(NamedTuple):
    """The rules of one session."""

    timeout: Rule  # idle for so long, then suspended
    keep_versions: Rule  # so many of each artifact
    keep_versions_for: Rule  # those that were current in so long
    archive_finished_after: Rule
    delete_finished_after: Rule

    @property
    def prunes(self) -> bool:
        """Whether any version may go."""
        return self.keep_versions.value is not None or self.keep_versions_for.value is not None


def policy_of(config: Config, fields: Fields) -> Policy:
    """Return the rules for a session.

    Args:
        config: The store's.
    """
    return Policy(**{name: _rule(config, fields.tags, fields.settings, name) for name in Policy._fields})


def _rule(config: Config, tags: tuple[str, ...], settings: Mapping[str, Any], name: str) -> Rule:
    key = TAG_KEYS[name]
    field, parse = KEYS[key]
    if key in settings:
        return Rule(parse(settings[key]), f"its own {key}")
    of_tags = [one for one in config.of_tags if one.tag in tags and one.field == field]
    if of_tags:
        # Of several, the one that keeps longest.
        longest = max(of_tags, key=lambda one: (one.value is None, one.value or 0))
        return Rule(longest.value, f"retention.tag.{longest.tag}.{name}")
    value: int | None = getattr(config, field)
    return Rule(value, key)
