"""What a hook does calls no hooks: who is inside one, in this process and in others.

A hook may write to the store, even to the session it is about; if that called hooks again there would be no end to it.
In this process a context variable knows, in the processes of executables an environment variable. Both name stores,
so that what a hook does to another store calls that one's hooks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token

VARIABLE = "SESSIONFS_INSIDE_HOOK"

_inside: ContextVar[frozenset[str]] = ContextVar("sessionfs_inside_hook", default=frozenset())


def key_of(store_path: str) -> str:
    """Return what names the store at *store_path*, by whatever path it is reached."""
    found = os.stat(store_path)
    return f"{found.st_dev}.{found.st_ino}"


def parse(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the stores whose hooks a process with this environment is inside."""
    return frozenset(environment.get(VARIABLE, "").split(",")) - {""}


def is_inside(key: str) -> bool:
    """Say whether the caller is called by a hook of this store, in this process."""
    return key in _inside.get()


def enter(key: str) -> Token[frozenset[str]]:
    """Be inside a hook of this store, until :func:`leave`. No context manager: those cost more than a short hook."""
    return _inside.set(_inside.get() | {key})


def leave(outside: Token[frozenset[str]]) -> None:
    """Be where one was before :func:`enter`, which gave *outside*."""
    _inside.reset(outside)


@contextmanager
def within(stores: frozenset[str]) -> Iterator[None]:
    """Be inside hooks of exactly these stores."""
    token = _inside.set(stores)
    try:
        yield
    finally:
        _inside.reset(token)


def stores() -> frozenset[str]:
    """Return the stores whose hooks the caller is inside."""
    return _inside.get()


def variable(key: str, environment: Mapping[str, str]) -> str:
    """Return the value of VARIABLE for a process that a hook of this store is."""
    return ",".join(sorted({*parse(environment), *_inside.get(), key}))
