"""Sending objects to another machine: what it lacks, checked before it goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from sessionfs.backup.done import Damaged
from sessionfs.backup.objects import Progress
from sessionfs.backup.remote import Remote, rsync
from sessionfs.errors import Corrupt, NotFound
from sessionfs.objects import ObjectFile
from sessionfs.objects.copying import Copied
from sessionfs.oid import ObjectId
from sessionfs.store.store import Store

_OBJECT = re.compile(r"([0-9a-f]{2})/([0-9a-f]{62})(?:\.[a-z0-9]+)?")
_PACK = re.compile(r"pack/[0-9a-f]{16}\.(?:pack|idx)")

# rsync is started once for so many objects: what has arrived need not be sent again.
_BATCH_COUNT = 10_000


class RemoteObjects:
    """The objects of a store, on their way to another machine."""

    def __init__(self, store: Store, place: Remote, progress: Progress | None) -> None:
        self._store = store
        self._source = f"{store.layout.objects}/"
        self._target = place.below("objects/")
        self._verifier = store.objects.verifier()
        self._progress = progress
        self.done = Copied()
        self.damaged: list[Damaged] = []

    def send(self, *, verify: bool) -> None:
        """Send what is lacking; with *verify*, also what has another content there than here.

        Raises:
            TransferFailed: What has arrived is there.
        """
        compare = ["--checksum"] if verify else ["--ignore-existing"]
        files = self._with_pieces([file for name in self._lacking(compare) for file in self._file(name)])
        # Only now: what lies in a pack may be as young as the list that names it.
        self._send_packs(verify=verify)
        # And what a list in a pack names may be younger than the first look. (What no record names yet can still be
        # without a piece, when several processes add to packs meanwhile; the next run brings that.)
        known = {file.path for file in files}
        more = [file for name in self._lacking(compare) for file in self._file(name)]
        files += [file for file in more if file.compression != "chunks" and file.path not in known]
        # Lists of pieces come last, the short ones first, as when they are copied.
        files.sort(key=lambda file: self._verifier.size(file) if file.compression == "chunks" else -1)
        batch: list[ObjectFile] = []
        for file in files:
            if self._is_whole(file):
                batch.append(file)
            if len(batch) == _BATCH_COUNT:
                self._send(batch, compare)
                batch = []
        self._send(batch, compare)

    def _lacking(self, compare: list[str]) -> Iterator[str]:
        listed = rsync(["-rn", "--out-format=%n", "--exclude=/pack/", *compare], self._source, self._target)
        return (name for name in listed.splitlines() if _OBJECT.fullmatch(name))

    def _file(self, name: str) -> Iterator[ObjectFile]:
        match = _OBJECT.fullmatch(name)
        assert match is not None
        for file in self._store.objects.places(ObjectId(match[1] + match[2])):
            if file.path == f"{self._source}{name}":
                yield file

    def _with_pieces(self, files: list[ObjectFile]) -> list[ObjectFile]:
        """Return *files*, and the pieces of the lists among them that are younger than the look for what is lacking."""
        found = {file.path: file for file in files}
        waiting = [file for file in files if file.compression == "chunks"]
        while waiting:
            for oid in self._store.objects.pieces(waiting.pop().oid):
                for file in self._store.objects.places(oid):
                    if file.start is None and file.path not in found:
                        found[file.path] = file
                        waiting += [file] if file.compression == "chunks" else []
        return list(found.values())

    def _is_whole(self, file: ObjectFile) -> bool:
        try:
            self._verifier.verify(file)
        except (Corrupt, NotFound) as failure:
            self.damaged.append(Damaged(os.path.relpath(file.path, self._store.path), str(failure)))
            return False
        return True

    def _send(self, files: list[ObjectFile], compare: list[str]) -> None:
        if not files:
            return
        names = [file.path.removeprefix(self._source) for file in files]
        rsync(["-t", *compare], self._source, self._target, names=names)
        for file in files:
            self.done = self.done.plus(file)
        if self._progress is not None:
            self._progress(self.done.size)

    # Packs

    def _send_packs(self, *, verify: bool) -> None:
        """Send packs, and lengthen those that have grown; one with damage in it only where there is none."""
        options = ["-rtn", "--out-format=%n", *(["--checksum"] if verify else [])]
        listed = rsync([*options, "--include=/pack/***", "--exclude=*"], self._source, self._target)
        names = sorted(name for name in listed.splitlines() if _PACK.fullmatch(name))
        damaged = self._damaged_packs(set(names))
        self._send_names([name for name in names if name not in damaged], ["--checksum"] if verify else [])
        self._send_names([name for name in names if name in damaged], ["--ignore-existing"])

    def _send_names(self, names: Iterable[str], options: list[str]) -> None:
        chosen = list(names)
        if chosen:
            rsync(["-t", *options], self._source, self._target, names=chosen)
            self.done = Copied(self.done.object_count, self.done.size + sum(map(self._size, chosen)))

    def _size(self, name: str) -> int:
        return self._store.disk.size_at(self._source + name) or 0

    def _damaged_packs(self, names: set[str]) -> set[str]:
        """Return those of the packs *names* in which something is not whole; all that is in them is read."""
        if not names:
            return set()
        torn = {path for path, _, _, is_damage in self._store.objects.damaged_packs() if is_damage}
        found = names & {path.removeprefix(self._source) for path in torn}
        for file in self._store.objects.list_packed():
            name = file.path.removeprefix(self._source)
            if name in names and not self._is_packed_whole(file):
                found.add(name)
        return found

    def _is_packed_whole(self, file: ObjectFile) -> bool:
        try:
            (self._verifier.look if file.compression == "chunks" else self._verifier.verify)(file)
        except (Corrupt, NotFound) as failure:
            self.damaged.append(Damaged(os.path.relpath(str(file.place), self._store.path), str(failure)))
            return False
        return True
