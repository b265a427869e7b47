"""Eight processes at once on one store: programs, the command line and a mount; and what must be there afterwards.

Each process does numbered operations, on several sessions in turn: it stores an artifact of its own, sets a value of
its own, stores another version of an artifact that it shares with others. ``python together.py KIND STORE MOUNT PROCESS
COUNT SESSION…`` is one of them.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sessionfs.fsck import check
from sessionfs.store.store import Store

KINDS = ("program", "program", "program", "command", "command", "mount", "mount", "program")
"""What each process uses."""


class Operation(NamedTuple):
    """One of a process: the artifact at *path* is stored, or with an empty path the process's value is set."""

    session: str
    path: str
    number: int


def operations(kind: str, process: int, count: int, sessions: Sequence[str]) -> list[Operation]:
    """Return what a process does, in order."""
    # Two who have one file open in one mount write one version; so each there shares with itself.
    shared = "shared" if kind != "mount" else f"again-{process}"
    paths = (f"of-{process}/{{}}", "", shared)
    return [
        Operation(sessions[(number + process) % len(sessions)], paths[number % 3].format(number), number)
        for number in range(count)
    ]


# A process


def work(kind: str, store: str, mount: str, process: int, count: int, sessions: Sequence[str]) -> None:
    """Do the operations of one process."""
    perform = {"program": _program, "command": _command, "mount": _mount}[kind](store, mount, process)
    for operation in operations(kind, process, count, sessions):
        perform(operation)


def content_of(process: int, operation: Operation) -> bytes:
    """Return what an artifact is: some of it is compressed, and some is the same as another's."""
    return f"{process % 3} {operation.number}\n".encode() * (1 << operation.number % 13)


def _program(store: str, mount: str, process: int) -> Callable[[Operation], None]:
    import sessionfs

    opened = sessionfs.open(store)

    def perform(operation: Operation) -> None:
        session = opened.sessions[operation.session]
        if operation.path:
            session.artifacts.put(operation.path, content_of(process, operation))
        else:
            session.state[f"of-{process}"] = operation.number

    return perform


def _command(store: str, mount: str, process: int) -> Callable[[Operation], None]:
    from sessionfs.cli import main

    def perform(operation: Operation) -> None:
        if operation.path:
            words = ("artifact", "put", operation.session, "-", "--as", operation.path)
        else:
            words = ("state", "set", operation.session, f"of-{process}", str(operation.number))
        stdin = io.TextIOWrapper(io.BytesIO(content_of(process, operation)))
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        code = main(words, {"SESSIONFS_STORE": store}, stdin, *streams)
        if code != 0:
            raise RuntimeError(f"{words} ends with {code}: {streams[1].buffer.getvalue()!r}")  # type: ignore[attr-defined]

    return perform


def _mount(store: str, mount: str, process: int) -> Callable[[Operation], None]:
    def perform(operation: Operation) -> None:
        session = Path(mount) / "sessions" / operation.session
        if operation.path:
            path = session / "artifacts" / operation.path
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content_of(process, operation))
        else:
            (session / "state" / f"of-{process}").write_text(str(operation.number))

    return perform


# All of them


def start(
    store: Path, mount: Path, count: int, sessions: Sequence[str], *, prelude: str = ""
) -> list[subprocess.Popen[bytes]]:
    """Start the eight; *prelude* is run first in each of them."""
    directory = str(Path(__file__).parent)
    script = f"import sys; sys.path.insert(0, {directory!r})\n{prelude}\nimport together; together.main(sys.argv[1:])"
    return [
        subprocess.Popen(
            [sys.executable, "-c", script, kind, str(store), str(mount), str(process), str(count), *sessions],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stderr=subprocess.PIPE,
        )
        for process, kind in enumerate(KINDS)
    ]


def wait(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until all have ended well; AssertionError with the words of one that has not."""
    errors = [process.communicate()[1] for process in processes]
    for process, error in zip(processes, errors, strict=True):
        assert process.returncode == 0, error.decode()


def look(store: Store, count: int, sessions: Sequence[str]) -> None:
    """All that was done is there, once; no number is missing, and nothing is damaged."""
    faults = [str(fault) for fault in check(store) if fault.is_damage]
    assert faults == []
    done = {process: operations(kind, process, count, sessions) for process, kind in enumerate(KINDS)}
    for session_id in sessions:
        session = store.session(session_id)
        stored: Counter[str] = Counter()
        records = [record for _, record in session.records()]
        assert [record.seq for record in records] == list(range(len(records)))
        for process, operation in ((process, one) for process, some in done.items() for one in some):
            if operation.session != session_id:
                continue
            if operation.path:
                stored[operation.path] += 1
                node = session.tree.find(operation.path)
                assert node is not None, operation
                if operation.path.startswith("of-"):
                    assert store.objects.read(node.oid) == content_of(process, operation)
            else:
                assert session.fold.state.get(f"of-{process}") >= operation.number
        versions = {node.path: node.version for _, node in session.tree.walk() if node.is_file}
        assert versions == stored


def main(words: Sequence[str]) -> None:
    kind, store, mount, process, count, *sessions = words
    work(kind, store, mount, int(process), int(count), sessions)


if __name__ == "__main__":
    main(sys.argv[1:])
