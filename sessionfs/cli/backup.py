"""``backup create`` (or ``backup`` alone), ``backup verify`` and ``backup restore``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import plain
from sessionfs.errors import Conflict

if TYPE_CHECKING:
    from sessionfs.backup.done import Copied


def _backup(call: Call, arguments: Arguments) -> int:
    place = place_of(call, arguments.text("DEST"))
    with call.open_store() as store, call.progress("copying", in_bytes=True) as progress:
        done = store.backup(place, verify=arguments.flag("verify"), progress=progress.reach)
    return show(call, done)


def _verify(call: Call, arguments: Arguments) -> int | None:
    from sessionfs.cli.fsck import VERBS as FSCK

    return FSCK["fsck"].run(call.elsewhere(call.path(arguments.text("DEST"))), Arguments({}))


def _restore(call: Call, arguments: Arguments) -> int:
    from sessionfs import api

    source = place_of(call, arguments.text("SOURCE"))
    sessions = arguments.texts("SESSION")
    with call.progress("copying", in_bytes=True) as progress:
        if not sessions:
            return show(call, api.restore_backup(source, call.new_store_path(None), progress=progress.reach))
        with call.open_store() as store:
            return show(call, store.restore_backup(source, sessions, progress=progress.reach))


def place_of(call: Call, text: str) -> str:
    """Return a place of the user's: ``host:path`` as it is, else a path as :meth:`Call.path` does."""
    from sessionfs.backup.remote import is_remote

    return text if is_remote(text) and "\0" not in text else call.path(text)


def show(call: Call, done: Copied) -> int:
    """Print what was copied, and return the exit status."""
    from sessionfs.backup.done import Outcome

    if call.out.as_json:
        call.out.document(done.to_dict())
    else:
        for session in done.sessions:
            said = (plain(session.message),) if session.message else ()
            call.out.line(session.outcome.value, session.session_id, session.record_count, *said)
        for damaged in done.damaged:
            call.out.line("damaged", plain(damaged.where), plain(damaged.message))
        call.out.line("copied", done.object_count, done.size)
    if any(session.outcome is Outcome.REFUSED for session in done.sessions):
        return exits.EXIT_OF_KIND[Conflict]
    return exits.YES if done.is_whole else exits.NO


PRINTS = (
    "Prints a line for each session that has something new: what became of it (new, extended, unchanged, ahead, "
    "replaced, refused), its id, how many records came, and what is wrong, if anything; a line for each thing that is "
    "damaged; and how many objects were copied, and their bytes. Tabs separate them."
)

VERBS = {
    "backup create": Verb(
        _backup,
        about="DEST is a directory, or host:path on another machine, which rsync reaches over ssh. A backup is an "
        "ordinary store: it opens, mounts and passes fsck. Only what is new is copied, checked on the way; the store "
        "may be in use. Whatever interrupts it, the backup is a whole store, and the next run goes on. Nothing is "
        "removed from it: what was deleted in the store stays, and a session that has another history than in the "
        "store goes to the trash of the backup. What is damaged in the store is named and not copied. " + PRINTS,
        positionals=(Positional("DEST", "Where the backup is, or is to be made", complete="directory"),),
        options=(Option("--verify", "Then read all of the backup, and name what is damaged in it"),),
        examples=(
            ("backup /mnt/disk/runs", "makes a backup, or brings it up to date"),
            ("backup nas:/backups/runs --verify", "on another machine; then compares all content"),
            ("backup verify /mnt/disk/runs", "reads all of a backup"),
            ("--store runs backup restore /mnt/disk/runs", "makes the store runs anew from it"),
        ),
        exits={1: "Something is damaged.", 5: "DEST is something else, or there is no space."},
    ),
    "backup verify": Verb(
        _verify,
        about="What fsck does, on the backup. What is damaged there, fsck --repair --from STORE makes whole again.",
        positionals=(Positional("DEST", "A backup in a directory", complete="directory"),),
        examples=(("backup verify /mnt/disk/runs", "reads all of it"),),
        exits={1: "Something is damaged.", 3: "There is no backup."},
    ),
    "backup restore": Verb(
        _restore,
        about="Without SESSION, makes the whole store again, where --store or $SESSIONFS_STORE says, and nothing may "
        "be there. With some, brings these into the store: one that is there gets what the backup has more of it; one "
        "that has another history there is refused, until it is deleted (it goes to the trash). The sessions that they "
        "were forked from come along. What is damaged in the backup is named, and left out. To bring back an earlier "
        "moment of a session, use: sessionfs restore. " + PRINTS,
        positionals=(
            Positional("SOURCE", "A backup, or any store; host:path without SESSION", complete="directory"),
            Positional("SESSION", "Ids, unique starts of ids, or unique names, in the backup", count="*"),
        ),
        examples=(
            ("--store runs backup restore /mnt/disk/runs", "all of it, into the new directory runs"),
            ("backup restore /mnt/disk/runs q4 q5", "two sessions, into the store"),
        ),
        exits={1: "Something is damaged.", 5: "Something is there already, or has another history."},
    ),
}
