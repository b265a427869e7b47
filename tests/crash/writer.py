"""A writer to be killed: forks a child for each line of its input, which changes a session and says so.

Arguments: the store, and the session if it is another one. Input: a seed a line. Output, one JSON value a line: the
child's pid, then the number of each step that was acknowledged. The first process has no threads, so that forking is
safe, and imports everything, so that it is quick.
"""

from __future__ import annotations

import json
import os
import random
import sys

from sessionfs.store.store import Store

SESSION = "killed"
VERBS = [
    "put", "put", "put large", "append", "append", "append", "edit", "edit", "rename", "delete", "set", "set", "unset",
    "save",
]  # fmt: skip


def steps(seed):
    """Return the changes of one run: the same for the same *seed*."""
    numbers = random.Random(seed)
    while True:
        verb = numbers.choice(VERBS)
        yield (
            verb,
            f"d{numbers.randrange(2)}/f{numbers.randrange(4)}",
            f"d{numbers.randrange(3)}/g",
            numbers.randrange(1 << 30),
        )


def content_of(verb, number):
    """Return what a put writes: short, or what is too long for memory."""
    text = f"{number}\n".encode()
    return text * {"put large": 130_000, "append": 1000}.get(verb, 1)


def place_of(content, verb, number):
    """Return where an append or an edit writes."""
    return len(content) if verb == "append" else number % len(content)


def changed(content, verb, number):
    """Return *content* after an append or an edit."""
    place, data = place_of(content, verb, number), content_of(verb, number)
    return content[:place] + data + content[place + len(data) :]


def apply(model, step):
    """Do one step to *model*: the contents by path, and the state by key. Says whether it changes anything."""
    files, state = model
    verb, path, other, number = step
    if verb in ("put", "put large"):
        files[path] = content_of(verb, number)
    elif verb in ("append", "edit") and path in files:
        files[path] = changed(files[path], verb, number)
    elif verb == "rename" and path in files:
        files[other] = files.pop(path)
    elif verb == "delete" and path in files:
        del files[path]
    elif verb == "set":
        state[path[-2:]] = "x" * (number % 12_000)
    elif verb == "unset" and path[-2:] in state:
        del state[path[-2:]]


def perform(session, model, step):
    """Do one step to *session*, if it is possible in *model*."""
    files, state = model
    verb, path, other, number = step
    if verb in ("put", "put large"):
        session.artifacts.put(path, session.objects.put_bytes(content_of(verb, number)))
    elif verb in ("append", "edit") and path in files:
        staged = session.objects.stage(session.tree.find(path).oid)
        staged.pwrite(content_of(verb, number), place_of(files[path], verb, number))
        session.artifacts.put(path, staged.finish())
        staged.discard()
    elif verb == "rename" and path in files:
        session.artifacts.rename(path, other, make_parents=True)
    elif verb == "delete" and path in files:
        session.artifacts.delete(path)
    elif verb == "set":
        session.values.set(path[-2:], "x" * (number % 12_000))
    elif verb == "unset" and path[-2:] in state:
        session.values.delete(path[-2:])
    elif verb == "save":
        session.save()


def read_model(store, session_id=SESSION):
    """Return what the session is now, as :func:`apply` keeps it; every byte is read and checked."""
    session = store.session(session_id)
    files = {node.path: store.objects.read(node.oid) for _, node in session.tree.walk() if node.is_file}
    return files, {key: session.fold.state.get(key) for key in session.fold.state.keys()}  # noqa: SIM118


def run(path, seed, session_id=SESSION):
    store = Store(path)
    session = store.session(session_id)
    model = read_model(store, session_id)
    for number, step in enumerate(steps(seed)):
        perform(session, model, step)
        apply(model, step)
        os.write(1, f"{number}\n".encode())


def main():
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.write(1, f"{json.dumps(os.getpid())}\n".encode())
            try:
                run(sys.argv[1], int(line), *sys.argv[2:])
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        os.write(1, f'"ended by {os.waitstatus_to_exitcode(status)}"\n'.encode())


if __name__ == "__main__":
    main()
