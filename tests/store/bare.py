"""Objects, logs and refs on the real disk, without a store around them."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec

from sessionfs.durable import Mode, OsDisk, Unsynced
from sessionfs.log import Draft, Log, encode_data
from sessionfs.objects import ObjectDatabase


class Bare:
    """The directories of a store at *path*, and what works on them."""

    def __init__(self, path: Path, mode: Mode = Mode.RELAXED) -> None:
        self.path, self.mode = path, mode
        for name in ("objects", "tmp", "changed", "sessions"):
            (path / name).mkdir(exist_ok=True)
        self.disk = OsDisk()
        self.unsynced = Unsynced(self.disk)
        self.clock = itertools.count(1_795_214_641_000_000_000, 1_000_000).__next__

    def objects(self, **options) -> ObjectDatabase:
        return ObjectDatabase(
            self.disk,
            str(self.path / "objects"),
            str(self.path / "tmp"),
            unsynced=self.unsynced,
            mode=self.mode,
            **options,
        )

    def object_path(self, oid: str, suffix: str = "") -> Path:
        return self.path / "objects" / oid[:2] / (oid[2:] + suffix)

    @property
    def log_path(self) -> Path:
        return self.path / "sessions" / "s" / "log"

    def log(self, *, create: bool = False) -> Log:
        log = Log(
            self.disk,
            str(self.log_path),
            "s",
            mark_path=str(self.path / "changed" / "s"),
            staging=str(self.path / "tmp"),
            unsynced=self.unsynced,
            mode=self.mode,
        )
        if create:
            log.create()
        return log

    def append(self, log: Log, *values) -> list:
        """Append a record for each of *values*; return what others had appended."""
        with log.writing() as others:
            for value in values:
                log.append(self.clock, [draft(value)], actor="me")
        log.commit()
        return others

    def append_together(self, log: Log, *values) -> None:
        """Append a record for each of *values*, all of them or none."""
        with log.writing():
            log.append(self.clock, [draft(value) for value in values], actor="me")
        log.commit()

    def torn(self) -> list[bytes]:
        """Return the tails that were set aside."""
        return [path.read_bytes() for path in sorted((self.path / "tmp").glob("torn-*"))]


def draft(value, type="custom.test") -> Draft:
    return Draft(type, msgspec.Raw(encode_data(value)))


def values_of(records) -> list:
    return [msgspec.json.decode(record.data) for record in records]
