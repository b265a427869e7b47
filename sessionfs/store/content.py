"""Opening the content of a store without the rest of it: what the object verbs of the command line need.

Imports neither the log nor msgspec, which would double a plumbing verb's time.
"""

from __future__ import annotations

from sessionfs.durable import Disk, Unsynced
from sessionfs.errors import from_os_error
from sessionfs.objects import ObjectDatabase
from sessionfs.store.config import BadConfig, Config, parse_config
from sessionfs.store.layout import Layout


def read_config(path: str) -> Config:
    """Return what the config.toml at *path* says; every key has its default when there is none.

    Raises:
        BadConfig: It cannot be understood.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Config()
    except UnicodeDecodeError as failure:
        raise BadConfig(f"{path} is not UTF-8 text: {failure}") from failure
    except OSError as failure:
        raise from_os_error(failure, f"read {path}") from failure
    return parse_config(text, path)


def open_objects(layout: Layout, config: Config, disk: Disk, unsynced: Unsynced) -> ObjectDatabase:
    """Return the object database of the store at *layout*."""
    return ObjectDatabase(
        disk,
        layout.objects,
        layout.staging,
        unsynced=unsynced,
        mode=config.mode,
        compress=config.compress,
        threshold_bytes=config.threshold_bytes,
        trash=layout.trash,
        lock_path=layout.gc_lock,
    )
