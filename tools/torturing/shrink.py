"""Fewer operations with the same difference: delta debugging (Zeller's ddmin), from the end of the sequence first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torturing.machine import CLOSE, SNAPSHOT, Failure, Found, Machine
from torturing.sides import Ext4Failed, Sides
from torturing.worker import Operation

_TAILS = (50, 300, 2000, 10_000)

SEEN_LATER = frozenset({"snapshot", "close all", "remount"})

Progress = Callable[[str], None]


def reproduce(
    sides: Sides, refused: frozenset[str], operations: Sequence[Operation], ignored: frozenset[str] = frozenset()
) -> Failure | None:
    """Do *operations* in empty trees, and return the first difference."""
    machine = Machine(sides, refused, ignored=ignored)
    try:
        machine.run(operations)
        machine.run([SNAPSHOT, CLOSE])
    except Found as found:
        return found.failure
    except Ext4Failed:
        return None
    finally:
        machine.end()
    return None


def shrink(
    sides: Sides,
    refused: frozenset[str],
    operations: list[Operation],
    wanted: Failure,
    progress: Progress,
    ignored: frozenset[str] = frozenset(),
) -> tuple[list[Operation], Failure] | None:
    """Return few operations that end with a difference like *wanted*; None if it does not happen again."""

    def fails(tried: list[Operation]) -> Failure | None:
        failure = reproduce(sides, refused, tried, ignored)
        return failure if failure is not None and _alike(failure, wanted) else None

    for length in (*_TAILS, len(operations)):
        found = fails(operations[-length:])
        if found is not None:
            operations = operations[-length:]
            break
        if length >= len(operations):
            return None
    progress(f"it happens again with the last {len(operations)} operations")
    operations = _minimize(operations, lambda tried: fails(tried) is not None, progress)
    return operations, fails(operations) or found


def _alike(failure: Failure, wanted: Failure) -> bool:
    """Whether both have one verb (a snapshot may have seen it later) and an aspect in common."""
    verb, wanted_verb = failure.operation[0], wanted.operation[0]
    aspects = {one.aspect for one in failure.differences} & {one.aspect for one in wanted.differences}
    return bool(aspects) and (verb == wanted_verb or bool(SEEN_LATER & {verb, wanted_verb}))


def _minimize(
    operations: list[Operation], fails: Callable[[list[Operation]], bool], progress: Progress
) -> list[Operation]:
    chunk = max(1, len(operations) // 2)
    while True:
        at, before = 0, len(operations)
        while at < len(operations):
            tried = operations[:at] + operations[at + chunk :]
            if tried and fails(tried):
                operations = tried
            else:
                at += chunk
        progress(f"{len(operations)} operations left")
        if chunk == 1 and len(operations) == before:
            return operations
        chunk = max(1, chunk // 2)
