"""A store for state machines."""

from __future__ import annotations

import itertools
import tempfile

from sessionfs.store.store import Store


class Stores:
    """One store for all examples, each with sessions of its own: making one takes longer than an example."""

    directory = None
    numbers = itertools.count()

    @classmethod
    def path(cls):
        if cls.directory is None:
            cls.directory = tempfile.TemporaryDirectory()
            Store.create(f"{cls.directory.name}/s")
        return f"{cls.directory.name}/s"

    @classmethod
    def opened(cls):
        """Return it with a clock and inode numbers that are the same each time."""
        inos, clock = itertools.count(1 << 51), itertools.count(1_795_214_641_000_000_000, 1_000_000)
        return Store(cls.path(), clock=clock.__next__, make_ino=inos.__next__)
