"""A session as the mount has it: its inodes by node, and what other processes do to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sessionfs.artifacts import Applied, Directory, Node, Tree
from sessionfs.log import Record
from sessionfs.mount.artifacts import ArtifactInode, ArtifactSymlink
from sessionfs.mount.directories import ArtifactDirectory
from sessionfs.mount.files import ArtifactFile
from sessionfs.mount.hooks import NO_HOOKS, MountHooks
from sessionfs.mount.inodes import Caller, InodeTable, hash_number
from sessionfs.mount.times import UnrecordedTimes
from sessionfs.store.artifacts import encode_attributes
from sessionfs.store.session import Session, SessionNotWritable
from sessionfs.store.store import Store

if TYPE_CHECKING:
    from sessionfs.mount.changes import Invalidator
    from sessionfs.mount.hooks import Asked, Describe
    from sessionfs.mount.keeper import Keeper


class MountedSession:
    """One session, for as long as the mount knows it."""

    def __init__(
        self,
        store: Store,
        session: Session,
        inodes: InodeTable,
        invalidator: Invalidator,
        keeper: Keeper,
        hooks: MountHooks,
        root_parent: int,
    ) -> None:
        self.store = store
        self.session = session
        self.inodes = inodes
        self.keeper = keeper
        self.hooks = hooks
        self.clock = store.clock
        self.root_parent = root_parent  # the number of the session's directory, which holds artifacts/
        self.known: dict[Node, ArtifactInode] = {}
        self.unrecorded_times = UnrecordedTimes()
        self._invalidator = invalidator
        self._salt = hash_number("session/" + session.id)
        self._tree = session.tree
        session.foreign = self._foreign

    def refresh(self) -> None:
        """Take in what other processes did.

        Raises:
            NoSuchSession: The session was deleted.
        """
        self.session.refresh()
        self._follow_tree()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Return a context in which a node's path stays what it is: others' changes are in, and no more come.

        A verb takes in what others did too, once it has the lock. A path that was read before then may be that of
        something else by the time the verb looks.

        Raises:
            CorruptLog, LockHeld: On entering.
            NoSuchSession: On entering: the session was deleted.
        """
        with self.session.writing():
            self._follow_tree()
            yield

    def _follow_tree(self) -> None:
        if self.session.tree is not self._tree:
            self._rebind()

    async def ask(
        self, point: str, describe: Describe, *, keeps_name: bool = False
    ) -> AbstractContextManager[Asked | None]:
        """Ask the hooks of *point*; see :meth:`MountHooks.ask`. What others did meanwhile has been taken in.

        Raises:
            HookVeto, HookFailed: It must not be done.
            NoSuchSession: The session was deleted.
        """
        if not self.hooks.are_at(point, self.session):
            return NO_HOOKS
        asked = await self.hooks.ask(self.session, point, describe, keeps_name=keeps_name)
        self.refresh()
        return asked

    # Inodes

    def inode_of(self, node: Node) -> ArtifactInode:
        """Return the inode of a node of the tree."""
        known = self.known.get(node)
        if known is not None:
            return known
        inode = self._make_inode(self.inodes.free_number(self._salt ^ node.ino), node)
        self.unrecorded_times.show(inode)
        return inode

    def _make_inode(self, number: int, node: Node) -> ArtifactInode:
        if isinstance(node, Directory):
            return ArtifactDirectory(number, self, node)
        if node.is_symlink:
            return ArtifactSymlink(number, self, node)
        return ArtifactFile(number, self, node) if node.is_file else ArtifactInode(number, self, node)

    def number_of(self, node: Node) -> int:
        """Return the inode number of a node of the tree."""
        return self.inode_of(node).number

    def path_of(self, node: Node) -> str | None:
        """Return the path of *node*; None when neither it nor anything above it hangs in the tree any more."""
        return self.session.tree.path_of(node)

    def changed(self, *nodes: Node | None) -> None:
        """Note that the attributes of *nodes* are others now."""
        for node in nodes:
            inode = None if node is None else self.known.get(node)
            if inode is not None:
                inode.cached = None

    def touch(self, node: Node) -> None:
        """Move the ctime of *node*, which is in no record."""
        inode = self.known.get(node)
        if inode is not None:
            inode.touch()

    async def record(self, node: Node) -> None:
        """Record a file that is in no record yet."""
        inode = self.known.get(node)
        if isinstance(inode, ArtifactFile):
            await inode.store_version()

    def _rebind(self) -> None:
        """Go on with the tree of a session that was read again from its log: after a failed append, or a repair.

        An inode stays with what has its path and number, one that somebody has open with what has its number anywhere.
        Files that are in no record, or in none any more while they are written, are hung into the new tree.
        """
        old_tree, self._tree = self._tree, self.session.tree
        renewal = _Renewal(old_tree, self._tree)
        # Directories last: where a file hung is found by way of those that it hung in.
        inodes = sorted(self._inodes(), key=lambda inode: inode.node.is_directory)
        for path, inode in [(old_tree.path_of(inode.node), inode) for inode in inodes]:
            if path is not None:
                self._renew(path, inode, renewal)

    def _inodes(self) -> list[ArtifactInode]:
        """Return all inodes of the session that the kernel knows, or somebody has open."""
        return [inode for inode in self.inodes.all() if isinstance(inode, ArtifactInode) and inode.mounted is self]

    def _renew(self, path: str, inode: ArtifactInode, renewal: _Renewal) -> None:
        node = inode.node
        found = renewal.find(path, node, anywhere=bool(inode.handles))
        if isinstance(node, Directory):
            for name in _differing_names(node, found):
                self.invalidate_entry(node, name)
        if found is not None:
            if self.known.get(node) is inode:
                del self.known[node]
                self.known[found] = inode
            inode.node = found
        elif not node.id or inode.is_unsaved:
            node.id = ""
            renewal.hang(node)
        else:
            node.parent = None
        self._invalidate(inode.node, content=inode.node.oid != node.oid)

    # Asking before something is done

    def check_writable(self) -> None:
        """Check that the session is active and its log whole.

        Raises:
            SessionNotWritable: It is not (EROFS).
        """
        if not self.session.is_writable:
            self.session.check_writable()
            raise SessionNotWritable(f"the log of session {self.session.id} is damaged, so it is read-only")

    @staticmethod
    def check_fields(changes: dict[str, Any]) -> None:
        """Check values that will be recorded later, so that whoever set them hears of it now."""
        encode_attributes(changes)

    def actor_of(self, caller: Caller) -> str:
        """Return who *caller* is, as records name people."""
        return f"uid:{caller.uid}"

    # What other processes did

    def _foreign(self, record: Record, applied: Applied | None) -> None:
        if applied is None:
            return
        had = (applied.node, applied.removed) if record.type == "artifact.renamed" else (applied.removed,)
        for (directory, name), node in zip(applied.parents, had, strict=False):  # an update changes no entry
            self.changed(directory)
            self.invalidate_entry(directory, name, of=None if node is None else self.known.get(node))
        content_changed = record.type == "artifact.stored"
        self._invalidate(applied.node, content=content_changed)
        self._invalidate(applied.removed, content=False)

    def made_elsewhere(self, node: Node) -> None:
        """Note that *node* was made, or got another version, under a name that nobody asked for."""
        if node.parent is not None:
            self.changed(node.parent)
            self.invalidate_entry(node.parent, node.name)
        self._invalidate(node, content=True)

    def stored_through(self, inode: ArtifactFile) -> None:
        """Note a new version that came through *inode*; if that is retired, others have to hear of it."""
        if self.known.get(inode.node) is not inode:
            self._invalidate(inode.node, content=True)

    def _invalidate(self, node: Node | None, *, content: bool) -> None:
        """Note that somebody else changed what is said about *node*, or its *content*."""
        inode = None if node is None else self.known.get(node)
        if inode is None:
            return
        if content and isinstance(inode, ArtifactFile) and inode.handles:
            self._retire(inode)
        else:
            inode.cached = None
            self._invalidator.inode(inode.number, content=content)

    def _retire(self, inode: ArtifactFile) -> None:
        node = inode.node
        inode.retire()
        del self.known[node]
        for directory, name in ((node.parent, node.name), *(node.others or ())):
            if directory is not None:
                self.invalidate_entry(directory, name, of=inode)

    def invalidate_entry(self, directory: Directory, name: str, *, of: ArtifactInode | None = None) -> None:
        """Make the kernel forget what *name* is in *directory*.

        Args:
            of: What had the name.
        """
        known = self.known.get(directory)
        if known is not None:
            number = None if of is None else of.number
            self._invalidator.entry(known.number, name.encode("utf-8", "surrogateescape"), of=number)

    def is_doubtful(self, inode: ArtifactInode, name: bytes | None = None) -> bool:
        """Say whether the kernel has not yet been told of a name that *inode*, or a directory above it, has no more.

        Args:
            name: Or of what *name* is in it.
        """
        invalidator = self._invalidator
        if not invalidator.is_forgetting_any_name:
            return False
        if name is not None and invalidator.is_forgetting_entry(inode.number, name):
            return True
        return invalidator.is_forgetting_names(inode.number) or any(
            invalidator.is_forgetting_names(above.number) for above in self._known_above(inode.node)
        )

    def _known_above(self, node: Node) -> Iterator[ArtifactInode]:
        directory = node.parent
        while directory is not None:
            inode = self.known.get(directory)
            if inode is not None:
                yield inode
            directory = directory.parent

    def forget_pages(self, inode: ArtifactInode) -> None:
        """Make the kernel forget the content and attributes of *inode*."""
        inode.cached = None
        self._invalidator.inode(inode.number, content=True)


class _Renewal:
    """What is in a new tree of what was in an old one."""

    def __init__(self, old: Tree, new: Tree) -> None:
        self._old = old
        self._new = new

    def find(self, path: str, node: Node, *, anywhere: bool) -> Node | None:
        """Return what *node*, which was at *path*, is in the new tree; None when it is not there.

        Args:
            anywhere: Look for it at all paths, which may read the whole tree.
        """
        there = self._new.find(path)
        if there is not None and there.ino == node.ino and there.kind == node.kind:
            return there
        found = self._by_number.get(node.ino) if anywhere else None
        return found if found is not None and found.kind == node.kind else None

    @cached_property
    def _by_number(self) -> dict[int, Node]:
        return {node.ino: node for _, node in self._new.walk()}

    def hang(self, node: Node) -> None:
        """Hang *node*, which is in no record, into its directory, if that is there and has nothing of its name."""
        above = node.parent
        path = None if above is None else self._old.path_of(above)
        directory = None if above is None or path is None else self.find(path, above, anywhere=True)
        node.parent = None
        if isinstance(directory, Directory) and directory.get(node.name) is None:
            self._new.add_unrecorded(node, directory)


def _differing_names(old: Directory, new: Node | None) -> list[str]:
    """Return the names that are not what they were, when *new* is in the place of the directory *old*."""
    before, after = old.entries(), new.entries() if isinstance(new, Directory) else {}
    return [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name].ino != after[name].ino
    ]
