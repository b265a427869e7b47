"""Carrying out what was planned: the records in the session, and the contents of files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from sessionfs.api import Session
from sessionfs.artifacts import Directory, mime
from sessionfs.artifacts import Node as Artifact
from sessionfs.collect.looking import SOMETHING_ELSE, found_in, is_open_for_writing, open_in_place, read_link
from sessionfs.collect.mirror import Found, Mirror, Node
from sessionfs.collect.plan import Delete, Exchange, MakeDirectory, Rename, Step
from sessionfs.collect.tree import Tree
from sessionfs.errors import Corrupt, Error, NoSpace, NotFound, ReadOnlyStore
from sessionfs.locks import LockHeld
from sessionfs.objects import Stored
from sessionfs.objects.holding import ObjectGone
from sessionfs.store.artifacts import check_artifact_size
from sessionfs.store.session import NoSuchSession, SessionNotWritable

# What is wrong with more than one file: the session cannot be written to, or nothing can.
_FATAL = (SessionNotWritable, NoSuchSession, Corrupt, NoSpace, ReadOnlyStore, LockHeld)

# What is not longer is read at once.
_SMALL_BYTES = 1 << 20


class Change(NamedTuple):
    """What was recorded.

    Attributes:
        what: ``stored`` (a version, a directory, a link), ``updated`` (attributes), ``renamed`` or ``deleted``.
        path: In the session.
        to: Where it is now, if it was renamed.
        version: Of a file that was stored.
    """

    what: str
    path: str
    to: str | None = None
    version: int | None = None


class Taken(Enum):
    """How taking the content of something ended."""

    DONE = 0
    LATER = 1  # it has changed meanwhile
    REFUSED = 2  # it cannot be taken as it is, and somebody was told why


class Storing:
    """Records in one session what happens in one directory."""

    def __init__(
        self,
        session: Session,
        tree: Tree,
        mirror: Mirror,
        *,
        to: str,
        type: str | None,
        tell: Callable[[Change], None],
        complain: Callable[[str, str], None],
    ) -> None:
        """Prepare it.

        Args:
            to: Where in the session the directory is; "" for its root.
            type: Of new artifacts.
            tell: Called with what was recorded.
            complain: Called with the path of what could not be taken, and why.
        """
        self._core = session.core
        self._tree = tree
        self._mirror = mirror
        self._to = to
        self._type = type
        self._tell = tell
        self._untold: deque[Change] = deque()
        self.complain = complain

    def path_in_session(self, path: str) -> str:
        """Return where in the session is what the directory has at *path*."""
        return "/".join(filter(None, (self._to, path)))

    def find(self, path: str) -> Artifact | None:
        """Return what the session has at *path* now."""
        self._core.refresh()
        with self._core.log.lock:
            return self._core.tree.find(path)

    def tell(self) -> None:
        """Tell somebody what was recorded since the last time.

        Not while it is recorded: that it cannot be told is no failure of what it is about.
        """
        while self._untold:
            self._tell(self._untold.popleft())

    # Where things are

    def carry_out(self, step: Step) -> bool:
        """Record one step; False when the session does not allow it, which somebody was told.

        Raises:
            Error: Nothing can be recorded any more.
        """
        path = self.path_in_session(step.path)
        match step:
            case MakeDirectory(node):
                return self._try(node, lambda: self._make_directory(node, path))
            case Rename(node, _, to):
                return self._try(node, lambda: self._rename(path, self.path_in_session(to)))
            case Exchange(node, _, to):
                return self._try(node, lambda: self._exchange(path, self.path_in_session(to)))
            case Delete(node):
                return self._try(node, lambda: self._delete(node, path))

    def _make_directory(self, node: Node, path: str) -> None:
        known = self.find(path)
        if known is not None and not known.is_directory:
            self._core.artifacts.delete(path)
        mode = 0o755 if node.found is None else node.found.mode
        made = self._core.artifacts.make_directory(path, exist_ok=True, mode=mode)
        node.taken = node.found
        if made is not known:
            self._untold.append(Change("stored", path))

    def _rename(self, path: str, to: str) -> None:
        self._core.artifacts.rename(path, to, make_parents=True)
        self._untold.append(Change("renamed", path, to))

    def _exchange(self, path: str, to: str) -> None:
        self._core.artifacts.exchange(path, to)
        self._untold.append(Change("renamed", path, to))
        self._untold.append(Change("renamed", to, path))

    def _delete(self, node: Node, path: str) -> None:
        waiting = [(node, path)]
        while waiting:
            node, path = waiting.pop()
            artifact = self.find(path)
            if artifact is None:
                continue  # somebody was faster
            if isinstance(artifact, Directory) and self._holds_more(artifact, node):
                # What others have put there stays, and so does the directory.
                waiting += [(below, f"{path}/{below.held_name}") for below in node.held.values()]
                continue
            self._core.artifacts.delete(path, recursive=artifact.is_directory)
            self._untold.append(Change("deleted", path))

    def _holds_more(self, directory: Directory, node: Node) -> bool:
        """Say whether the session has something in a directory that does not come from ours."""
        with self._core.log.lock:
            waiting = [(directory, node)]
            while waiting:
                directory, node = waiting.pop()
                ours = {below.held_name: below for below in node.held.values()}
                for name, entry in directory.entries().items():
                    if name not in ours:
                        return True
                    if isinstance(entry, Directory):
                        waiting.append((entry, ours[name]))
        return False

    # What they are

    def is_being_written(self, node: Node) -> bool:
        """Say whether somebody has the file *node* open for writing, as far as can be told."""
        try:
            fd = self._open(node.path)
        except OSError:
            return False  # whoever takes it says why
        try:
            is_open = is_open_for_writing(fd)
        finally:
            os.close(fd)
        return node.may_be_open if is_open is None else is_open

    def take(self, node: Node, *, is_last: bool) -> Taken:
        """Record the content and the attributes of what is in its place.

        Args:
            is_last: There will be no later: take it as it is, even if it changes meanwhile.

        Raises:
            Error: Nothing can be recorded any more.
        """
        taken = Taken.DONE

        def do() -> None:
            nonlocal taken
            try:
                if node.kind == "file":
                    taken = self._take_file(node, is_last)
                elif node.kind == "symlink":
                    self._take_symlink(node)
                else:
                    self._take_directory(node)
            except OSError as failure:
                if failure.errno not in SOMETHING_ELSE:
                    raise
                taken = Taken.LATER
            except ObjectGone:
                taken = Taken.LATER  # it took so long to record it that what had been put was collected as garbage

        return taken if self._try(node, do) else Taken.REFUSED

    def put(self, path: str) -> Stored:
        """Put the content of a file of the directory into the store; no record names it yet.

        Raises:
            OSError: It cannot be read.
        """
        with open(self._open(path), "rb", buffering=0) as file:
            return self._read(file, os.fstat(file.fileno()).st_size)[0]

    def _take_file(self, node: Node, is_last: bool) -> Taken:
        with open(self._open(node.path), "rb", buffering=0) as file:
            before = found_in(os.fstat(file.fileno()))
            if before is None or before.kind != "file":
                return Taken.LATER
            check_artifact_size(self._core.config.max_artifact_bytes, before.size)
            stored, head = self._read(file, before.size)
            after = found_in(os.fstat(file.fileno()))
        if after != before and not is_last:
            return Taken.LATER
        self._record_file(node, stored, head, before)
        node.taken = before if after == before else None
        return Taken.DONE

    def _open(self, path: str) -> int:
        return open_in_place(self._tree.place(path), os.O_RDONLY)

    def _read(self, file: Any, size: int) -> tuple[Stored, bytes]:
        """Return the content, stored, and its first bytes."""
        if size > _SMALL_BYTES:
            head = os.pread(file.fileno(), mime.SNIFFED_BYTES, 0)
            return self._core.objects.put_stream(file), head
        data = file.readall()
        return self._core.objects.put_bytes(data), data[: mime.SNIFFED_BYTES]

    def _record_file(self, node: Node, stored: Stored, head: bytes, found: Found) -> None:
        known = self._known(node)
        attributes: dict[str, Any] = {"mode": found.mode, "mtime_ns": found.mtime_ns}
        if known is not None and known.is_file and known.oid == stored.oid:
            self._update(known, attributes)
        else:
            if known is not None and not known.is_file:
                self._core.artifacts.delete(known.path)
                known = None
            if known is None and self._type is not None:
                attributes["type"] = self._type
            known = self._core.artifacts.put(self._path_of(node), stored, head=head, **attributes)
            self._untold.append(Change("stored", known.path, version=known.version))
        self._hold(node, known)

    def _take_symlink(self, node: Node) -> None:
        target = read_link(self._tree.place(node.path))
        known = self._known(node)
        found = node.found
        assert found is not None
        if known is not None and (known.kind, known.target) == ("symlink", target):
            self._update(known, {"mtime_ns": found.mtime_ns})
        else:
            if known is not None:
                self._core.artifacts.delete(known.path)
            known = self._core.artifacts.make_symlink(self._path_of(node), target, mtime_ns=found.mtime_ns)
            self._untold.append(Change("stored", known.path))
        self._hold(node, known)
        node.taken = found

    def _take_directory(self, node: Node) -> None:
        known = self._known(node)
        if known is not None and node.found is not None:
            self._update(known, {"mode": node.found.mode})
        node.taken = node.found

    def _update(self, known: Artifact, attributes: dict[str, Any]) -> None:
        now = {"mode": known.mode & 0o7777, "mtime_ns": known.mtime_ns}
        changed = {name: value for name, value in attributes.items() if now[name] != value}
        if changed:
            path = known.path
            self._core.artifacts.change(path, **changed)
            self._untold.append(Change("updated", path))

    def _known(self, node: Node) -> Artifact | None:
        """Return what the session has for *node*."""
        return self.find(self.path_in_session(node.held_path) if node.is_placed else self._path_of(node))

    def _path_of(self, node: Node) -> str:
        """Return where the session is asked to have *node*; a hook may choose another name."""
        parent = node.parent
        assert parent is not None
        return self.path_in_session("/".join(filter(None, (parent.held_path, node.name))))

    def _hold(self, node: Node, artifact: Artifact) -> None:
        assert node.parent is not None
        self._mirror.hold(node, node.parent, node.name, artifact.name)

    def _try(self, node: Node, do: Callable[[], None]) -> bool:
        try:
            do()
        except _FATAL:
            raise
        except NotFound as failure:
            # Somebody removed it from the session: what is still in the directory is taken anew when it changes.
            self._mirror.release(node)
            self.complain(node.path, str(failure))
            return False
        except (Error, OSError) as failure:
            self.complain(node.path, str(failure))
            return False
        return True
