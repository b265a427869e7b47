"""``fsck``: is everything in the store what it should be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Verb
from sessionfs.cli.tables import plain

if TYPE_CHECKING:
    from sessionfs.fsck import Fault


def _fsck(call: Call, arguments: Arguments) -> int:
    directory = arguments.maybe("recover")
    return _check(call) if directory is None else _recover(call, directory)


def _check(call: Call) -> int:
    from sessionfs.fsck import check

    faults: list[Fault] = []
    with call.open_store() as store, call.progress("checking", in_bytes=True) as progress:
        for fault in check(store.core, progress=progress.reach):
            faults.append(fault)
            if not call.out.as_json:
                _print(call, fault)
    if call.out.as_json:
        call.out.document([fault.to_dict() for fault in faults])
    return exits.NO if any(fault.is_damage for fault in faults) else exits.YES


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
        call.out.line(*fields)
    else:  # no fault of the disk, and cleared away by the next writer: worth a word, and no alarm
        call.say(f"sessionfs: fsck: note: {': '.join(fields)}")


VERBS = {
    "fsck": Verb(
        _fsck,
        about="Reads everything and writes nothing; the store may be in use. One line per fault: its kind, where it "
        "is, and what is wrong, separated by tabs. What a crash leaves behind, and the next writer clears away, is "
        "only noted on standard error. So is what had been written through a mount, and not closed, when the mount was "
        "killed: --recover gets it back.",
        options=(
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
            ("fsck --recover saved", "gets back what was not closed"),
        ),
        exits={0: "The store is whole.", 1: "There are faults.", 3: "There is no store."},
    )
}
