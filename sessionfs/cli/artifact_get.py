"""``artifact cat`` and ``artifact get``: content comes out of a session."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, BinaryIO, cast

from sessionfs.backup.export_file import named, open_private, temporary_name
from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.artifact_list import tree_path
from sessionfs.cli.call import Call
from sessionfs.cli.spec import ARTIFACT, READ_SESSION, Option, Positional, Verb

if TYPE_CHECKING:
    from sessionfs.api import Artifact, Session, SessionView
    from sessionfs.cli.progress import Progress


def _cat(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        artifacts = call.reading(store, arguments.text("SESSION")).artifacts
        found = [artifacts[tree_path(path)] for path in arguments.texts("PATH")]
        for artifact in found:
            artifact.copy_to(cast(BinaryIO, call.out.bytes_stream))


def _get(call: Call, arguments: Arguments) -> int:
    path = tree_path(arguments.text("PATH"))
    if arguments.maybe("DEST") == "-":
        raise UsageError("for standard output there is: sessionfs artifact cat; a file of that name is ./-")
    with call.open_store() as store:
        session = call.reading(store, arguments.text("SESSION"))
        kind = session.artifacts[path].kind if path else "directory"
        name = path.rpartition("/")[2] or session.id
        target = _target(call, arguments.maybe("DEST"), name)
        chosen = [session.artifacts[path]] if kind != "directory" else _below(session, path)
        with call.progress("copying", sum(one.size for one in chosen), in_bytes=True) as progress:
            copying = _Copying(call, force=arguments.flag("force"), progress=progress)
            if kind == "directory":
                copying.tree(session.artifacts[path] if path else None, chosen, path, target)
            else:
                copying.one(chosen[0], target)
    if call.out.as_json:
        call.out.document([artifact.to_dict() for artifact in chosen])
    return exits.NO if copying.left_out else exits.YES


def _target(call: Call, named: str | None, name: str) -> str:
    target = call.path(named if named is not None else name)
    if named is not None and os.path.isdir(target):
        return os.path.join(target, name)
    return target


def _below(session: Session | SessionView, path: str) -> list[Artifact]:
    """Return everything below *path*, each directory before what is in it."""
    found: list[Artifact] = []
    for artifact in session.artifacts.list(path, recursive=False):
        found.append(artifact)
        if artifact.kind == "directory":
            found += _below(session, artifact.path)
    return found


class _Copying:
    """One ``get``: what it may overwrite, and what it could not make."""

    def __init__(self, call: Call, *, force: bool, progress: Progress) -> None:
        self.left_out = 0
        self._call = call
        self._force = force
        self._progress = progress

    def tree(self, top: Artifact | None, below: list[Artifact], path: str, target: str) -> None:
        """Copy a directory out; *top* is None for the root, which has no attributes that matter outside."""
        made = [(top, target)] if top is not None else []
        self._make_directory(target)
        for artifact in below:
            place = os.path.join(target, artifact.path[len(path) :].lstrip("/"))
            if artifact.kind == "directory":
                self._make_directory(place)
                made.append((artifact, place))
            else:
                self.one(artifact, place)
        # Last, from the inside out: a directory's own time changes with what is made in it, and its mode may
        # forbid that anything is.
        for directory, place in reversed(made):
            os.chmod(place, directory.mode)
            os.utime(place, ns=(directory.mtime_ns, directory.mtime_ns))

    def one(self, artifact: Artifact, place: str) -> None:
        """Copy out what is not a directory."""
        self._check_free(place)
        if artifact.kind == "file":
            self._file(artifact, place)
        elif artifact.kind == "symlink":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)
            os.symlink(artifact.target or "", place)
            os.utime(place, ns=(artifact.mtime_ns, artifact.mtime_ns), follow_symlinks=False)
        else:
            self._call.say(f"sessionfs: artifact get: left out {exits.printable(artifact.path)!r}, a {artifact.kind}")
            self.left_out += 1

    def _file(self, artifact: Artifact, place: str) -> None:
        # Under another name until it is whole and its hash has been checked: what was there stays until then.
        directory, name = os.path.split(place)
        try:
            self._write(artifact, os.path.join(directory, temporary_name(name)), place)
        except OSError as failure:
            raise named(failure, place) from None

    def _write(self, artifact: Artifact, temporary: str, place: str) -> None:
        with open(temporary, "xb", opener=open_private) as file:
            try:
                artifact.copy_to(self._progress.writing(file))
                os.fchmod(file.fileno(), artifact.mode)
                file.flush()
                os.utime(file.fileno(), ns=(artifact.mtime_ns, artifact.mtime_ns))
                os.replace(temporary, place)
            except BaseException:
                os.unlink(temporary)
                raise

    def _check_free(self, place: str) -> None:
        if os.path.lexists(place) and (not self._force or (os.path.isdir(place) and not os.path.islink(place))):
            hint = "" if self._force else "; --force replaces files"
            raise FileExistsError(errno.EEXIST, f"it is there already, and was left as it is{hint}", place)

    def _make_directory(self, place: str) -> None:
        if self._force and os.path.isdir(place) and not os.path.islink(place):
            return
        try:
            os.mkdir(place, 0o700)
        except FileExistsError as failure:
            hint = "" if self._force else "; --force writes into it"
            raise FileExistsError(errno.EEXIST, f"it is there already, and was left as it is{hint}", place) from failure


VERBS = {
    "artifact cat": Verb(
        _cat,
        about="The content is checked against its hash: when it is damaged, what was written so far is followed by an "
        "error.",
        positionals=(READ_SESSION, Positional("PATH", "Paths in the session's tree", count="+", complete="artifact")),
        examples=(
            ("artifact cat @ report.txt", "writes it to standard output"),
            ("artifact cat 'q4@{5}' report.txt", "as it was after record 5"),
        ),
        exits={2: "The request is malformed, or a PATH is a directory.", 3: "There is no such session or artifact."},
    ),
    "artifact get": Verb(
        _get,
        about="Copies a file, or a directory with all that is in it, with modes and times. Nothing is overwritten "
        "without --force, and a file appears only when it is whole.",
        positionals=(
            READ_SESSION,
            ARTIFACT,
            Positional("DEST", "Where to; a directory to put it into; here by default", count="?", complete="file"),
        ),
        options=(Option("-f --force", "Replace files, and write into directories, that are there"),),
        examples=(
            ("artifact get @ report.txt", "makes ./report.txt"),
            ("artifact get q4 charts /tmp/out", "makes the directory /tmp/out, or /tmp/out/charts if that is one"),
            ("artifact get q4 . all", "copies the whole tree to ./all"),
        ),
        exits={
            1: "Something that is neither file, directory nor symbolic link was left out.",
            3: "There is no such session or artifact, or no directory to copy it to.",
            5: "The destination exists.",
        },
    ),
}
