"""How changes are shown: in a line each, with counts as in ``git log --stat``, or as a diff."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Any

from sessionfs.artifacts.names import text_of
from sessionfs.cli.exits import printable
from sessionfs.cli.tables import Column

if TYPE_CHECKING:
    from sessionfs.api import ArtifactChange, Difference, StateDifference
    from sessionfs.cli.call import Call

LETTERS = {"added": "A", "deleted": "D", "modified": "M", "renamed": "R"}

# A change is counted in lines when both sides are text of at most so many bytes.
COUNTED_BYTES = 1 << 20

_GRAPH_WIDTH = 40
_PATH_WIDTH = 60
_SHOWN_SIGNS = 60

COLUMNS = (
    Column("change"),
    Column("what"),
    Column("name"),
    Column("from"),
    Column("added"),
    Column("removed"),
    Column("old_size"),
    Column("new_size"),
)


def artifact_record(change: ArtifactChange) -> dict[str, Any]:
    """Return a change of an artifact with its counts, JSON-ready."""
    counted = change.count(limit_bytes=COUNTED_BYTES)
    record = {**change.to_dict(), "added": counted.added, "removed": counted.removed}
    return {"what": "artifact", "name": record["path"], **record}


def state_record(change: StateDifference) -> dict[str, Any]:
    """Return a change of state, JSON-ready."""
    record = change.to_dict()
    nothing = dict.fromkeys(("from", "added", "removed", "old_size", "new_size"))
    return {"what": "state", "name": change.key, **nothing, **record}


def records_of(difference: Difference) -> list[dict[str, Any]]:
    """Return all changes with their counts, JSON-ready."""
    return [*map(artifact_record, difference.artifacts), *map(state_record, difference.state)]


def write_names(call: Call, difference: Difference) -> None:
    """Write a line for each change: a letter, what it is, its name, and what it was called before."""
    for change in difference.artifacts:
        old = [] if change.renamed_from is None else [text_of(change.renamed_from)]
        call.out.line(LETTERS[change.kind], "artifact", text_of(change.path), *old)
    for key in difference.state:
        call.out.line(LETTERS[key.kind], "state", key.key)


def write_stat(call: Call, difference: Difference) -> list[dict[str, Any]]:
    """Write what changed as people know it from ``git diff --stat``, and return the records of the artifacts."""
    records = [artifact_record(change) for change in difference.artifacts]
    names = [_shown_name(record) for record in records]
    width = min(max(map(len, names), default=0), _PATH_WIDTH)
    most = max((_line_count(record) for record in records), default=0)
    count_width = len(str(most))
    for name, record in zip(names, records, strict=True):
        call.out.text(f" {name:{width}} | {_counts(call, record, most, count_width)}\n")
    for change in difference.state:
        call.out.text(f" state {printable(change.key)}: {_step(change)}\n")
    return records


def write_total(call: Call, difference: Difference, records: list[dict[str, Any]]) -> None:
    """Write ``2 artifacts and 1 key changed, 3 lines added, 1 line removed``; nothing when nothing did.

    Args:
        records: Of the artifacts, as :func:`write_stat` returns them.
    """
    kinds = [(len(difference.artifacts), "artifact"), (len(difference.state), "key")]
    changed = [_several(number, noun) for number, noun in kinds if number]
    added, removed = (sum(record[field] or 0 for record in records) for field in ("added", "removed"))
    lines = [
        f"{_several(number, 'line')} {word}" for number, word in ((added, "added"), (removed, "removed")) if number
    ]
    if changed:
        call.out.text(f" {', '.join([' and '.join(changed) + ' changed', *lines])}\n")


def write_diff(call: Call, difference: Difference) -> None:
    """Write every change in full: a patch of the artifacts, then the values of state."""
    for change in difference.artifacts:
        patch = change.unified()
        if not call.out.is_terminal:
            call.out.raw(patch)
            continue
        for line in patch.decode("utf-8", "backslashreplace").splitlines():
            call.out.text(call.out.colour(_colour_of(line), _visible(line)) + "\n")
    for value in difference.state:
        call.out.text(call.out.colour("bold", f"state {printable(value.key)}") + "\n")
        for line in _value_lines(value):
            call.out.text(call.out.colour(_colour_of(line), _visible(line)) + "\n")


def _shown_name(record: dict[str, Any]) -> str:
    name = printable(record["path"])
    if record["from"] is not None:
        name = f"{printable(record['from'])} => {name}"
    if record["kind"] == "directory":
        name += "/"
    return name if len(name) <= _PATH_WIDTH else "…" + name[1 - _PATH_WIDTH :]


def _line_count(record: dict[str, Any]) -> int:
    return int((record["added"] or 0) + (record["removed"] or 0))


def _counts(call: Call, record: dict[str, Any], most: int, width: int) -> str:
    if record["kind"] not in ("file", "symlink"):
        return f"{record['kind'].replace('_', ' ')} {record['change']}"
    if record["added"] is None:
        return f"{'Bin':>{width}} {record['old_size']} -> {record['new_size']} bytes"
    said = [field for field in record["fields"] if field not in ("kind", "oid", "target")]
    scale = min(1.0, _GRAPH_WIDTH / most) if most else 1.0
    graph = [
        call.out.colour(colour, sign * ceil(record[field] * scale))
        for field, sign, colour in (("added", "+", "green"), ("removed", "-", "red"))
        if record[field]
    ]
    words = [f"{_line_count(record):>{width}}", "".join(graph), *([f"({', '.join(said)})"] if said else [])]
    return " ".join(word for word in words if word)


def _step(change: StateDifference) -> str:
    if change.kind == "deleted":
        return f"deleted, was {_short(change.before)}"
    before = "" if change.kind == "added" else f"{_short(change.before)} -> "
    return before + _short(change.after)


def _short(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHOWN_SIGNS else text[: _SHOWN_SIGNS - 1] + "…"


def _value_lines(change: StateDifference) -> Iterable[str]:
    """Yield a change of state line by line, unchanged lines too: a value is small, or nobody reads it here."""
    from sessionfs.travel.lines import differing_blocks

    old = [] if change.kind == "added" else json.dumps(change.before, indent=2, ensure_ascii=False).split("\n")
    new = [] if change.kind == "deleted" else json.dumps(change.after, indent=2, ensure_ascii=False).split("\n")
    at = 0
    for block in differing_blocks(old, new):
        yield from (f" {line}" for line in old[at : block.old_start])
        yield from (f"-{line}" for line in old[block.old_start : block.old_end])
        yield from (f"+{line}" for line in new[block.new_start : block.new_end])
        at = block.old_end
    yield from (f" {line}" for line in old[at:])


def _colour_of(line: str) -> str:
    if line.startswith(("diff --git", "--- ", "+++ ")):
        return "bold"
    return {"+": "green", "-": "red", "@": "dim", "#": "yellow"}.get(line[:1], "")


def _visible(line: str) -> str:
    """Return *line* without what would drive the terminal, its tabs kept."""
    return "\t".join(map(printable, line.split("\t")))


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
