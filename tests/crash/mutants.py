"""Small changes to the steps of a function, to see whether any test notices.

A mutant leaves out one step, or lets two neighbours change places that both matter: steps, returns, and what is kept in
attributes. It is put in the place of the function's code, so whoever has imported the function has it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import NamedTuple

STEPS = frozenset({
    "add_directory", "add_file", "add_log", "append", "close", "cover", "create_temporary", "discard_temporary",
    "fdatasync", "fsync", "listdir", "lock", "make_directory", "mkdir", "name_temporary", "open", "owe", "place",
    "publish", "pwrite", "pwrite_all", "read_new", "rename", "sync", "sync_directory", "sync_file", "sync_filesystem",
    "sync_name", "truncate", "unlink", "unlock", "update", "wait", "write", "write_again", "write_all",
    "write_file_again", "write_log_again", "_copy", "_drop_damaged", "_keep", "_keep_names", "_set_tail_aside", "_sync",
    "_sync_directory", "_sync_file", "_touch_mark",
})  # fmt: skip
"""What does something to the disk, or says that it will be done."""


class Mutant(NamedTuple):
    """One change to one function."""

    function: FunctionType
    what: str
    code: CodeType

    @property
    def name(self) -> str:
        """What it is called in the list of those that change nothing."""
        return f"{self.function.__qualname__}: {self.what}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the function be the mutant for a while."""
        original = self.function.__code__
        self.function.__code__ = self.code
        try:
            yield
        finally:
            self.function.__code__ = original


def mutants(function: Callable[..., object]) -> Iterator[Mutant]:
    """Yield every mutant of *function*."""
    assert isinstance(function, FunctionType)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for path, block in list(_blocks(tree.body[0])):
        for index, statement in enumerate(block):
            if isinstance(statement, ast.Expr) and _is_step(statement):
                yield _mutant(function, path, index, _leave_out, "without")
            pair = block[index : index + 2]
            if len(pair) == 2 and all(map(_matters, pair)) and any(map(_is_step, pair)):
                yield _mutant(function, path, index, _swap, "swapped")


def _is_step(node: ast.AST) -> bool:
    """Say whether something is called in *node* that does something to the disk."""
    calls = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    names = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    if any(isinstance(call, ast.Attribute) and call.attr == "append" for call in calls):
        names.discard("append")  # that of lists
    return not names.isdisjoint(STEPS)


def _matters(statement: ast.stmt) -> bool:
    ends = any(isinstance(inner, ast.Return | ast.Raise) for inner in ast.walk(statement))
    return ends or _is_step(statement) or _keeps(statement)


def _keeps(statement: ast.stmt) -> bool:
    """Say whether *statement* sets an attribute."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(inner, ast.Attribute) for target in targets for inner in ast.walk(target))


def _leave_out(block: list[ast.stmt], index: int) -> None:
    block[index] = ast.Pass()


def _swap(block: list[ast.stmt], index: int) -> None:
    block[index], block[index + 1] = block[index + 1], block[index]


def _blocks(node: ast.AST, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], list[ast.stmt]]]:
    """Yield each list of statements below *node*, and the way to it."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield (*path, field), block
            for index, statement in enumerate(block):
                yield from _blocks(statement, (*path, field, index))
    for index, handler in enumerate(getattr(node, "handlers", [])):
        yield from _blocks(handler, (*path, "handlers", index))


def _mutant(
    function: FunctionType,
    path: tuple[object, ...],
    index: int,
    change: Callable[[list[ast.stmt], int], None],
    how: str,
) -> Mutant:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    block: object = tree.body[0]
    for step in path:
        block = block[step] if isinstance(step, int) else getattr(block, str(step))  # type: ignore[index]
    assert isinstance(block, list)
    what = f"{how} {_short(block[index])}"
    if how == "swapped":
        what += f" | {_short(block[index + 1])}"
    change(block, index)
    names: dict[str, object] = {}
    module = compile(
        ast.fix_missing_locations(tree),
        inspect.getsourcefile(function) or "",
        "exec",
        flags=annotations.compiler_flag,
        dont_inherit=True,
    )
    exec(module, dict(function.__globals__), names)  # only for its code: it keeps the globals it has
    made = names[function.__name__]
    made = getattr(made, "__func__", made)
    assert isinstance(made, FunctionType)
    return Mutant(function, what, made.__code__)


def _short(statement: ast.stmt) -> str:
    return " ".join(ast.unparse(statement).split())[:60]
