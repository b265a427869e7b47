"""What a session is told about how long it, and what was in it, is kept. What that takes is imported late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from sessionfs.api.times import Duration, to_duration_ns
from sessionfs.artifacts import check_path, text_of

if TYPE_CHECKING:
    from sessionfs.api.reading import Path
    from sessionfs.api.session import Session
    from sessionfs.retention.pins import PinInfo
    from sessionfs.retention.prune import Pruned


class Keeping:
    """The part of :class:`sessionfs.Session` that says what is kept."""

    def pin(self, path: Path | None = None, message: str = "") -> None:
        """Keep it, or one artifact or directory of it, whatever the rules of retention say.

        A pin wins over gc, :meth:`prune`, ``store.retention`` and :meth:`delete`; it goes along when the artifact is
        renamed. It does not keep anybody from changing the artifact: all its versions stay.

        Args:
            path: What is there, or was; the session with all that is in it by default.
            message: Why, for people.

        Raises:
            NotFound: There is and was no such artifact.
            Corrupt: The session is damaged.

        Durability:
            As the durability mode says. Also in a session that is finished.
        """
        from sessionfs.retention import pins

        pins.pin(cast("Session", self).core, _text(path), message)

    def unpin(self, path: Path | None = None) -> None:
        """Let the rules decide again.

        Raises:
            NotFound: It is not pinned.
        """
        from sessionfs.retention import pins

        pins.unpin(cast("Session", self).core, _text(path))

    @property
    def pins(self) -> list[PinInfo]:
        """What of it is pinned, by path."""
        from sessionfs.retention.pins import list_pins

        core = cast("Session", self).core
        core.refresh()
        return list(list_pins([core]))

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of config.toml that it answers for itself."""
        core = cast("Session", self).core
        core.refresh()
        return dict(core.fold.fields.settings)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Set some of what it answers for itself: limits, a timeout, rules of retention.

        Args:
            settings: As in config.toml: ``{"retention.keep_versions": 5, "sessions.timeout": "2h"}``. ``"never"`` lifts
                a rule of the store; None takes a key away again. Limits can only be narrower than the store's.

        Raises:
            InvalidInput: No session has such a key, or it cannot be that. Nothing was changed.

        Durability:
            As the durability mode says. Also in a session that is finished.
        """
        from sessionfs.store.settings import configure

        configure(cast("Session", self).core, settings)

    def prune(
        self,
        *,
        keep: int | None = None,
        keep_for: Duration | None = None,
        paths: Iterable[Path] = (),
        dry_run: bool = False,
    ) -> Pruned:
        """Give up old versions of artifacts. What is live, pinned or in a checkpoint is always kept.

        The log stays as it is, with a record that names what was given up. ``store.gc()`` then moves the contents to
        the trash, if nothing else needs them. Reading one that is gone raises :class:`NotFound`, which says so.

        Args:
            keep: Keep the last so many versions of each artifact.
            keep_for: Keep what was live at some time in the last so long: seconds, a timedelta, text as in ``"30d"``.
            paths: Only versions of these artifacts, and of what is below them.
            dry_run: Only say what would go.

        Raises:
            InvalidInput: Neither *keep* nor *keep_for*, or a number below 1.
            Corrupt: The session is damaged.
        """
        from sessionfs.retention.keeping import Keep
        from sessionfs.retention.prune import prune

        session = cast("Session", self)
        duration_ns = None if keep_for is None else to_duration_ns(keep_for)
        several = [paths] if isinstance(paths, str | bytes) else paths
        return prune(
            session.store.core, session.id, Keep.of(keep, duration_ns), paths=[*map(_text, several)], dry_run=dry_run
        )


def _text(path: Path | None) -> str:
    return "" if path is None else text_of(check_path(path))
