"""The connection to the kernel: mounting, and the handshake that says what we want of it.

libfuse 3.14 and pyfuse3 never ask for some of what makes a mount fast, so the kernel's INIT is answered here. Stock
pyfuse3 then takes the connection over: libfuse accepts a mount point of the form ``/dev/fd/N``, an already mounted
connection. It insists on an INIT of its own first; it gets one through a pair of sockets, and when it has answered, the
connection is put in the place of its end of the pair.

Source:
    linux/fuse.h (protocol 7.31 and later); fusermount3's _FUSE_COMMFD; libfuse lib/fuse_lowlevel.c, ``_do_init``.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import subprocess

from sessionfs.errors import Unsupported

MAX_REQUEST_BYTES = 1 << 20
READAHEAD_KIB = 1024

_MOUNTER = "fusermount3"
_COMMAND_FD = "_FUSE_COMMFD"

_INIT_OPCODE = 26
_MAJOR = 7
_OLDEST_MINOR = 31  # the first with 1 MiB requests and cached links, Linux 5.4
_OUR_MINOR = 45

# What is told to libfuse: old enough that it reads requests with read(2). From 14 on it would splice each through a
# pipe, which costs two system calls more.
_MINOR_FOR_LIBFUSE = 13

_HEADER = struct.Struct("<IIQQIIIHH")  # length, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding
_REPLY_HEADER = struct.Struct("<IiQ")  # length, error, unique
_INIT_IN = struct.Struct("<IIIII")  # major, minor, max_readahead, flags, flags2; then 11 unused words
_INIT_IN_REST = bytes(44)
_INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
# major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran, max_pages,
# map_alignment, flags2, unused

_ASYNC_READ = 1 << 0
_ATOMIC_O_TRUNC = 1 << 3  # open(O_TRUNC) is one request
_BIG_WRITES = 1 << 5
_AUTO_INVAL_DATA = 1 << 12
_DO_READDIRPLUS = 1 << 13
_ASYNC_DIO = 1 << 15
_PARALLEL_DIROPS = 1 << 18
_MAX_PAGES = 1 << 22
_CACHE_SYMLINKS = 1 << 23
_EXPLICIT_INVAL_DATA = 1 << 25  # our own writes move mtime, which otherwise would empty the page cache
_HANDLE_KILLPRIV_V2 = 1 << 28  # spares a getxattr of security.capability at each write

_WANTED = (
    _ASYNC_READ
    | _ATOMIC_O_TRUNC
    | _BIG_WRITES
    | _DO_READDIRPLUS
    | _ASYNC_DIO
    | _PARALLEL_DIROPS
    | _MAX_PAGES
    | _CACHE_SYMLINKS
    | _EXPLICIT_INVAL_DATA
    | _HANDLE_KILLPRIV_V2
)

_MAX_BACKGROUND = 64
_CONGESTION_THRESHOLD = 48
_PAGE_BYTES = 4096


class CannotMount(Unsupported):
    """The system refused the mount."""


class Connection:
    """A mounted filesystem, and the descriptor that its requests come from."""

    def __init__(self, mountpoint: str, options: set[str]) -> None:
        """Mount on *mountpoint* and agree with the kernel.

        Args:
            options: As fusermount3 takes them: ``allow_other``, ``ro``, ``fsname=…``.

        Raises:
            CannotMount: The system refused, or the kernel is too old.
        """
        self.mountpoint = mountpoint
        self._fd = _mount(mountpoint, options)
        self._libfuse, self._ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            _negotiate(self._fd)
        except BaseException:
            self.unmount()
            raise
        self._ours.send(
            _init_request(_MINOR_FOR_LIBFUSE, MAX_REQUEST_BYTES, _DO_READDIRPLUS | _MAX_PAGES | _BIG_WRITES)
        )

    @property
    def fd(self) -> int:
        """The descriptor for libfuse: first it asks for INIT, then it is the connection."""
        return self._libfuse.fileno()

    def take_over(self) -> None:
        """Put the connection in the place of the pair of sockets, once libfuse has answered its INIT."""
        self._ours.recv(_PAGE_BYTES)
        os.dup2(self._fd, self._libfuse.fileno(), inheritable=False)
        os.close(self._fd)
        self._ours.close()
        self._read_ahead()

    def unmount(self) -> None:
        """Take the mount away, however much it is in use; harmless when it has gone already."""
        subprocess.run([_MOUNTER, "-u", "-q", "-z", "--", self.mountpoint], check=False, capture_output=True)

    def _read_ahead(self) -> None:
        """Let the kernel read 1 MiB ahead; it allows 128 KiB, and only root may ask for more."""
        device = _device_of(self.mountpoint)
        with (
            contextlib.suppress(OSError),
            open(f"/sys/class/bdi/{device}/read_ahead_kb", "w", encoding="ascii") as file,
        ):
            file.write(str(READAHEAD_KIB))


def _mount(mountpoint: str, options: set[str]) -> int:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        done = subprocess.run(
            [_MOUNTER, "-o", ",".join(sorted(options)), "--", mountpoint],
            env={**os.environ, _COMMAND_FD: str(theirs.fileno())},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            reason = done.stderr.strip() or f"{_MOUNTER} ended with {done.returncode}"
            raise CannotMount(f"the system refused to mount on {mountpoint}: {reason}")
        fds = array.array("i")
        _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(fds.itemsize))
        for _, _, data in ancillary:
            fds.frombytes(data[: fds.itemsize])
    os.set_inheritable(fds[0], False)
    return fds[0]


def _negotiate(fd: int) -> None:
    """Answer the kernel's INIT.

    Raises:
        CannotMount: It speaks another protocol.
    """
    request = os.read(fd, MAX_REQUEST_BYTES + _PAGE_BYTES)
    _, opcode, unique, *_ = _HEADER.unpack_from(request)
    major, minor, max_readahead, flags, _ = _INIT_IN.unpack_from(request, _HEADER.size)
    if opcode != _INIT_OPCODE or major != _MAJOR or minor < _OLDEST_MINOR:
        raise CannotMount(f"the kernel speaks FUSE {major}.{minor}; {_MAJOR}.{_OLDEST_MINOR} is needed (Linux 5.4)")
    wanted = _WANTED & flags
    if not flags & _EXPLICIT_INVAL_DATA:
        wanted |= _AUTO_INVAL_DATA & flags
    answer = _INIT_OUT.pack(
        _MAJOR,
        min(minor, _OUR_MINOR),
        max(max_readahead, READAHEAD_KIB << 10),
        wanted,
        _MAX_BACKGROUND,
        _CONGESTION_THRESHOLD,
        MAX_REQUEST_BYTES,
        1,
        MAX_REQUEST_BYTES // _PAGE_BYTES,
        0,
        0,
    )
    os.write(fd, _REPLY_HEADER.pack(_REPLY_HEADER.size + len(answer), 0, unique) + answer)


def _init_request(minor: int, max_readahead: int, flags: int) -> bytes:
    body = _INIT_IN.pack(_MAJOR, minor, max_readahead, flags, 0) + _INIT_IN_REST
    return _HEADER.pack(_HEADER.size + len(body), _INIT_OPCODE, 1, 0, 0, 0, 0, 0, 0) + body


def _device_of(mountpoint: str) -> str:
    """Return the ``major:minor`` of what is mounted on *mountpoint*, without asking it (it may not answer yet)."""
    found = ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            if fields[4] == mountpoint:
                found = fields[2]
    return found
