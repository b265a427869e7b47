"""Sessions as ordinary files, and in bundles: out of a store, and into one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

if TYPE_CHECKING:
    from sessionfs.api.session import Session
    from sessionfs.api.store import Store
    from sessionfs.api.travelling import When
    from sessionfs.backup.bundle_create import Bundled
    from sessionfs.backup.done import Copied
    from sessionfs.backup.export import Exported
    from sessionfs.backup.import_session import Imported

Path = str | os.PathLike[str]
Result = TypeVar("Result")
Progress = Callable[[int], None]
"""Called with how many bytes of content have been read or written more."""


class Exporting:
    """The part of :class:`sessionfs.Session` that writes it out."""

    def export(
        self,
        destination: Path | BinaryIO,
        *,
        moment: When = "now",
        format: str | None = None,
        all_versions: bool = False,
        progress: Progress | None = None,
    ) -> Exported:
        """Write it out as ordinary files, so that :meth:`Store.import_session` makes the same of them.

        Args:
            destination: A directory that is not there or empty; the path of a tar archive, by its name
                (``.tar``, ``.tar.gz``, ``.tgz``, ``.tar.xz``, ``.tar.bz2``, ``.tar.lz4``); or an open binary file,
                which gets a tar archive.
            moment: As it was then.
            format: ``directory``, ``tar``, ``tar.gz``, … whatever the name.
            all_versions: With the earlier versions of its artifacts, and the log.

        Raises:
            Conflict: Something is there already; nothing was written, as with all that is raised.
            NotFound, Corrupt: The moment, or some content, is not there or damaged.
            OSError: It cannot be written.
        """
        from sessionfs.backup.export import export, open_target
        from sessionfs.travel import moment_of, view_at

        session = cast("Session", self)
        view = view_at(session.core, moment_of(moment))
        place = os.fspath(destination) if isinstance(destination, str | os.PathLike) else destination
        target = open_target(place, format)
        return export(session.core, view, target, all_versions=all_versions, progress=progress)


class Exchanging:
    """The part of :class:`sessionfs.Store` for sessions that leave it as files, and come into it."""

    def import_session(
        self,
        source: Path | BinaryIO,
        *,
        id: str | None = None,
        progress: Progress | None = None,
        **fields: Any,
    ) -> Imported:
        """Make a session of a directory or a tar archive: of what :meth:`Session.export` wrote, or of any other.

        Args:
            source: A path; or an open binary file that gives a tar archive, compressed or not.
            id: By default that of the session that was exported, and a UUIDv7 for ordinary files.
            fields: ``name``, ``description``, ``tags`` and ``metadata``, if they are not to be as exported.

        Raises:
            Conflict: There is a session of this id; there is no new one, as with all that is raised.
            InvalidInput: Something in it cannot be in a session: a path that leads out, a name that is too long.
            Corrupt: The archive is cut short or damaged.
            OSError: It cannot be read.

        Durability:
            As the durability mode says.
        """
        from sessionfs.backup.import_session import import_session

        place = os.fspath(source) if isinstance(source, str | os.PathLike) else source
        store = cast("Store", self).core
        return import_session(store, place, session_id=id, fields=fields, progress=progress)

    def bundle(
        self,
        destination: Path | BinaryIO,
        sessions: Iterable[str | Session] | None = None,
        *,
        since: When | None = None,
        progress: Progress | None = None,
    ) -> Bundled:
        """Write sessions into one file, whole, with their history; what they were forked from comes along.

        Args:
            destination: A path, where the bundle appears when it is whole; or an open binary file.
            sessions: All by default.
            since: Leave out what they had at this moment, which whoever takes the bundle in must have.

        Raises:
            NotFound: There is no such session.
            Corrupt: Something of them is damaged.
            OSError: It cannot be written.
        """
        from sessionfs.backup.bundle_create import create_bundle
        from sessionfs.backup.export_file import WholeFile
        from sessionfs.travel import moment_of

        store = cast("Store", self).core
        chosen = None if sessions is None else [one if isinstance(one, str) else one.id for one in sessions]
        moment = None if since is None else moment_of(since)
        if not isinstance(destination, str | os.PathLike):
            return create_bundle(store, destination, chosen, since=moment, progress=progress)
        file = WholeFile(os.fspath(destination))
        try:
            bundled = create_bundle(store, file.file, chosen, since=moment, progress=progress)
            file.finish()
        except BaseException:
            file.abandon()
            raise
        return bundled

    def unbundle(
        self,
        source: Path | BinaryIO,
        sessions: Iterable[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Copied:
        """Take sessions over from a bundle; what is there already stays, and what goes on there gets longer.

        Args:
            source: A path or an open binary file.
            sessions: Only these, with what they were forked from; all by default.

        Raises:
            NotFound: The bundle does not have them, or needs records that this store does not have.
            Corrupt: The bundle is cut short or was changed; no session was taken over.
            OSError: It cannot be read.

        Durability:
            Survives a power cut.
        """
        from sessionfs.backup.bundle_unpack import unbundle

        store = cast("Store", self).core
        return _reading(source, lambda file, name: unbundle(store, file, name, sessions, progress=progress))


def verify_bundle(source: Path | BinaryIO) -> Bundled:
    """Check all of a bundle, which takes no store, and return what it holds.

    Raises:
        Corrupt: It is cut short or was changed.
        Unsupported: A newer sessionfs made it.
        OSError: It cannot be read.
    """
    from sessionfs.backup.bundle_check import verify_bundle

    return _reading(source, verify_bundle)


def _reading(source: Path | BinaryIO, read: Callable[[BinaryIO, str], Result]) -> Result:
    """Return what *read* makes of an open file and what to call it."""
    if not isinstance(source, str | os.PathLike):
        known = getattr(source, "name", None)  # a number, of what was opened by its descriptor
        return read(source, known if isinstance(known, str) else "the stream")
    name = os.fspath(source)
    with open(name, "rb") as file:
        return read(file, name)
