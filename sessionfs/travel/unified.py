r"""Changes as text: unified diffs, as ``git diff`` writes them and ``patch`` and ``git apply`` read them.

Content is text unless there is a NUL near its start, as git has it; no encoding is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sessionfs.artifacts import Node
from sessionfs.artifacts.names import encode
from sessionfs.objects import GivenUp, ObjectDatabase
from sessionfs.travel.difference import ATTRIBUTE_FIELDS, Change
from sessionfs.travel.lines import Block, differing_blocks

CONTEXT_LINES = 3

# Larger content is compared by its hash only.
MAX_TEXT_BYTES = 8 << 20

_LOOKED_AT_BYTES = 8000  # for a NUL, as git does
_NO_NEWLINE = b"\\ No newline at end of file\n"
_QUOTED = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
_SHORT_ESCAPES = {7: b"a", 8: b"b", 9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r", 34: b'"', 92: b"\\"}

_NOTHING = b"/dev/null"
_PATCHED_KINDS = ("file", "symlink")


class Counted(NamedTuple):
    """How much a change changes."""

    added: int | None  # lines; None when it is no text
    removed: int | None
    old_size: int  # bytes
    new_size: int


def count_change(objects: ObjectDatabase, change: Change, *, limit_bytes: int = MAX_TEXT_BYTES) -> Counted:
    """Return how many lines and bytes a change adds and removes.

    Raises:
        NoSuchObject, DamagedObject: Content of it cannot be read.
    """
    old_size, new_size = _size(change.before), _size(change.after)
    if not change.has_other_content:
        return Counted(0, 0, old_size, new_size)
    texts = _texts(objects, change, limit_bytes)
    if texts is None:
        return Counted(None, None, old_size, new_size)
    blocks = differing_blocks(split_lines(texts[0]), split_lines(texts[1]))
    added = sum(block.new_end - block.new_start for block in blocks)
    removed = sum(block.old_end - block.old_start for block in blocks)
    return Counted(added, removed, old_size, new_size)


def format_change(objects: ObjectDatabase, change: Change) -> Iterator[bytes]:
    """Yield the lines of a change of an artifact as a unified diff, and as comments what a patch has no words for.

    Raises:
        NoSuchObject, DamagedObject: Content of it cannot be read; raised before anything is yielded.
    """
    before, after = change.before, change.after
    is_other_kind = before is not None and after is not None and before.kind != after.kind
    halves = [Change(change.path, before, None), Change(change.path, None, after)] if is_other_kind else [change]
    texts = [_texts(objects, half, MAX_TEXT_BYTES) if half.has_other_content else None for half in halves]
    if not is_other_kind:
        yield from _format_attributes(change)
    for half, contents in zip(halves, texts, strict=True):
        if contents is None and half.has_other_content:
            yield from _given_up(objects, half)
        yield from _format_half(half, contents)


def _format_half(change: Change, texts: tuple[bytes, bytes] | None) -> Iterator[bytes]:
    before, after = change.before, change.after
    node = after or before
    assert node is not None
    if node.kind not in _PATCHED_KINDS:
        yield from _format_unpatched(change, node)
        return
    old, new = quote_path(b"a/", change.renamed_from or change.path), quote_path(b"b/", change.path)
    header = list(_format_header(change))
    if not header and not change.has_other_content:
        return
    yield b"diff --git %s %s\n" % (old, new)
    yield from header
    if not change.has_other_content:
        return
    old, new = _NOTHING if before is None else old, _NOTHING if after is None else new
    if texts is None:
        yield b"Binary files %s and %s differ\n" % (old, new)
        return
    hunks = list(format_hunks(*texts))
    if hunks:
        yield b"--- %s\n+++ %s\n" % (_ended(old), _ended(new))
        yield from hunks


def format_hunks(old: bytes, new: bytes, *, context: int = CONTEXT_LINES) -> Iterator[bytes]:
    """Yield the hunks that turn one text into another, line by line."""
    old_lines, new_lines = split_lines(old), split_lines(new)
    for group in _groups(differing_blocks(old_lines, new_lines), context):
        first, last = group[0], group[-1]
        lead = min(context, first.old_start)
        tail = min(context, len(old_lines) - last.old_end)
        old_start, old_end = first.old_start - lead, last.old_end + tail
        new_start, new_end = first.new_start - lead, last.new_end + tail
        yield b"@@ -%s +%s @@\n" % (_range(old_start, old_end), _range(new_start, new_end))
        at = old_start
        for block in group:
            yield from _marked(b" ", old_lines[at : block.old_start])
            yield from _marked(b"-", old_lines[block.old_start : block.old_end])
            yield from _marked(b"+", new_lines[block.new_start : block.new_end])
            at = block.old_end
        yield from _marked(b" ", old_lines[at:old_end])


def split_lines(text: bytes) -> list[bytes]:
    """Return the lines of *text*, each with its LF; the last one may lack it."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def is_text(content: bytes) -> bool:
    """Say whether *content* is shown as text."""
    return b"\0" not in content[:_LOOKED_AT_BYTES]


def quote_path(prefix: bytes, path: str) -> bytes:
    """Return *path* behind *prefix*, in double quotes with escapes where git would write it so."""
    raw = prefix + encode(path)
    return b'"' + _QUOTED.sub(_escape, raw) + b'"' if _QUOTED.search(raw) else raw


def _ended(name: bytes) -> bytes:
    """Return *name* so that it is told from a time behind it: by a TAB, as git has it, when there is a space in it."""
    return name + b"\t" if b" " in name else name


def _escape(match: re.Match[bytes]) -> bytes:
    code = match.group()[0]
    return b"\\" + _SHORT_ESCAPES.get(code, b"%03o" % code)


def _texts(objects: ObjectDatabase, change: Change, limit_bytes: int) -> tuple[bytes, bytes] | None:
    """Return what is in a file or link on both sides; None when one of them is no text, too long, or given up."""
    if max(_size(change.before), _size(change.after)) > limit_bytes:
        return None
    try:
        old, new = _content(objects, change.before), _content(objects, change.after)
    except GivenUp:
        return None
    return (old, new) if old is not None and new is not None and is_text(old) and is_text(new) else None


def _given_up(objects: ObjectDatabase, change: Change) -> Iterator[bytes]:
    """Yield a line for each side whose content the session has given up, so that nobody can compare it."""
    for node in (change.before, change.after):
        if node is not None and node.is_file:
            try:
                _content(objects, node)
            except GivenUp as failure:
                yield b"# %s\n" % str(failure).encode()


def _content(objects: ObjectDatabase, node: Node | None) -> bytes | None:
    if node is None or node.is_directory:
        return b""
    if node.is_symlink:
        return encode(node.target or "")
    if not node.is_file:
        return None
    return objects.read(node.oid) if node.oid is not None else b""


def _size(node: Node | None) -> int:
    return 0 if node is None else node.size


def _git_mode(node: Node) -> bytes:
    if node.is_symlink:
        return b"120000"
    return b"100755" if node.mode & 0o100 else b"100644"


def _format_header(change: Change) -> Iterator[bytes]:
    before, after = change.before, change.after
    if before is None or after is None:
        if after is not None:
            yield b"new file mode %s\n" % _git_mode(after)
        elif before is not None:
            yield b"deleted file mode %s\n" % _git_mode(before)
        return
    if _git_mode(before) != _git_mode(after):
        yield b"old mode %s\nnew mode %s\n" % (_git_mode(before), _git_mode(after))
    if change.renamed_from is not None:
        old, new = quote_path(b"", change.renamed_from), quote_path(b"", change.path)
        if not change.has_other_content:
            yield b"similarity index 100%\n"
        yield b"rename from %s\nrename to %s\n" % (old, new)


def _format_attributes(change: Change) -> Iterator[bytes]:
    """Yield a line for each attribute that a patch has no words for; ``patch`` and ``git apply`` pass over them."""
    before, after = change.before, change.after
    if before is None or after is None:
        return
    path = quote_path(b"", change.path)
    for field in change.fields:
        if field == "mode" and not after.is_directory and _git_mode(before) != _git_mode(after):
            continue
        if field in ATTRIBUTE_FIELDS:
            yield b"# %s: %s %s -> %s\n" % (path, field.encode(), _said(before, field), _said(after, field))


def _said(node: Node, field: str) -> bytes:
    import json

    if field == "mode":
        return b"%04o" % (node.mode & 0o7777)
    value = getattr(node, field)
    if field == "xattrs":
        value = {name: raw.hex() for name, raw in (value or {}).items()}
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False).encode()


def _format_unpatched(change: Change, node: Node) -> Iterator[bytes]:
    """Yield a line for what a patch has no words for: directories, fifos and their like come, go and are renamed."""
    kind, path = node.kind.replace("_", " ").encode(), quote_path(b"", change.path)
    if change.renamed_from is not None:
        yield b"# renamed %s %s to %s\n" % (kind, quote_path(b"", change.renamed_from), path)
    elif change.before is None:
        yield b"# new %s %s\n" % (kind, path)
    elif change.after is None:
        yield b"# deleted %s %s\n" % (kind, path)


def _groups(blocks: list[Block], context: int) -> Iterator[list[Block]]:
    """Yield *blocks* in groups whose context touches: the hunks."""
    group: list[Block] = []
    for block in blocks:
        if group and block.old_start - group[-1].old_end > 2 * context:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _range(start: int, end: int) -> bytes:
    length = end - start
    if length == 1:
        return b"%d" % (start + 1)
    return b"%d,%d" % (start + 1 if length else start, length)


def _marked(mark: bytes, lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line
        if not line.endswith(b"\n"):
            yield b"\n" + _NO_NEWLINE
