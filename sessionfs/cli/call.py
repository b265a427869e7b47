"""One call of a verb: the streams, the environment, and the store it works on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO, TextIO

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.output import Output

if TYPE_CHECKING:
    from sessionfs import api
    from sessionfs.cli.progress import Progress


class Call:
    """What a verb gets besides its arguments."""

    def __init__(
        self,
        env: Mapping[str, str],
        cwd: str | None,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        *,
        store_option: str | None,
        as_json: bool,
    ) -> None:
        self.env = env
        self._cwd = cwd
        self.stdin = stdin
        self.stderr = stderr
        self.out = Output(stdout, env, as_json=as_json)
        self._store_option = store_option

    def say(self, message: str) -> None:
        """Write a message for a person to standard error."""
        self.stderr.write(message + "\n")

    def path(self, path: str) -> str:
        """Return a path of the user's as the process can use it; as they wrote it, where that is the same.

        Raises:
            UsageError: No file can have it.
        """
        if "\0" in path:
            raise UsageError(f"{path!r} is no path of a file: it holds NUL")
        return path if self._cwd is None else os.path.join(self._cwd, path)

    def here(self) -> str:
        """Return where the user's relative paths start.

        Raises:
            NoDirectory: It was removed.
        """
        from sessionfs.store.layout import current_directory

        return self._cwd or current_directory()

    def check_form(self, arguments: Arguments, *flags: str) -> None:
        """Check that none of *flags*, which print text, stands beside --json.

        Raises:
            UsageError: One does.
        """
        given = next((flag for flag in flags if arguments.flag(flag)), None)
        if given is not None and self.out.as_json:
            raise UsageError(f"--{given} prints text, so --json cannot be given with it")

    def input_bytes(self) -> BinaryIO:
        """Standard input as bytes."""
        return self.stdin.buffer

    def progress(self, label: str, total: int = 0, *, in_bytes: bool = False) -> Progress:
        """Return a progress bar, which shows nothing when standard error is no terminal."""
        from sessionfs.cli.progress import Progress

        return Progress(self.stderr, label, total, in_bytes=in_bytes)

    # The store

    def elsewhere(self, path: str) -> Call:
        """Return the same call, for the store at *path*."""
        import copy

        other = copy.copy(self)
        other._store_option = path
        return other

    def store_path(self) -> str:
        """Return where the store is: --store, $SESSIONFS_STORE, the nearest .sessionfs, the user's data directory.

        Raises:
            UsageError: --store is empty.
            NoStore: None of these is a store.
            NoDirectory: None was named, and the current directory was removed.
        """
        if self._store_option is not None:
            return self._named_store(self._store_option)
        from sessionfs.store.layout import find_store

        return self.path(find_store(self.env, self._cwd))

    def new_store_path(self, directory: str | None) -> str:
        """Return where ``init`` makes a store: *directory*, --store, $SESSIONFS_STORE, .sessionfs here.

        Raises:
            UsageError: The directory's name is empty.
        """
        named = self._store_option if directory is None else directory
        if named is None:
            named = self.env.get("SESSIONFS_STORE") or ".sessionfs"
        return os.path.abspath(self._named_store(named))

    def _named_store(self, path: str) -> str:
        if not path:  # a script's variable that is not set: nobody meant another store by that
            raise UsageError("a store needs a directory; an empty name was given")
        return self.path(path)

    def open_store(self, *, background_sync: bool = False) -> api.Store:
        """Open the store; closing it syncs once what the verb wrote.

        Args:
            background_sync: For a verb that goes on; others are over before the interval is.
        """
        from sessionfs import api
        from sessionfs.correlation import inherit

        store = api.open(self.store_path(), background_sync=background_sync)
        if store.core.settled is not None and store.core.settled.directory is not None:
            self.say(f"sessionfs: {store.core.settled}")
        inherit(self.env)
        return store

    def session(self, store: api.Store, text: str | None) -> api.Session:
        """Return the session that *text* names; ``@`` and None are the current one.

        Raises:
            UsageError: It names a moment: a verb that asks for a session changes it, or asks for what has no past.
                Or it is empty, as of a script's variable that is not set: nobody meant the current session by that.
        """
        if text == "":
            raise UsageError("a session needs a name; an empty one was given; @ is the current one")
        if text is not None and is_moment(text):
            raise UsageError(f"{text!r} is a moment, which can be read and not changed; name the session alone")
        return store.sessions.resolve("@" if text is None else text, current=self.env.get("SESSIONFS_SESSION") or None)

    def reading(self, store: api.Store, text: str | None) -> api.Session | api.SessionView:
        """Return what *text* names for a verb that reads: a session, or with ``@{…}`` behind it a moment of one."""
        session, moment = self.moment(store, text)
        return session if moment is None else session.at(moment)

    def moment(self, store: api.Store, text: str | None) -> tuple[api.Session, str | None]:
        """Return the session that *text* names, and its moment as it was written; None for the present."""
        if text is None or not is_moment(text):
            return self.session(store, text), None
        from sessionfs.travel.moment import split_moment

        session, moment = split_moment(text)
        return self.session(store, session), moment


def is_moment(text: str) -> bool:
    """Say whether *text* is written as a moment: ``SESSION@{…}``."""
    return text.endswith("}") and "@{" in text
