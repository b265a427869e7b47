"""The background process of a mount: ``python -m sessionfs.mount ORDER``; see ``daemon``, which starts it."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from sessionfs.errors import Error
from sessionfs.mount.log_file import remove_if_empty_fd

log = logging.getLogger("sessionfs.mount")


def main(order: dict[str, Any]) -> int:
    """Mount as *order* says and return the exit code."""
    # What goes wrong is for the log; standard error is its file. What goes so wrong that Python cannot tell, too.
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    faulthandler.enable()
    os.set_inheritable(order["ready_fd"], False)
    os.chdir("/")
    answers = os.fdopen(order["ready_fd"], "w", encoding="utf-8")

    def answer(told: dict[str, Any]) -> None:
        if not answers.closed:
            answers.write(json.dumps(told) + "\n")
            answers.close()

    try:
        _serve(order, lambda: answer({"pid": os.getpid()}))
    except Error as failure:
        if answers.closed:
            log.error("%s", failure)
        else:
            answer({"error": str(failure), "kind": _kind(failure)})
        return 1
    except Exception:
        log.exception("the mount on %s ends, because of a fault in sessionfs", order["mountpoint"])
        return 1
    finally:
        remove_if_empty_fd(sys.stderr.fileno(), order["log"])
    return 0


def _serve(order: dict[str, Any], ready: Callable[[], None]) -> None:
    from sessionfs.mount.options import MountOptions
    from sessionfs.mount.serve import serve

    options = MountOptions(**{**order["options"], "kernel": tuple(order["options"]["kernel"])})
    serve(order["store"], order["mountpoint"], options, ready=ready, log_path=order["log"])


def _kind(failure: Error) -> str:
    """Return the name of the kind of error that *failure* is, for the process that waits."""
    return next(kind.__name__ for kind in reversed(type(failure).__mro__) if kind.__base__ is Error)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
