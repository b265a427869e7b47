"""``sync``: the full promise, on demand."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Verb


def _sync(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        store.sync(everything=True)
        if call.out.as_json:
            call.out.document({"path": store.path})


VERBS = {
    "sync": Verb(
        _sync,
        about="When it returns, everything that any process has written to the store survives a power cut: programs, "
        "this command line, mounts (of files that are still open, what was written before their last fsync). It syncs "
        'the whole filesystem. In durability.mode "full" there is nothing left for it to do.',
        examples=(("sync && poweroff", "before the power goes"),),
        exits={3: "There is no store.", 6: "The disk could not write something: it may not survive."},
    )
}
