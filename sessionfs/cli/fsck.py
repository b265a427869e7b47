"""``fsck``: is everything in the store what it should be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Verb
from sessionfs.cli.tables import plain

if TYPE_CHECKING:
    from sessionfs.fsck import Fault
    from sessionfs.store.store import Store


def _fsck(call: Call, arguments: Arguments) -> int:
    if arguments.flag("dry-run") and not arguments.flag("repair"):
        raise UsageError("--dry-run says what --repair would do; without --repair, fsck only looks")
    directory = arguments.maybe("recover")
    if directory is not None:
        return _recover(call, directory)
    return _repair(call, arguments) if arguments.flag("repair") else _check(call, arguments)


def _check(call: Call, arguments: Arguments) -> int:
    from sessionfs.fsck import check

    jobs = _jobs(arguments)
    faults: list[Fault] = []
    with call.open_store() as store, call.progress("checking", in_bytes=True) as progress:
        sessions = [call.session(store, text).id for text in arguments.texts("session")]
        checked = check(
            store.core,
            quick=arguments.flag("quick"),
            session_ids=sessions or None,
            jobs=jobs,
            others=_others(call, arguments),
            progress=progress.reach,
        )
        for fault in checked:
            faults.append(fault)
            if not call.out.as_json:
                _print(call, fault)
    if call.out.as_json:
        call.out.document([fault.to_dict() for fault in faults])
    return exits.NO if any(fault.is_damage for fault in faults) else exits.YES


def _repair(call: Call, arguments: Arguments) -> int:
    from sessionfs.fsck import repair

    jobs = _jobs(arguments)
    if arguments.flag("session") or arguments.flag("quick"):
        raise UsageError("--repair looks at all of the store; --session and --quick are for looking only")
    done = []
    with call.open_store() as store, call.progress("repairing", in_bytes=True) as progress:
        repaired = repair(
            store.core,
            others=_others(call, arguments),
            jobs=jobs,
            dry_run=arguments.flag("dry-run"),
            progress=progress.reach,
        )
        for one in repaired:
            done.append(one)
            if not call.out.as_json:
                call.out.line(one.action, plain(one.where), plain(one.message))
    if call.out.as_json:
        call.out.document([one.to_dict() for one in done])
    return exits.YES if all(one.is_done for one in done) else exits.NO


def _jobs(arguments: Arguments) -> int:
    from sessionfs.fsck import usable_processors

    jobs = arguments.number("jobs")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs takes a number from 1 on; {jobs} was given")
    return usable_processors() if jobs is None else jobs


def _others(call: Call, arguments: Arguments) -> list[Store]:
    from sessionfs.store.store import Store

    return [Store(call.path(path)) for path in arguments.texts("from")]


def _recover(call: Call, directory: str) -> int:
    from sessionfs.fsck import Fault, recover

    found = []
    with call.open_store() as store:
        for each in recover(store.core, directory):
            found.append(each)
            if call.out.as_json:
                continue
            if isinstance(each, Fault):
                _print(call, each)
            else:
                call.out.line(plain(each.target), str(each.size))
    if call.out.as_json:
        call.out.document([each.to_dict() if isinstance(each, Fault) else each._asdict() for each in found])
    return exits.NO if any(isinstance(each, Fault) for each in found) else exits.YES


def _print(call: Call, fault: Fault) -> None:
    fields = [plain(text) for text in (fault.kind, fault.where, fault.message)]
    if fault.is_damage:
        touched = "; ".join(plain(str(use)) for use in fault.touched)
        call.out.line(*fields, touched or "-", plain(list(fault.copies)) or "-")
    else:  # no fault of the disk, and cleared away by the next writer: worth a word, and no alarm
        call.say(f"sessionfs: fsck: note: {': '.join(fields)}")


VERBS = {
    "fsck": Verb(
        _fsck,
        about="Reads everything and writes nothing; the store may be in use. One line per fault: its kind, where it "
        "is, what is wrong, what it touches (sessions, records, versions), and where the same object is whole, "
        "separated by tabs; - for nothing. What a crash leaves behind, and the next writer clears away, is "
        "only noted on standard error. So is what had been written through a mount, and not closed, when the mount was "
        "killed: --recover gets it back.",
        options=(
            Option("--quick", "Check structure only: hash the logs, and no object"),
            Option(
                "--session",
                "Check this session and what it needs; may be repeated",
                metavar="SESSION",
                repeat=True,
                complete="session",
            ),
            Option("--jobs", "Hash with N processes; one for each processor by default", metavar="N", number=True),
            Option(
                "--repair", "Put back what can be had, cut off or note as lost what cannot; keep what is taken away"
            ),
            Option("--dry-run", "With --repair: only say what would be done"),
            Option(
                "--from",
                "Look in this store, too, for what is damaged or missing; may be repeated",
                metavar="STORE",
                repeat=True,
                complete="directory",
            ),
            Option(
                "--recover",
                "Check nothing; write what killed mounts left unsaved to DIR/SESSION/PATH, and forget it",
                metavar="DIR",
                complete="directory",
            ),
        ),
        examples=(
            ("fsck && echo whole", "checks the store"),
            ("fsck --json | jq length", "counts what it found"),
            ("fsck --quick --session q4", "looks at one session, without hashing"),
            ("fsck --repair --dry-run --from backup", "says what a repair would do"),
            ("fsck --recover saved", "gets back what was not closed"),
        ),
        exits={0: "The store is whole.", 1: "There are faults, or --repair has left some.", 3: "There is no store."},
    )
}
