"""Standard output: data only. Lines with tabs between their fields, or one JSON document, or bytes as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from sessionfs.cli.exits import printable

if TYPE_CHECKING:
    from sessionfs.cli.tables import Column

NAME = "standard output"

_COLOURS = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2", "magenta": "35", "match": "1;31"}


class Output:
    """What a verb writes to. A failed write raises OSError with the stream's name as its file's name."""

    def __init__(self, stream: TextIO, env: Mapping[str, str], *, as_json: bool) -> None:
        self._stream = stream
        self.as_json = as_json
        self.is_terminal = stream.isatty()
        self._has_colours = self.is_terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    def line(self, *fields: object) -> None:
        """Write one line: fields separated by tabs, with what would break a line escaped."""
        self._write("\t".join([printable(str(field)) for field in fields]) + "\n")

    def text(self, text: str) -> None:
        """Write *text*, which ends its own lines."""
        self._write(text)

    def raw(self, data: bytes | memoryview) -> None:
        """Write bytes as they are."""
        try:
            self._stream.flush()
            self._stream.buffer.write(data)
        except OSError as failure:
            raise _named(failure) from None

    def document(self, value: Any) -> None:
        """Write *value* as a JSON document, indented on a terminal."""
        self._write(self._as_json(value) + "\n")

    def _as_json(self, value: Any) -> str:
        import json

        indent = 2 if self.is_terminal else None
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        try:
            text.encode(self._stream.encoding or "utf-8")
        except UnicodeEncodeError:
            return json.dumps(value, indent=indent)
        return text

    def table(self, columns: Iterable[Column], records: Iterable[dict[str, Any]]) -> None:
        """Write *records*: as a JSON list, as an aligned table for people, or as lines.

        On a terminal they are all known before the first is written; otherwise each is written as it comes.
        """
        if self.as_json:
            self._list(records)
            return
        from sessionfs.cli import tables

        chosen = tuple(columns)
        if self.is_terminal:
            self._write(tables.format_table(chosen, list(records), self.colour))
        else:
            for record in records:
                self.line(*(column.stable(record) for column in chosen))

    def _list(self, records: Iterable[dict[str, Any]]) -> None:
        """Write *records* as one JSON list; what fails before the first of them has written nothing."""
        if self.is_terminal:
            self.document(list(records))
            return
        before = "["
        for record in records:
            self._write(before + self._as_json(record))
            before = ", "
        self._write("]\n" if before == ", " else "[]\n")

    def details(self, record: dict[str, Any], show: Mapping[str, Callable[[Any], str]]) -> None:
        """Write one record: as a JSON object, or a line per field.

        Args:
            show: How people see a field's value on a terminal.
        """
        if self.as_json:
            self.document(record)
            return
        from sessionfs.cli import tables

        width = max(map(len, record))
        for key, value in record.items():
            if self.is_terminal:
                text = "-" if value is None else show[key](value) if key in show else tables.plain(value)
                self._write(f"{self.colour('bold', key.ljust(width))}  {text}\n")
            else:
                self.line(key, tables.plain(value))

    def colour(self, name: str, text: str) -> str:
        """Return *text* in a colour, where there are colours."""
        return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if self._has_colours and name else text

    @property
    def encoding(self) -> str:
        """How text becomes bytes, in lower case."""
        return (self._stream.encoding or "utf-8").lower()

    def flush(self) -> None:
        """Write out what is buffered."""
        try:
            self._stream.flush()
        except OSError as failure:
            raise _named(failure) from None

    @property
    def bytes_stream(self) -> _Bytes:
        """A binary file, whose failures name the stream."""
        return _Bytes(self)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError as failure:
            raise _named(failure) from None


class _Bytes:
    """As much of a binary file as writing takes."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, data: bytes | memoryview) -> int:
        self._output.raw(data)
        return len(data)

    def flush(self) -> None:
        """Write out what is buffered."""
        self._output.flush()


def _named(failure: OSError) -> OSError:
    # Made anew, because the number decides the class: BrokenPipeError stays one.
    return OSError(failure.errno, failure.strerror or os.strerror(failure.errno or 0), NAME)
