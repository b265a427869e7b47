"""``mount``, ``umount`` and ``mounts``."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb

if TYPE_CHECKING:
    from sessionfs.mount.options import MountOptions

# Options with a value that mount(8) knows by the same name, with "_" for "-".
_VALUES = ("session", "uid", "gid", "umask", "cache-seconds")
_FLAGS = {"read-only": "ro", "allow-other": "allow_other"}


def _mount(call: Call, arguments: Arguments) -> int:
    from sessionfs.mount import daemon

    if arguments.flag("stats"):
        return _stats(call, arguments)
    if arguments.flag("reset"):
        raise UsageError("--reset goes with --stats")
    options = _options(call, arguments)
    path, mountpoint = call.store_path(), call.path(arguments.text("MOUNTPOINT"))

    def ready() -> None:
        _notify(call.env, "READY=1")
        if call.out.as_json:
            call.out.document({"store": path, "mountpoint": mountpoint, "session": options.session})
            call.out.flush()

    foreground = arguments.flag("foreground")
    return daemon.mount(path, mountpoint, options=options, foreground=foreground, stderr=call.stderr, ready=ready)


def _options(call: Call, arguments: Arguments) -> MountOptions:
    """Return the mount options: those of -o first, then the others, which win."""
    from sessionfs.mount.options import read_options, split_words

    words = [word for text in arguments.texts("options") for word in split_words(text)]
    words += [word for flag, word in _FLAGS.items() if arguments.flag(flag)]
    values = {name: arguments.maybe(name) for name in _VALUES}
    words += [f"{name.replace('-', '_')}={value}" for name, value in values.items() if value is not None]
    options = read_options(words)
    if options.session is not None:
        with call.open_store() as store:
            options = options._replace(session=call.session(store, options.session).id)
    return options


def _notify(env: Mapping[str, str], state: str) -> None:
    """Tell systemd, if it has started this and wants to know (sd_notify(3))."""
    address = env.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.connect("\0" + address[1:] if address.startswith("@") else address)
            told.send(state.encode())


def _umount(call: Call, arguments: Arguments) -> int:
    from sessionfs.mount.unmount import umount

    mountpoint = call.path(arguments.text("MOUNTPOINT"))
    code = umount(
        mountpoint,
        lazy=arguments.flag("lazy"),
        force=arguments.flag("force"),
        say=lambda message: call.say(f"sessionfs: umount: {message}"),
    )
    if call.out.as_json:
        call.out.document({"mountpoint": mountpoint})
    return code


# What is mounted, and what it has done


def _mounts(call: Call, arguments: Arguments) -> None:
    from sessionfs.cli.tables import Column, human_time
    from sessionfs.mount.ask import ask
    from sessionfs.mount.mountpoint import name_of_user
    from sessionfs.mount.table import list_mounts

    records: list[dict[str, Any]] = []
    for mount in list_mounts():
        answer = ask(mount)
        records.append(
            {
                "mountpoint": mount.mountpoint,
                "store": mount.store,
                "session": answer.told.get("session"),
                "user": name_of_user(mount.user_id),
                "pid": answer.pid,
                "since": answer.told.get("since"),
                "read_only": mount.read_only,
                "state": answer.state.value,
                "options": [*mount.options, *answer.told.get("options", [])],
            }
        )
    columns = (
        *(Column(name) for name in ("mountpoint", "store", "session", "user", "pid")),
        Column("since", human=human_time),
        Column("read_only", "ACCESS", human=lambda read_only: "ro" if read_only else "rw"),
        Column("state", colours={"dead": "red", "silent": "yellow"}),
        Column("options"),
    )
    call.out.table(columns, records)


def _stats(call: Call, arguments: Arguments) -> int:
    from sessionfs.cli.tables import Column
    from sessionfs.mount.ask import read_stats

    document = read_stats(call.path(arguments.text("MOUNTPOINT")), reset=arguments.flag("reset"))
    if call.out.as_json:
        call.out.document(document)
        return 0
    if call.out.is_terminal:
        call.out.text(f"since {document['since'][:19].replace('T', ' ')}\n")
    columns = (
        Column("request"),
        Column("count", right=True),
        Column("total_us", "TOTAL µs", right=True),
        Column("mean_us", "MEAN µs", right=True),
    )
    call.out.table(columns, document["requests"])
    return 0


VERBS = {
    "mount": Verb(
        _mount,
        about="Returns when the mount is usable; it goes on in the background, and logs what goes wrong to a file in "
        "the store. Every file that is closed is stored. The options --uid, --gid and --umask change what is shown, "
        "and what permissions are checked by; what is recorded, by chown and chmod too, stays as it is.",
        positionals=(Positional("MOUNTPOINT", "An empty directory; with --stats, a mount", complete="directory"),),
        options=(
            Option(
                "--session", "Mount this session only; nothing of the others can be reached", metavar="SESSION",
                complete="session",
            ),
            Option("--read-only", "Write nothing, neither through the mount nor into the store"),
            Option("--allow-other", "Let other users in, as far as permissions do; for a normal user, "
                   "/etc/fuse.conf must say user_allow_other"),
            Option("--uid", "Show this owner: a number or a name", metavar="UID"),
            Option("--gid", "Show this group: a number or a name", metavar="GID"),
            Option("--umask", "Show what the owner may do as allowed to all, without these bits, as in 022",
                   metavar="OCTAL"),
            Option("--cache-seconds", "How long the kernel may answer for names and attributes by itself; 0 always "
                   "asks. It is told of every change, so the default is long", metavar="N"),
            Option("-o --options", "The same, as mount(8) takes them: ro,allow_other,uid=…,session=…; also "
                   "(no)exec, (no)atime, sync, and (no)suid, (no)dev for root", metavar="OPTIONS", repeat=True),
            Option("--foreground", "Stay in the foreground until it is unmounted, or Ctrl-C"),
            Option("--stats", "Print what a mount was asked, and the microseconds that its answers took"),
            Option("--reset", "With --stats: begin to count again"),
        ),
        examples=(
            ("mount ~/sessions", "ls ~/sessions/sessions/q4/artifacts"),
            ("mount --session q4 /mnt/q4", "one session"),
            ("mount --read-only --allow-other --umask 022 /srv/runs", "for everybody to look at"),
            ("mount --stats ~/sessions", "what the kernel has asked, costly kinds first"),
        ),
        exits={
            3: "The store, the session or the directory is not here.",
            4: "You may not mount there, not with these options, or may only read the store.",
            5: "Something is mounted there, or the directory is not empty.",
            7: "There is no FUSE on this machine.",
        },
    ),
    "umount": Verb(
        _umount,
        about="If the mount is in use, the message names the processes, as far as you may see them. If its process "
        "has died, what it left is taken away.",
        positionals=(Positional("MOUNTPOINT", "Where the store is mounted", complete="directory"),),
        options=(
            Option("--lazy", "If it is in use, detach it: it ends after the last one who uses it"),
            Option("--force", "End it now: what was written is stored, and who uses it gets errors"),
        ),
        examples=(
            ("umount ~/sessions", "ends the mount; everything is stored when it returns"),
            ("umount --lazy ~/sessions", "frees the directory, though somebody works in it"),
        ),
        exits={
            3: "No store is mounted there.",
            4: "Somebody else mounted it.",
            5: "It is in use.",
        },
    ),
    "mounts": Verb(
        _mounts,
        about="All stores that are mounted on this machine. What a mount of somebody else says of itself only they and "
        "root can see; the STATE of such a one is hidden. dead: its process was killed, sessionfs umount cleans up; "
        "silent: it does not answer. When standard output is no terminal: a line each, with tabs between mount "
        "point, store, session, user, process, start, read-only, state and options.",
        examples=(
            ("mounts", "what is mounted where, by whom, since when"),
            ("mounts --json", "the same for programs"),
        ),
    ),
}  # fmt: skip
