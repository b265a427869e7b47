"""Enabling and disabling hooks: an executable by the permission to execute it, an entry point by a file beside them."""

from __future__ import annotations

import os
import stat
from difflib import get_close_matches

from sessionfs.errors import from_os_error
from sessionfs.hooks.entry_points import DISABLED_SUFFIX
from sessionfs.hooks.executables import Executable
from sessionfs.hooks.hooks import StoreHooks
from sessionfs.hooks.of_session import IN_TEMPLATES
from sessionfs.hooks.points import POST, PRE
from sessionfs.hooks.registry import NoSuchHook

_EXECUTE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def switch(hooks: StoreHooks, name: str, *, on: bool) -> bool:
    """Enable or disable the hook *name*, for every process.

    An entry point is one for all the hooks it registers; processes that have loaded it go on as they are.

    Args:
        name: An executable's path below ``hooks/``, that of a session's own hook, from ``templates/`` on, or an entry
            point's name.

    Returns:
        Whether it was otherwise before.

    Raises:
        NoSuchHook: There is none with this name that can be switched.
        ReadOnlyStore: This user may not.
    """
    executables = {
        hook.name: hook.path
        for at in hooks.points().values()
        for phase in (PRE, POST)
        for hook in at.chain(phase)
        if isinstance(hook, Executable)
    }
    path = executables.get(name) or _in_templates(hooks, name)
    try:
        if path is not None:
            return _switch_executable(path, on=on)
        if name in hooks.entry_points():
            return _switch_entry_point(f"{hooks.store.layout.hooks}/{name}{DISABLED_SUFFIX}", on=on)
    except OSError as failure:
        raise from_os_error(failure, f"{'enable' if on else 'disable'} the hook {name}") from failure
    known = [*executables, *hooks.entry_points()]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"
    raise NoSuchHook(f"there is no executable and no entry point {name!r} in this store; {hint}")


def _in_templates(hooks: StoreHooks, name: str) -> str | None:
    """Return the path of the program that sessions call *name*; None when that is no file below ``templates/``."""
    if not name.startswith(IN_TEMPLATES) or ".." in name.split("/"):
        return None
    path = f"{hooks.store.layout.templates}/{name[len(IN_TEMPLATES) :]}"
    return path if os.path.isfile(path) else None


def _switch_executable(path: str, *, on: bool) -> bool:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    # Whoever may read it may execute it, as after `chmod +x` with a usual umask.
    wanted = mode | (mode & _READ) >> 2 if on else mode & ~_EXECUTE
    if wanted == mode:
        return False
    os.chmod(path, wanted)
    return True


def _switch_entry_point(mark: str, *, on: bool) -> bool:
    if on == (not os.path.exists(mark)):
        return False
    if on:
        os.unlink(mark)
    else:
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    return True
