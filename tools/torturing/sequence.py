"""Operations in a file: one Python literal a line, so that a person can read, cut and change it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any

from torturing.worker import Operation

_REPEATED = re.compile(r"((?:\\x..|[^\\]){1,2}?)\1{19,}")


def short(value: Any) -> str:
    """Return how *value* is written, with long repetitions cut: for people, not to be read again."""
    text = value if isinstance(value, str) else repr(value)
    return _REPEATED.sub(lambda found: f"{found[1] * 3}<{len(found[0]) // len(found[1])} times>", text)


def write(path: str, operations: Iterable[Operation], remarks: Sequence[str] = ()) -> None:
    """Write a sequence; *remarks* are lines that say where it comes from."""
    with open(path, "w", encoding="utf-8") as file:
        for remark in remarks:
            file.write(f"# {remark}\n")
        for operation in operations:
            file.write(f"{operation!r}\n")


def read(path: str) -> list[Operation]:
    """Return the operations in a file.

    Raises:
        ValueError: A line is no operation.
    """
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    operations: list[Operation] = []
    for number, line in enumerate(lines, 1):
        try:
            verb, user, arguments, looks = ast.literal_eval(line)
        except (SyntaxError, ValueError, TypeError) as failure:
            raise ValueError(
                f"operation {number} of {path} is no (verb, user, arguments, looks): {line!r}"
            ) from failure
        operations.append((verb, user, arguments, looks))
    return operations
