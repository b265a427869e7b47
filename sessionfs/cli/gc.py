"""``gc``: what nothing needs goes to the trash, and what was there long enough is deleted; and ``repack``."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Verb


def _gc(call: Call, arguments: Arguments) -> None:
    from sessionfs.retention.gc import collect

    grace_ns = duration(arguments, "grace")
    dry_run = arguments.flag("dry-run")
    with call.open_store() as store:
        trash_grace_ns = store.core.config.trash_grace_ns
        done = collect(store.core, grace_ns=grace_ns, dry_run=dry_run)
    if call.out.as_json:
        call.out.document(done.to_dict())
        return
    call.out.line("trashed", done.trashed_count, done.trashed_size)
    call.out.line("deleted", done.deleted_count, done.deleted_size)
    call.out.line("returned", done.returned_count)
    call.out.line("kept", done.kept_count)
    if done.trashed_count:
        days = f"{trash_grace_ns / 86_400e9:g}"
        would = "would be" if dry_run else "will be"
        call.say(
            f"sessionfs: gc: {done.trashed_size} bytes {would} free when they have been in the trash for {days} days"
        )


def _repack(call: Call, arguments: Arguments) -> None:
    from sessionfs.retention.repack import repack

    with call.open_store() as store, call.progress("repacking") as progress:
        done = repack(store.core, dry_run=arguments.flag("dry-run"), progress=progress.reach)
    if call.out.as_json:
        call.out.document(done.to_dict())
        return
    call.out.line("packed", done.object_count, done.size)
    call.out.line("packs", done.pack_count, done.merged_count)
    call.out.line("sessions", done.session_count, done.session_size)
    if done.damaged_count:
        call.say(f"sessionfs: repack: {done.damaged_count} objects are damaged and were left alone: see sessionfs fsck")


def duration(arguments: Arguments, name: str) -> int | None:
    """Return the time that option *name* gives, in nanoseconds; None without it.

    Raises:
        UsageError: It is no time.
    """
    text = arguments.maybe(name)
    if text is None:
        return None
    from sessionfs.store.config import parse_duration

    try:
        return parse_duration(text)
    except ValueError as failure:
        raise UsageError(f"--{name}: {failure}") from failure


VERBS = {
    "gc": Verb(
        _gc,
        about="In two steps: an object that no log, snapshot, ref or session in the trash needs, and that is older "
        "than the grace, goes to the trash; what has been there for retention.trash_grace is deleted. The store may "
        "be in use: who needs an object in the trash takes it back without noticing. Prints what went to the trash, "
        "what was deleted, what came back and what was kept: number, and bytes, separated by tabs.",
        options=(
            Option("--dry-run", "Only say what would be done"),
            Option("--grace", "How old an unneeded object must be; retention.trash_grace by default", metavar="TIME"),
        ),
        examples=(
            ("gc --dry-run", "says what would go"),
            ("gc --grace 1h", "takes what nobody has needed for an hour"),
        ),
        exits={5: "Another gc is at work.", 6: "What says what is needed is damaged; nothing was removed."},
    ),
    "repack": Verb(
        _repack,
        about="Puts objects of up to 64 KiB into packs, and the logs of archived sessions on shelves: a store of many "
        "small artifacts is then quicker to copy, and takes less of the disk. The store may be in use. Prints how many "
        "objects were packed, and their bytes; how many packs were made, and how many smaller ones are in them now; "
        "how many sessions were put on a shelf, and their bytes.",
        options=(Option("--dry-run", "Only count"),),
        examples=(("repack", "packs what is small"),),
        exits={5: "Another gc or repack is at work."},
    ),
}
