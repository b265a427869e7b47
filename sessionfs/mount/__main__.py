"""The background process of a mount: ``python -m sessionfs.mount ORDER``; see ``daemon``, which starts it."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from sessionfs.errors import Error


def main(order: dict[str, Any]) -> int:
    """Mount as *order* says and return the exit code."""
    # What goes wrong is for the log; standard error is its file.
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    os.set_inheritable(order["ready_fd"], False)
    os.chdir("/")
    answers = os.fdopen(order["ready_fd"], "w", encoding="utf-8")

    def answer(told: dict[str, Any]) -> None:
        if not answers.closed:
            answers.write(json.dumps(told) + "\n")
            answers.close()

    try:
        from sessionfs.mount.serve import serve

        serve(order["store"], order["mountpoint"], session=order["session"], ready=lambda: answer({"pid": os.getpid()}))
    except Error as failure:
        logging.getLogger(__name__).error("%s", failure)
        answer({"error": str(failure), "kind": _kind(failure)})
        return 1
    if os.path.getsize(order["log"]) == 0:
        os.unlink(order["log"])
    return 0


def _kind(failure: Error) -> str:
    """Return the name of the kind of error that *failure* is, for the process that waits."""
    return next(kind.__name__ for kind in reversed(type(failure).__mro__) if kind.__base__ is Error)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
