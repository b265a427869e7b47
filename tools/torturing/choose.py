"""Which operation comes next: a pure function of the seed and of which operations succeeded on ext4.

Most operations are on what exists, or on a new name where something can be made; the rest are on what is missing, of
another kind, oddly spelled, or not allowed. What exists is known roughly - an operation through a symbolic link may
have changed what the chooser does not see - and set right at each snapshot.
"""

from __future__ import annotations

import os
import random
import stat
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from torturing import calls
from torturing.worker import ROOT, USERS, Operation, Outcome

FILE_SLOTS = 10
DIRECTORY_SLOTS = range(1, 5)  # 0 is the root
_MOST_PATHS = 120
_MOST_LEVELS = 5

_NAMES = (
    *(b"%c" % letter for letter in b"abcdefghijkl"),
    *(b"%c" % letter for letter in b"abcdefghijkl"),
    b".hidden",
    b"two words",
    b"new\nline",
    b"back\\slash",
    b"back\\xff",
    "größe".encode(),
    "gro\u0308ße".encode(),
    b"\xff\xfe",
    b"mixed\xc3\xa9\x80",
    b"...",
    b"n" * 255,
    b"\xc3\xa9" * 127,
)
_BAD_NAMES = (b"m" * 256, b"\xc3\xa9" * 128, b"m" * 1025)

_MODES = (
    *(0o777, 0o777, 0o777, 0o777, 0o777, 0o755, 0o666, 0o666),
    *(0o755, 0o700, 0o644, 0o666, 0o600, 0o640, 0o444, 0o000, 0o111, 0o222, 0o711, 0o750, 0o770),
    *(0o1777, 0o2775, 0o3777, 0o4755, 0o2755, 0o2644, 0o6777, 0o4711, 0o7777),
)
_OWNERS = (-1, -1, 0, 5001, 5002, 65534, 4294967294)
_REAL_GROUPS = (0, 5001, 5002, 6000, 65534, 4294967294)
_GROUPS = (-1, -1, *_REAL_GROUPS)

_XATTR_NAMES = (b"user.a", b"user.b", b"user.c", b"user.sp ace", b"user.\xff\xfe", b"user.back\\slash",
                "user.\u00fc".encode(), b"user.mime", b"user." + b"x" * 250)  # fmt: skip
_BAD_XATTR_NAMES = (b"user.", b"user." + b"x" * 251, b"nonamespace", b"system.nothing")
_XATTR_BYTES = (0, 1, 3, 10, 10, 30, 30, 60)
_LARGE_XATTR_BYTES = (4000, 20_000, 60_000, 65_536, 65_537)

_EDGES = (0, 1, 511, 4095, 4096, 4097, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073)
_FIRST_NS, _LAST_NS = -(2**31) * 10**9, 2**33 * 10**9  # what ext4 keeps

_ACCESS_MODES = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)
_FLAGS = (os.O_TRUNC, os.O_APPEND, os.O_EXCL, os.O_NOFOLLOW, os.O_DIRECTORY)
_DEVICES = ((1, 3), (1, 5), (240, 1), (4095, 1 << 19))

Path = tuple[int, bytes]
"""A directory's slot, and a path from there."""


class _Meant(NamedTuple):
    """What an operation does to what exists, if it succeeds."""

    action: str
    path: bytes = b""
    other: bytes = b""
    opens: int | None = None  # a slot that stays empty if it fails


_NOTHING = _Meant("")


class Chooser:
    """Chooses operations."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._paths: dict[bytes, str] = {}  # path to kind: f(ile), d(irectory), l(ink), o(ther)
        self._files: dict[int, bytes] = {}  # slot to path
        self._directories: dict[int, bytes] = {}
        self._meant: deque[_Meant] = deque()
        self._stretch = 0
        self._user = ROOT
        self._looking = 1.0
        self._kinds = list(_CHOICES)
        weights = [weight for weight, _ in _CHOICES.values()]
        self._cumulative = [sum(weights[: index + 1]) for index in range(len(weights))]

    # What the machine asks and tells

    def next(self) -> Operation:
        """Return the next operation."""
        self._begin_stretch()
        verb = self._verb()
        meant, arguments, looks = _CHOICES[verb][1](self)
        self._meant.append(meant)
        if self._chance.random() >= self._looking:
            looks = ()
        return verb, self._user, arguments, looks

    def learn(self, outcomes: list[Outcome]) -> None:
        """Take in what became of the oldest operations on ext4."""
        for outcome in outcomes:
            meant = self._meant.popleft()
            if outcome[0]:
                self._apply(meant)
            elif meant.opens is not None:
                slots = self._directories if meant.action == "opendir" else self._files
                slots.pop(meant.opens, None)

    def exists(self, tree: dict[bytes, int]) -> None:
        """Take in all that exists: path to mode."""
        self._paths = {path: _kind(mode) for path, mode in sorted(tree.items()) if path != b"."}

    def all_closed(self) -> None:
        """Every descriptor has been closed."""
        self._files.clear()
        self._directories.clear()

    def _apply(self, meant: _Meant) -> None:
        action, path, other, _ = meant
        if action in ("", "opendir"):
            return
        if action == "remove":
            self._paths.pop(path, None)
        elif action == "move":
            self._move(path, other)
        elif action == "exchange":
            self._exchange(path, other)
        else:
            self._paths.setdefault(path, action)

    def _move(self, source: bytes, target: bytes) -> None:
        if source not in self._paths or source == target:
            return
        moved = self._below(source)
        self._paths = {path: kind for path, kind in self._paths.items() if path not in moved and path != target}
        self._paths |= {target + path[len(source) :]: kind for path, kind in moved.items()}

    def _exchange(self, one: bytes, other: bytes) -> None:
        below_one, below_other = self._below(one), self._below(other)
        for path in (*below_one, *below_other):
            self._paths.pop(path, None)
        self._paths |= {other + path[len(one) :]: kind for path, kind in below_one.items()}
        self._paths |= {one + path[len(other) :]: kind for path, kind in below_other.items()}

    def _below(self, top: bytes) -> dict[bytes, str]:
        return {path: kind for path, kind in self._paths.items() if path == top or path.startswith(top + b"/")}

    # Chances

    @property
    def is_root(self) -> bool:
        """Whether the next operation is root's."""
        return self._user == ROOT

    def _begin_stretch(self) -> None:
        self._stretch -= 1
        if self._stretch < 0:
            self._stretch = self._chance.randrange(40)
            self._user = self._chance.choices(list(USERS), (5, 3, 2))[0]
            self._looking = self._chance.choice((1.0, 1.0, 1.0, 1.0, 0.3, 0.0))

    def _verb(self) -> str:
        if len(self._paths) > _MOST_PATHS and self._chance.random() < 0.3:
            return self._chance.choice(("unlink", "rmdir", "unlink"))
        return self._chance.choices(self._kinds, cum_weights=self._cumulative)[0]

    def maybe(self, probability: float) -> bool:
        return self._chance.random() < probability

    def one(self, values: Any) -> Any:
        return self._chance.choice(values)

    # Paths

    def some(self, kinds: str = "fdlo") -> bytes:
        """Return a path of what exists - mostly, and mostly of one of these kinds."""
        if self.maybe(0.05):
            return self.new()
        if self.maybe(0.05):
            kinds = "fdlo"
        found = [path for path, kind in self._paths.items() if kind in kinds]
        if "d" in kinds and self.maybe(0.04):
            return b"."
        return self.one(found) if found else self.new()

    def new(self) -> bytes:
        """Return a path in a directory that exists; something may be there."""
        directories = [path for path, kind in self._paths.items() if kind in "dl" and path.count(b"/") < _MOST_LEVELS]
        name = self.one(_BAD_NAMES) if self.maybe(0.01) else self.one(_NAMES)
        if self.maybe(0.02):
            directories = list(self._paths)  # below a file
        if not directories or self.maybe(0.3):
            return name
        path: bytes = self.one(directories) + b"/" + name
        return path

    def spelled(self, path: bytes) -> Path:
        """Return *path* as somebody might name it."""
        slot = 0
        if self._directories and self.maybe(0.25):
            slot, directory = self.one(list(self._directories.items()))
            path = path[len(directory) + 1 :] if path.startswith(directory + b"/") else path.rpartition(b"/")[2]
        if self.maybe(0.05):
            path = self.one(_SPELLINGS)(path)
        return slot, path

    def looks(self, *paths: Path) -> tuple[tuple[Any, ...], ...]:
        """Return looks at paths, and at the directories they are in."""
        found: list[tuple[Any, ...]] = []
        for slot, path in paths:
            found += [("path", slot, path), ("path", slot, _directory_of(path))]
        return tuple(dict.fromkeys(found))

    # Slots

    def file_slot(self) -> int:
        """Return an open slot, mostly."""
        if self._files and not self.maybe(0.02):
            slot: int = self.one(list(self._files))
            return slot
        return self._chance.randrange(FILE_SLOTS)

    def opened(self, slot: int, path: bytes) -> None:
        self._files[slot] = path

    def any_file_slot(self) -> int:
        """Return a slot to open a file in: an empty one, if there is any."""
        empty = [slot for slot in range(FILE_SLOTS) if slot not in self._files]
        slot: int = self.one(empty) if empty else self._chance.randrange(FILE_SLOTS)
        return slot

    def path_of(self, slot: int) -> bytes | None:
        return self._files.get(slot)

    def closed(self, slot: int) -> bytes | None:
        return self._files.pop(slot, None)

    def directory_opened(self, slot: int, path: bytes) -> None:
        self._directories[slot] = path

    def directory_closed(self, slot: int) -> None:
        self._directories.pop(slot, None)

    # Numbers

    def size(self) -> int:
        """Return a number of bytes: small mostly, around the edges of pages and blocks, at times some MiB."""
        draw = self._chance.random()
        if draw < 0.5:
            return self._chance.randrange(200)
        if draw < 0.8:
            return self._chance.randrange(8000)
        if draw < 0.9:
            edge: int = self.one(_EDGES)
            return edge
        if draw < 0.997:
            return self._chance.randrange(300_000 if draw > 0.97 else 70_000)
        return self._chance.randrange(4 << 20)

    def offset(self) -> int:
        return self.size() if self.maybe(0.8) else 0

    def seed(self) -> int:
        return self._chance.randrange(1 << 20)

    def mode(self) -> int:
        return self.one(_MODES) if self.maybe(0.9) else self._chance.randrange(0o10000)

    def time(self) -> calls.Time:
        draw = self._chance.random()
        if draw < 0.2:
            return None
        if draw < 0.4:
            return "now"
        if draw < 0.5:
            edge: int = self.one((_FIRST_NS, _LAST_NS, 0, -1, 1, 10**9 - 1))
            return edge
        return self._chance.randrange(_FIRST_NS if draw > 0.9 else 0, _LAST_NS)


_Choice = tuple[_Meant, tuple[Any, ...], tuple[tuple[Any, ...], ...]]


def _kind(mode: int) -> str:
    kinds = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l"}
    return kinds.get(stat.S_IFMT(mode), "o")


def _directory_of(path: bytes) -> bytes:
    return path.rstrip(b"/").rpartition(b"/")[0] or b"."


_SPELLINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda path: path + b"/",
    lambda path: path + b"/.",
    lambda path: path + b"/..",
    lambda path: b"./" + path,
    lambda path: b"/" + path,
    lambda path: path.replace(b"/", b"//"),
    lambda path: path + b"/../" + path.rpartition(b"/")[2],
    lambda path: b"../" + path,
    lambda path: path + b"/x",
    lambda path: b"./" * ((4095 - len(path)) // 2) + path,
    lambda path: b"/" * (4095 - len(path)) + path,
    lambda path: b"/" * (4096 - len(path)) + path,
    lambda path: b"",
    lambda path: b".",
    lambda path: b"..",
)

# Opening and closing


def _open(choose: Chooser) -> _Choice:
    flags = choose.one(_ACCESS_MODES)
    creates = choose.maybe(0.5)
    path = choose.new() if creates and choose.maybe(0.7) else choose.some("f" if choose.maybe(0.8) else "fdlo")
    if creates:
        flags |= os.O_CREAT
    for flag in _FLAGS:
        if choose.maybe(0.01 if flag == os.O_DIRECTORY else 0.1):
            flags |= flag
    if choose.maybe(0.005):
        flags = os.O_TMPFILE | os.O_RDWR
    slot, (directory, spelled) = choose.any_file_slot(), choose.spelled(path)
    choose.opened(slot, path)
    meant = _Meant("f" if creates else "", path, opens=slot)
    looks = choose.looks((directory, spelled))
    return meant, (slot, directory, spelled, flags, choose.mode()), looks


def _close(choose: Chooser) -> _Choice:
    slot = choose.file_slot()
    path = choose.closed(slot)
    return _NOTHING, (slot,), choose.looks((0, path)) if path else ()


def _dup(choose: Chooser) -> _Choice:
    slot, new = choose.file_slot(), choose.any_file_slot()
    choose.opened(new, choose.path_of(slot) or b"a")
    return _Meant("", opens=new), (slot, new), (("file", new),)


def _opendir(choose: Chooser) -> _Choice:
    path, slot = choose.some("d"), choose.one(DIRECTORY_SLOTS)
    directory, spelled = choose.spelled(path)
    choose.directory_opened(slot, path)
    flags = choose.one((0, 0, os.O_PATH, os.O_NOFOLLOW))
    return _Meant("opendir", opens=slot), (slot, directory, spelled, flags), ()


def _closedir(choose: Chooser) -> _Choice:
    slot = choose.one(DIRECTORY_SLOTS)
    choose.directory_closed(slot)
    return _NOTHING, (slot,), ()


# Content


def _on_file(
    *arguments: Callable[[Chooser], Any],
) -> Callable[[Chooser], _Choice]:
    """Return a choice of an operation on an open file, with these arguments after its slot."""

    def choice(choose: Chooser) -> _Choice:
        slot = choose.file_slot()
        return _NOTHING, (slot, *(argument(choose) for argument in arguments)), (("file", slot),)

    return choice


def _sizes(choose: Chooser) -> tuple[int, ...]:
    return tuple(choose.size() for _ in range(choose.one((0, 1, 2, 3, 7))))


def _whence(choose: Chooser) -> int:
    return choose.one((os.SEEK_SET, os.SEEK_CUR, os.SEEK_END))


def _signed_offset(choose: Chooser) -> int:
    return choose.offset() * choose.one((1, 1, 1, -1))


def _fallocate_mode(choose: Chooser) -> int:
    keep = calls.FALLOC_KEEP_SIZE
    return choose.one(
        (0, keep, calls.FALLOC_PUNCH_HOLE | keep, calls.FALLOC_ZERO_RANGE, calls.FALLOC_ZERO_RANGE | keep)
    )


def _copy_range(choose: Chooser) -> _Choice:
    source, target = choose.file_slot(), choose.file_slot()
    arguments = (source, choose.offset(), target, choose.offset(), choose.size())
    return _NOTHING, arguments, (("file", target), ("file", source))


def _truncate(choose: Chooser) -> _Choice:
    path = choose.spelled(choose.some("f"))[1]
    return _NOTHING, (path, choose.size()), choose.looks((0, path))


# Names


def _mkdir(choose: Chooser) -> _Choice:
    path = choose.new()
    spelled = choose.spelled(path)
    return _Meant("d", path), (*spelled, choose.mode() if choose.maybe(0.25) else 0o777), choose.looks(spelled)


def _removal(kinds: str) -> Callable[[Chooser], _Choice]:
    def choice(choose: Chooser) -> _Choice:
        path = choose.some(kinds)
        spelled = choose.spelled(path)
        return _Meant("remove", path), spelled, choose.looks(spelled)

    return choice


def _link(choose: Chooser) -> _Choice:
    path, to = choose.some("flo"), choose.new()
    source, target = choose.spelled(path), choose.spelled(to)
    return _Meant("f", to), (*source, *target, choose.maybe(0.3)), choose.looks(source, target)


def _symlink(choose: Chooser) -> _Choice:
    path = choose.new()
    spelled = choose.spelled(path)
    draw = choose.some("fdlo")
    target = choose.one(
        (draw, b"/" + draw, b"../" + draw, draw.rpartition(b"/")[2], b".", path, b"missing", b"x" * 4095)
    )
    if choose.maybe(0.02):
        target = choose.one((b"", b"x" * 4096, b"\xff/\xfe"))
    return _Meant("l", path), (target, *spelled), choose.looks(spelled)


def _mknod(choose: Chooser) -> _Choice:
    path = choose.new()
    spelled = choose.spelled(path)
    kind = choose.one((stat.S_IFREG, stat.S_IFIFO, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK))
    device = choose.one(_DEVICES) if kind in (stat.S_IFCHR, stat.S_IFBLK) else (0, 0)
    meant = _Meant("f" if kind == stat.S_IFREG else "o", path)
    return meant, (*spelled, kind | choose.mode(), device), choose.looks(spelled)


def _rename(choose: Chooser) -> _Choice:
    path = choose.some()
    to = choose.new() if choose.maybe(0.6) else choose.some()
    flags = choose.one((0, 0, 0, calls.RENAME_NOREPLACE, calls.RENAME_EXCHANGE))
    if choose.maybe(0.01):
        flags = calls.RENAME_NOREPLACE | calls.RENAME_EXCHANGE
    source, target = choose.spelled(path), choose.spelled(to)
    meant = _Meant("exchange" if flags == calls.RENAME_EXCHANGE else "move", path, to)
    return meant, (*source, *target, flags), choose.looks(source, target)


def _scan(choose: Chooser) -> _Choice:
    path = choose.spelled(choose.new())
    return _NOTHING, (*path, choose.seed(), choose.one((3, 30, 150))), choose.looks(path)


def _on_path(
    *arguments: Callable[[Chooser], Any], kinds: str = "fdlo", looks: bool = True
) -> Callable[[Chooser], _Choice]:
    """Return a choice of an operation on a path, with these arguments after it."""

    def choice(choose: Chooser) -> _Choice:
        path = choose.spelled(choose.some(kinds))
        shown = (*choose.looks(path), ("target", *path)) if looks else ()
        return _NOTHING, (*path, *(argument(choose) for argument in arguments)), shown

    return choice


def _utimens(choose: Chooser) -> _Choice:
    path = choose.spelled(choose.some())
    follow = choose.maybe(0.5)
    return _NOTHING, (*path, choose.time(), choose.time(), follow), (("target" if follow else "path", *path),)


def _on_root_path(*arguments: Callable[[Chooser], Any], looks: bool = True) -> Callable[[Chooser], _Choice]:
    """Return a choice of an operation that knows no directory descriptors."""

    def choice(choose: Chooser) -> _Choice:
        path = choose.some()
        return _NOTHING, (path, *(argument(choose) for argument in arguments)), choose.looks((0, path)) if looks else ()

    return choice


def _xattr_name(choose: Chooser) -> bytes:
    return choose.one(_BAD_XATTR_NAMES) if choose.maybe(0.02) else choose.one(_XATTR_NAMES)


def _xattr_bytes(choose: Chooser) -> int:
    return choose.one(_LARGE_XATTR_BYTES) if choose.maybe(0.02) else choose.one(_XATTR_BYTES)


def _xattr_flags(choose: Chooser) -> int:
    return choose.one((0, 0, 0, os.XATTR_CREATE, os.XATTR_REPLACE))


def _umask(choose: Chooser) -> _Choice:
    return _NOTHING, (choose.one((0, 0, 0o022, 0o027, 0o077, 0o777)),), ()


def _statfs(choose: Chooser) -> _Choice:
    return _NOTHING, (), ()


def _owner(choose: Chooser) -> int:
    return choose.one(_OWNERS)


def _group(choose: Chooser) -> int:
    # chown(-1, -1) by others than root is left out: of a set-id file that somebody writes to, it looks to the mount
    # like what the kernel asks for before a write, which is allowed to others too.
    return choose.one(_GROUPS if choose.is_root else _REAL_GROUPS)


def _half(choose: Chooser) -> bool:
    return choose.maybe(0.5)


_CHOICES: dict[str, tuple[float, Callable[[Chooser], _Choice]]] = {
    "open": (14, _open),
    "close": (9, _close),
    "dup": (1, _dup),
    "opendir": (1, _opendir),
    "closedir": (0.7, _closedir),
    "read": (3, _on_file(Chooser.size)),
    "pread": (3, _on_file(Chooser.size, Chooser.offset)),
    "write": (7, _on_file(Chooser.seed, Chooser.size)),
    "pwrite": (6, _on_file(Chooser.seed, Chooser.size, Chooser.offset)),
    "writev": (2, _on_file(Chooser.seed, _sizes)),
    "lseek": (2, _on_file(_signed_offset, _whence)),
    "ftruncate": (3, _on_file(Chooser.size)),
    "truncate": (2.5, _truncate),
    "fsync": (0.3, _on_file()),
    "fdatasync": (0.3, _on_file()),
    "fallocate": (0.7, _on_file(_fallocate_mode, Chooser.offset, Chooser.size)),
    "copy_file_range": (1, _copy_range),
    "holes": (0.7, _on_file()),
    "mmap_write": (1.5, _on_file(Chooser.seed, Chooser.size, Chooser.offset)),
    "mmap_read": (1, _on_file(Chooser.size, Chooser.offset)),
    "mkdir": (5, _mkdir),
    "rmdir": (3, _removal("d")),
    "unlink": (6, _removal("flo")),
    "link": (4, _link),
    "symlink": (3, _symlink),
    "readlink": (1, _on_path(kinds="l", looks=False)),
    "mknod": (2.5, _mknod),
    "rename": (8, _rename),
    "list": (2, _on_path(kinds="d", looks=False)),
    "scan": (0.1, _scan),
    "stat": (2, _on_path(_half, looks=False)),
    "access": (2, _on_path(lambda choose: choose.one(range(8)), _half, looks=False)),
    "chmod": (4, _on_path(Chooser.mode)),
    "fchmod": (1, _on_file(Chooser.mode)),
    "chown": (3, _on_path(_owner, _group, _half)),
    "fchown": (1, _on_file(_owner, _group)),
    "utimens": (3, _utimens),
    "futimens": (1, _on_file(Chooser.time, Chooser.time)),
    "setxattr": (3, _on_root_path(_xattr_name, Chooser.seed, _xattr_bytes, _xattr_flags)),
    "fsetxattr": (1, _on_file(_xattr_name, Chooser.seed, _xattr_bytes, _xattr_flags)),
    "getxattr": (2, _on_root_path(_xattr_name, looks=False)),
    "listxattr": (1, _on_root_path(looks=False)),
    "removexattr": (2, _on_root_path(_xattr_name)),
    "statfs": (0.1, _statfs),
    "umask": (0.2, _umask),
}
