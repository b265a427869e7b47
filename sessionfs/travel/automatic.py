"""Checkpoints that nobody asked for: what was before a restore, an undo or a merge. Only the newest of them are kept.

What goes is the name. The moment stays, as all do, and can be named by its number.
"""

from __future__ import annotations

import re
from itertools import count

from sessionfs.errors import Corrupt
from sessionfs.store.session import Session
from sessionfs.travel.checkpoints import checkpoint_names, find_checkpoint, remove_checkpoint

_NAME = re.compile(r"before-[a-z]+-(\d+)(-\d+)?")


def free_name(session: Session, what: str) -> str:
    """Return a name for the checkpoint of the moment before *what* is done."""
    first = name = f"before-{what}-{session.log.position.seq}"
    for number in count(2):
        if find_checkpoint(session, name) is None:
            break
        name = f"{first}-{number}"  # somebody has called a moment so
    return name


def keep_newest(session: Session, most: int | None) -> None:
    """Take the names of all but the newest *most* checkpoints away that :func:`free_name` named.

    Args:
        most: None for all.

    Concurrency:
        The caller is inside ``session.writing()``.
    """
    if most is None:
        return
    numbered = [(int(match[1]), name) for name in checkpoint_names(session) if (match := _NAME.fullmatch(name))]
    for number, name in sorted(numbered)[:-most]:
        try:
            found = find_checkpoint(session, name)
        except Corrupt:
            continue  # fsck says what is wrong with it, and needs it for that
        if found is None or found.seq == number - 1:  # else somebody has called another moment so
            remove_checkpoint(session, name)
