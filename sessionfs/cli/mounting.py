"""``mount`` and ``umount``."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb


def _mount(call: Call, arguments: Arguments) -> int:
    from sessionfs.mount import daemon

    session = arguments.maybe("session")
    if session is not None:
        with call.open_store() as store:
            session = call.session(store, session).id
    path, mountpoint = call.store_path(), call.path(arguments.text("MOUNTPOINT"))
    foreground = arguments.flag("foreground")
    code = daemon.mount(path, mountpoint, session=session, foreground=foreground, stderr=call.stderr)
    if call.out.as_json:
        call.out.document({"store": path, "mountpoint": mountpoint, "session": session})
    return code


def _umount(call: Call, arguments: Arguments) -> int:
    from sessionfs.mount import daemon

    return daemon.umount(call.path(arguments.text("MOUNTPOINT")))


VERBS = {
    "mount": Verb(
        _mount,
        about="Returns when the mount is usable; it goes on in the background, and logs to a file in the store. Every "
        "file that is closed is stored.",
        positionals=(Positional("MOUNTPOINT", "An empty directory", complete="directory"),),
        options=(
            Option(
                "--session", "Mount this session only; nothing of the others can be reached", metavar="SESSION",
                complete="session",
            ),
            Option("--foreground", "Stay in the foreground until it is unmounted, or Ctrl-C"),
        ),
        examples=(
            ("mount ~/sessions", "ls ~/sessions/sessions/q4/artifacts"),
            ("mount --session q4 /mnt/q4", "one session"),
        ),
        exits={
            3: "The store, the session or the directory is not here.",
            5: "Something is mounted there.",
            7: "There is no FUSE on this machine.",
        },
    ),
    "umount": Verb(
        _umount,
        positionals=(Positional("MOUNTPOINT", "Where the store is mounted", complete="directory"),),
        examples=(("umount ~/sessions", "ends the mount; everything is stored when it returns"),),
        exits={3: "No store is mounted there.", 5: "Files in it are in use."},
    ),
}  # fmt: skip
