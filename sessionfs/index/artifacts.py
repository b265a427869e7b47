"""What the ``artifact.*`` records do to the rows of a session: as :class:`sessionfs.artifacts.Tree`, without a tree.

The tree is the rule, and these keep to it, which a Hypothesis machine sees to. They exist because a tree has to be
read before one record can be applied to it, and rows need not: a record costs the rows that it touches.
"""

from __future__ import annotations

from sessionfs.artifacts.events import Deleted, Renamed, Stored, Updated
from sessionfs.index.live import Live, UnfitRecord
from sessionfs.index.row import Row, ns_of, usual_mode
from sessionfs.index.schema import DIRECTORY, PRESENT


def store(live: Live, data: Stored, *, seq: int, time_ns: int, actor: str) -> None:
    """Apply ``artifact.stored``.

    Raises:
        UnfitRecord: It cannot be applied, as below.
    """
    parent = _parent(live, data.path)
    if data.link is not None:
        _link(live, data.link, data.path, parent, time_ns=time_ns)
        return
    there = live.find(data.path)
    if there is None or there.kind != data.kind:
        _store_new(live, data, parent, there, seq=seq, time_ns=time_ns, actor=actor)
        return
    for row in live.names_of(there):
        new = row
        if row.standing != DIRECTORY:
            new = row.copy(live.new_key())
            live.end(row)
        new.set_content(data)
        new.version += 1
        new.maker, new.seq = None, seq
        new.mtime_ns = new.updated_ns = time_ns
        new.set_attributes(data)
        new.show_types()
        if new is row:
            live.changed(row)
        else:
            live.add(new)


def _store_new(
    live: Live, data: Stored, parent: Row | None, there: Row | None, *, seq: int, time_ns: int, actor: str
) -> None:
    if data.ino is None:
        raise UnfitRecord(f"the new artifact {data.path!r} has no inode")
    if there is not None:
        _remove(live, there, time_ns=time_ns)
    row = Row(
        key=live.new_key(),
        session=live.session,
        standing=DIRECTORY if data.kind == "directory" else PRESENT,
        path="",
        name="",
        ending=None,
        kind=data.kind,
        ino=data.ino,
        links=1,
        maker=None,
        seq=seq,
        version=data.version or 1,
        oid=None,
        size=0,
        stored_size=0,
        compression="none",
        set_type=None,
        set_mime_type=None,
        type="",
        mime_type="",
        description=None,
        tags=None,
        metadata=None,
        created_ns=time_ns if data.created_at is None else ns_of(data.created_at),
        updated_ns=time_ns,
        mtime_ns=time_ns,
        created_by=data.created_by or actor,
        origin=None,
        mode=usual_mode(data.kind),
        uid=0,
        gid=0,
        target=None,
    )
    row.set_content(data)
    row.set_attributes(data)
    row.move(data.path)
    live.add(row)
    if data.created_at is None:
        _touch(live, parent, time_ns)
    elif data.entered is not None and parent is not None:
        entered_ns = ns_of(data.entered)
        parent.mtime_ns = entered_ns
        parent.updated_ns = max(parent.updated_ns, entered_ns)
        live.changed(parent)


def _link(live: Live, source: str, path: str, parent: Row | None, *, time_ns: int) -> None:
    linked = live.resolve(source)
    there = live.find(path)
    if there is not None:
        _remove(live, there, time_ns=time_ns)
    names = live.names_of(linked)
    row = linked.copy(live.new_key())
    row.move(path)
    live.add(row)
    for name in (*names, row):
        name.links += 1
        name.updated_ns = time_ns
        live.changed(name)
    _touch(live, parent, time_ns)


def update(live: Live, data: Updated, *, time_ns: int) -> None:
    """Apply ``artifact.updated``. The root of a session is no artifact."""
    if not data.path:
        return
    for row in live.names_of(live.resolve(data.path)):
        row.updated_ns = time_ns
        row.set_attributes(data)
        row.show_types()
        live.changed(row)


def rename(live: Live, data: Renamed, *, time_ns: int) -> None:
    """Apply ``artifact.renamed``."""
    parents = [_parent(live, data.path), _parent(live, data.to)]
    row = live.resolve(data.path)
    other = live.find(data.to)
    if other is not None and not data.exchange:
        _remove(live, other, time_ns=time_ns)
        if row.is_file and other.is_file:
            for name in live.names_of(row):
                name.version = max(name.version, other.version + 1)
                live.changed(name)
    moves = _moves(live, row, data.to)
    if other is not None and data.exchange:
        moves += _moves(live, other, data.path)
        _touch_names(live, other, time_ns)
    _touch_names(live, row, time_ns)
    live.move(moves)
    for parent in parents:
        _touch(live, parent, time_ns)


def delete(live: Live, data: Deleted, *, time_ns: int) -> None:
    """Apply ``artifact.deleted``."""
    parent = _parent(live, data.path)
    _remove(live, live.resolve(data.path), time_ns=time_ns)
    _touch(live, parent, time_ns)


def _parent(live: Live, path: str) -> Row | None:
    """Return the directory that *path* is in; None for the root."""
    above = path.rpartition("/")[0]
    if not above:
        return None
    parent = live.resolve(above)
    if not parent.is_directory:
        raise UnfitRecord(f"{above!r} is no directory")
    return parent


def _moves(live: Live, row: Row, path: str) -> list[tuple[Row, str]]:
    """Return where *row* and what is below it come to be when it is at *path*."""
    below = live.below(row.path) if row.is_directory else []
    return [(row, path), *((inner, path + inner.path[len(row.path) :]) for inner in below)]


def _remove(live: Live, row: Row, *, time_ns: int) -> None:
    """Take a name away, with everything below it; inodes that have other names stay."""
    gone = [row, *(live.below(row.path) if row.is_directory else [])]
    names_gone: dict[int, int] = {}
    survivors: dict[int, list[Row]] = {}
    for name in gone:
        if name.links > 1 and not name.is_directory:
            names_gone[name.ino] = names_gone.get(name.ino, 0) + 1
            if name.ino not in survivors:
                survivors[name.ino] = live.names_of(name)
    for name in gone:
        live.end(name)
    for ino, names in survivors.items():
        for name in names:
            if name.standing == PRESENT:
                name.links -= names_gone[ino]
                name.updated_ns = time_ns
                live.changed(name)


def _touch_names(live: Live, row: Row, time_ns: int) -> None:
    for name in live.names_of(row):
        name.updated_ns = time_ns
        live.changed(name)


def _touch(live: Live, directory: Row | None, time_ns: int) -> None:
    """Note when the entries of a directory changed."""
    if directory is not None:
        directory.mtime_ns = directory.updated_ns = time_ns
        live.changed(directory)
