"""``mount.fuse.sessionfs``: what mount(8) calls for ``mount -t fuse.sessionfs``, and so for a line of /etc/fstab.

It calls ``/sbin/mount.<type>`` with what it was given itself, and the user's own rights. Without it mount(8) would go
on to fuse3's ``mount.fuse``, which knows nothing but to run a program called like the type. umount(8) needs no helper,
and would not look for one under the whole of this name.

Source:
    mount(8), EXTERNAL HELPERS; libmount, ``mnt_context_prepare_helper``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from sessionfs.cli.arguments import Arguments, parse
from sessionfs.cli.exits import message_of
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.errors import Denied, Error, InvalidInput

NAME = "mount.fuse.sessionfs"

# Exit codes of mount(8).
DONE = 0
BAD_CALL = 1  # "incorrect invocation or permissions"
INTERRUPTED = 8
FAILED = 32

_TAKES = Verb(
    lambda call, arguments: None,
    positionals=(Positional("STORE", "The store"), Positional("MOUNTPOINT", "An empty directory")),
    options=(
        Option("-o --options", "See sessionfs mount", metavar="OPTIONS", repeat=True),
        Option("-f --fake", "Check, and do not mount"),
        Option("-s --sloppy", "Ignore unknown options"),
        Option("-v --verbose", "Say what was done"),
        Option("-n --no-mtab", "There is no mtab any more; ignored"),
        Option("-N --namespace", "The mount namespace, which mount(8) has entered already", metavar="FILE"),
        Option("-t --types", "The type of the filesystem", metavar="TYPE"),
    ),
)


def main(argv: Sequence[str], stderr: TextIO) -> int:
    """Do what mount(8) asks and return its exit code."""
    try:
        _mount(parse(_TAKES, list(argv)), stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Error, OSError) as failure:
        stderr.write(f"{NAME}: {message_of(failure)}\n")
        return BAD_CALL if isinstance(failure, InvalidInput | Denied) else FAILED
    return DONE


def main_process() -> NoReturn:
    """Be ``mount.fuse.sessionfs``."""
    sys.exit(main(sys.argv[1:], sys.stderr))


def _mount(arguments: Arguments, stderr: TextIO) -> None:
    from sessionfs.mount import daemon
    from sessionfs.mount.options import read_options, split_words
    from sessionfs.store.store import Store

    words = [word for text in arguments.texts("options") for word in split_words(text)]
    options = read_options(words, ignore_unknown=arguments.flag("sloppy"))
    path = os.path.abspath(arguments.text("STORE"))
    store = Store(path)
    if options.session is not None:
        options = options._replace(session=store.resolve(options.session).id)
    store.close()
    if arguments.flag("fake"):
        return
    with open(os.devnull, "w", encoding="utf-8") as quiet:
        told = stderr if arguments.flag("verbose") else quiet
        daemon.mount(path, arguments.text("MOUNTPOINT"), options=options, stderr=told)
