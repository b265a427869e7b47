"""``status``: the store at a glance."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Verb
from sessionfs.cli.tables import human_size
from sessionfs.errors import NotFound

if TYPE_CHECKING:
    from sessionfs.api import Session, Store


def _status(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        record = _record(call, store)
    if call.out.as_json:
        call.out.document(record)
        return
    sessions = record["sessions"]
    counts = ", ".join(f"{count} {status}" for status, count in sessions.items() if status != "total")
    objects = record["objects"]
    count = objects["blob"] + objects["tree"] + objects["snapshot"]
    rows = {
        "path": record["path"],
        "format": record["format"],
        "current": record["current"] or "-",
        "sessions": f"{sessions['total']} ({counts})" if counts else "0",
        "artifacts": record["artifact_count"],
        "size": human_size(record["size"]),
        "objects": f"{count} ({human_size(objects['stored_size'])})",
        "mounts": ", ".join(record["mounts"]) or "-",
    }
    if call.out.is_terminal:
        call.out.details(rows, {})
    else:
        _lines(call, record)


def _lines(call: Call, record: dict[str, Any]) -> None:
    """Write the same for scripts: a number or a path per line, names joined by dots."""
    for key, value in record.items():
        if isinstance(value, dict):
            for name, number in value.items():
                call.out.line(f"{key}.{name}", number)
        elif isinstance(value, list):
            for item in value:
                call.out.line(key, item)
        else:
            call.out.line(key, "" if value is None else value)


def _record(call: Call, store: Store) -> dict[str, Any]:
    from sessionfs.store.layout import FORMAT

    infos = store.core.sessions()
    statuses = Counter(info.status.value for info in infos)
    current = _current(call, store)
    return {
        "path": store.path,
        "format": FORMAT,
        "current": None if current is None else current.id,
        "sessions": {"total": len(infos), **dict(sorted(statuses.items()))},
        "artifact_count": sum(info.artifact_count for info in infos),
        "size": sum(info.size for info in infos),
        "objects": _objects(call, store),
        "mounts": _mounts(store.path),
    }


def _current(call: Call, store: Store) -> Session | None:
    try:
        return call.session(store, "@")
    except NotFound:
        return None


def _objects(call: Call, store: Store) -> dict[str, int]:
    counts = {"blob": 0, "tree": 0, "snapshot": 0, "stored_size": 0}
    with call.progress("counting objects") as progress:
        for file in store.objects.list():
            counts[file.kind] += 1
            counts["stored_size"] += file.stored_size
            progress.advance()
    return counts


def _mounts(store_path: str) -> list[str]:
    """Return where the store is mounted on this machine."""
    from sessionfs.mount.table import list_mounts

    return [
        mount.mountpoint for mount in list_mounts() if os.path.realpath(mount.store) == os.path.realpath(store_path)
    ]


VERBS = {
    "status": Verb(
        _status,
        about="Where the store is, its sessions by status, how much is in them, its objects and its mounts. When "
        "standard output is no terminal: a name, a tab and a value per line.",
        examples=(("status", "the store that is found from here"), ("--store /srv/runs status --json", "another one")),
        exits={3: "There is no store."},
    )
}
