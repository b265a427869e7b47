"""The table of what is measured. Names stay as they are: they are how numbers of different days are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from benchmarks.measure import MICROSECONDS as US
from benchmarks.measure import MILLISECONDS as MS
from benchmarks.measure import Bar, Unit, at_most_times
from benchmarks.mount import content, databases, names, tools
from benchmarks.mount.work import PIECE, Run, Work


class State(Enum):
    """What the kernel has in memory when the timed part begins."""

    PREPARED = auto()  # what preparing has left there
    WARM = auto()  # the same has been done once
    COLD = auto()  # nothing


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        prepare: Makes the row ready in the current directory and returns what is timed.
        count: How much to do: operations, MiB, passes; what *prepare* says. Chosen so that plain files take 2 to 200
            ms, slow filesystems not much more than a second, and three rounds of all together less than ten minutes.
        unit: In US it is told per operation, in MS for all of them.
        needs: A program that must be there.
        bar: Of the ratio to plain files.
    """

    name: str
    prepare: Callable[[Work], Run]
    count: int = 1
    unit: Unit = MS
    state: State = State.PREPARED
    needs: str | None = None
    bar: Bar | None = None


WARM, COLD = State.WARM, State.COLD

_write_small = partial(content.create_and_write, size=1 << 10)
_write_medium = partial(content.create_and_write, size=100 << 10)
_read_pieces = partial(content.read_large, piece=PIECE)
_write_pieces = partial(content.write_large, piece=PIECE)
_read_randomly = partial(content.read_randomly, size_mib=64)
_write_randomly = partial(content.write_randomly, size_mib=16)
_insert_rollback = partial(databases.insert, journal="DELETE", synchronous="FULL")
_insert_wal = partial(databases.insert, journal="WAL", synchronous="NORMAL")

# fmt: off
ROWS = (
    # Looking at what is there. What removes comes last: see Scratch for what deleting does to what comes after.
    Row("stat, warm", names.stat, 20_000, US, WARM, bar=at_most_times(1.5)),
    Row("stat, cold", names.stat, 2_000, US, COLD),
    Row("lookup of missing names, again", names.missing_again, 10_000, US, WARM),
    Row("lookup of missing names, new ones", names.missing_new, 5_000, US),
    Row("readdir of 2,000, warm", names.readdir, 20, US, WARM),
    Row("readdir of 2,000, cold", names.readdir, 1, US, COLD),
    Row("readlink", names.readlink, 1_000, US, WARM),
    Row("getxattr", names.getxattr, 1_000, US, WARM),
    Row("listxattr", names.listxattr, 1_000, US, WARM),
    Row("ls -l of 2,000, warm", tools.list_long, state=WARM, needs="ls"),
    Row("ls -l of 2,000, cold", tools.list_long, state=COLD, needs="ls", bar=at_most_times(8)),
    Row("find -type f, warm", tools.find, state=WARM, needs="find"),
    Row("find -size -newermt, warm", tools.find_by_attributes, state=WARM, needs="find"),
    Row("du -s, warm", tools.disk_usage, state=WARM, needs="du"),

    # Reading
    Row("open, read 1 KiB, close, warm", content.read_small, 2_000, US, WARM),
    Row("open, read 1 KiB, close, cold", content.read_small, 1_000, US, COLD),
    Row("read 64 MiB, warm", content.read_large, 64, MS, WARM, bar=at_most_times(1.5)),
    Row("read 64 MiB, cold", content.read_large, 64, MS, COLD),
    Row("read 64 MiB by 4 KiB, warm", _read_pieces, 64, MS, WARM),
    Row("read 4 KiB at random, warm", _read_randomly, 10_000, US, WARM, bar=at_most_times(1.5)),
    Row("read 4 KiB at random, cold", _read_randomly, 500, US, COLD),
    Row("read 256 MiB, warm", content.read_large, 256, MS, WARM, bar=at_most_times(2)),
    Row("read 256 MiB, cold", content.read_large, 256, MS, COLD, bar=at_most_times(2)),
    Row("mmap read 64 MiB, warm", content.read_mapped, 64, MS, WARM),
    Row("grep -r, warm", tools.grep, state=WARM, needs="grep"),
    Row("grep -r, cold", tools.grep, state=COLD, needs="grep"),
    Row("diff -r", tools.diff, state=WARM, needs="diff"),
    Row("Python imports, warm", tools.import_modules, state=WARM),
    Row("Python imports, cold", tools.import_modules, state=COLD),
    Row("tar create", tools.tar, state=WARM, needs="tar"),
    Row("cp -a out", tools.copy_out, needs="cp"),
    Row("rsync out", tools.rsync_out, needs="rsync"),
    Row("SQLite mmap reads", databases.read_mapped, 3_000, US, WARM),

    # Making and writing
    Row("create", names.create, 1_000, US),
    Row("create, write 1 KiB, close", _write_small, 1_000, US),
    Row("create, write 100 KiB, close", _write_medium, 200, US),
    Row("mkdir", names.mkdir, 1_000, US),
    Row("symlink", names.symlink, 1_000, US),
    Row("hard link", names.link, 1_000, US),
    Row("overwrite 1 KiB in place", content.overwrite, 500, US),
    Row("append 200 B, held open", content.append_held_open, 5_000, US),
    Row("append 200 B, opened each time", content.append_and_close, 500, US),
    Row("write 200 B and fsync", content.write_and_sync, 40, US),
    Row("truncate", content.truncate, 500, US),
    Row("write 64 MiB", content.write_large, 64),
    Row("write 64 MiB by 4 KiB", _write_pieces, 64),
    Row("write 256 MiB", content.write_large, 256, bar=at_most_times(2)),
    Row("write 4 KiB at random", _write_randomly, 2_000, US),
    Row("mmap write 16 MiB", content.write_mapped, 16),
    Row("setxattr", names.setxattr, 500, US),
    Row("chmod", names.chmod, 500, US),
    Row("utimes", names.utime, 500, US),
    Row("tar extract", tools.untar, needs="tar"),
    Row("cp -a in", tools.copy_in, needs="cp"),
    Row("rsync in", tools.rsync_in, needs="rsync"),
    Row("rsync again", tools.rsync_again, needs="rsync"),
    Row("git clone", tools.git_clone, needs="git"),
    Row("git status", tools.git_status, state=WARM, needs="git"),
    Row("git add, commit", tools.git_commit, needs="git"),
    Row("SQLite inserts, rollback journal", _insert_rollback, 40, US),
    Row("SQLite inserts, WAL", _insert_wal, 1_000, US),

    # Moving and removing
    Row("rename", names.rename, 500, US),
    Row("write 1 KiB, rename over", names.rename_over, 500, US),
    Row("unlink", names.unlink, 500, US),
    Row("rmdir", names.rmdir, 1_000, US),
    Row("rm -rf", tools.remove_tree, needs="rm"),
)
# fmt: on
