"""Calling the command line in this process: streams in memory, an environment and a directory of its own."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from sessionfs.cli import main


class Result(NamedTuple):
    """What one call came to."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.raw.decode()

    @property
    def lines(self) -> list[str]:
        """Standard output by lines."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Cli:
    """The command line, in the directory *cwd*, with the store *store*."""

    def __init__(self, cwd: Path, store: Path) -> None:
        self.cwd = cwd
        self.store = store
        self.env = {"SESSIONFS_STORE": str(store), "HOME": str(cwd)}

    def __call__(self, *argv: str, stdin: bytes = b"", terminal: bool = False, **env: str) -> Result:
        """Run one command line; *env* is added to the environment."""
        kind = Terminal if terminal else io.TextIOWrapper
        out, err = io.BytesIO(), io.BytesIO()
        stdout, stderr = kind(out, encoding="utf-8"), kind(err, encoding="utf-8")
        code = main(argv, {**self.env, **env}, io.TextIOWrapper(io.BytesIO(stdin)), stdout, stderr, cwd=str(self.cwd))
        stdout.flush()
        stderr.flush()
        return Result(code, out.getvalue(), err.getvalue().decode())

    def ok(self, *argv: str, stdin: bytes = b"", **env: str) -> Result:
        """Run one command line that must do what it was asked to."""
        result = self(*argv, stdin=stdin, **env)
        assert (result.code, result.err) == (0, ""), result
        return result

    def fails(self, code: int, *argv: str, stdin: bytes = b"", **env: str) -> str:
        """Run one command line that must end with *code* and print nothing; return its message."""
        result = self(*argv, stdin=stdin, **env)
        assert (result.code, result.raw) == (code, b""), result
        assert result.err.startswith("sessionfs: ") and result.err.count("\n") == 1, result.err
        return result.err

    def write(self, name: str, content: bytes | str = b"") -> Path:
        """Make a file of the user's."""
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
