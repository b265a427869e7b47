"""How ``grep`` shows lines: with the artifact before each, below headings, or as JSON."""

from __future__ import annotations

import base64
from typing import Any

from sessionfs.api.searching import MatchedContent
from sessionfs.artifacts import text_of
from sessionfs.artifacts.names import encode
from sessionfs.cli.call import Call
from sessionfs.cli.exits import printable
from sessionfs.search.lines import Line

_CUT = "[…]"  # before what is shown of a line that is too long


def label(some: MatchedContent) -> str:
    """Return what an artifact is called: ``q4/report.txt``; what was there once ``q4@{7}/report.txt``."""
    artifact = some.artifact
    if artifact.is_live:
        return f"{artifact.session}/{artifact.path}"
    return f"{artifact.session}@{{{artifact.id.rpartition(':')[2]}}}/{artifact.path}"


class AsJson:
    """One object for each line."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def write(self, some: MatchedContent | None) -> None:
        """Write the lines of one artifact."""
        if some is None:
            return
        import json

        artifact = some.artifact
        same = {
            "session": artifact.session,
            "path": text_of(artifact.path),
            "version": artifact.version,
            "id": artifact.id,
            "oid": artifact.oid,
        }
        lines = [json.dumps(same | _record(line), ensure_ascii=False) for line in some.lines]
        if some.binary_at is not None:
            lines.append(json.dumps(same | {"binary_at": some.binary_at}, ensure_ascii=False))
        self._call.out.raw("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))


def _record(line: Line) -> dict[str, Any]:
    record: dict[str, Any] = {
        "line": line.number,
        "text": line.text.encode("utf-8", "replace").decode(),
        "spans": [list(span) for span in line.spans],
        "is_match": line.is_match,
        "is_whole": line.is_whole,
    }
    if not _is_utf_8(line.text):
        record["bytes"] = base64.b64encode(encode(line.text)).decode()
    return record


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class AsLines:
    """A line for each line: for people below a heading for each artifact, for programs with its name before each."""

    def __init__(self, call: Call, *, only: bool, with_numbers: bool, with_context: bool, null: bool) -> None:
        self._out = call.out
        self._only = only
        self._with_numbers = with_numbers
        self._with_context = with_context
        self._null = null
        self._has_headings = call.out.is_terminal and not null
        self._last: tuple[object, int] | None = None  # the artifact and number of the last line

    def write(self, some: MatchedContent | None) -> None:
        """Write the lines of one artifact."""
        if some is None:
            return
        name = label(some)
        parts: list[bytes] = []
        is_new = self._last is None or self._last[0] is not some.artifact
        if self._has_headings and is_new:
            heading = self._out.colour("magenta", printable(name))
            parts.append(f"{chr(10) if self._last else ''}{heading}\n".encode())
        for line in some.lines:
            if self._with_context and self._last is not None and self._last != (some.artifact, line.number - 1):
                parts.append(b"" if is_new and self._has_headings else b"--\n")
            is_new = False
            parts.append(self._line(name, line))
            self._last = some.artifact, line.number
        if some.binary_at is not None:
            parts.append(
                encode(f"{name}: binary content matches (NUL at byte {some.binary_at}); -a searches all of it\n")
            )
        self._out.raw(b"".join(parts))

    def _line(self, name: str, line: Line) -> bytes:
        sign = ":" if line.is_match else "-"
        begin = b""
        if not self._has_headings:
            begin = encode(name) + (b"\0" if self._null else sign.encode())
        if self._with_numbers:
            number = self._out.colour("green", str(line.number)) if self._has_headings else str(line.number)
            begin += f"{number}{sign}".encode()
        if self._only:
            texts = [line.text[start:end] for start, end in line.spans if end > start]
            return b"".join(begin + self._shown(text, ((0, len(text)),)) + b"\n" for text in texts)
        cut = "" if line.is_whole else _CUT
        return begin + cut.encode() + self._shown(line.text, line.spans) + cut.encode() + b"\n"

    def _shown(self, text: str, spans: tuple[tuple[int, int], ...]) -> bytes:
        if not self._out.is_terminal:
            return encode(text)
        parts, at = [], 0
        for start, end in spans:
            parts += [_for_people(text[at:start]), self._out.colour("match", _for_people(text[start:end]))]
            at = end
        return "".join([*parts, _for_people(text[at:])]).encode()


def _for_people(text: str) -> str:
    """Return *text* as a terminal can show it, with its tabs."""
    return "\t".join(map(printable, text.split("\t"))) if text else ""
