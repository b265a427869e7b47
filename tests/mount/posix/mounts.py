"""Mounted stores for the rows."""

from __future__ import annotations

from pathlib import Path

from commands import Commands, unmount_all


class Mounts:
    """Stores with the sessions "one" and "two", mounted for all users."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._commands: dict[str, Commands] = {}
        self._stores: set[Path] = set()

    def start(self, name: str, *options: str, store: Path | None = None) -> Path:
        """Mount a store, made anew unless it is there; returns where."""
        command = Commands(store or self._scratch / f"{name}.store")
        if not command.store.exists():
            command.ok("init", command.store)
            for session in ("one", "two"):
                command.ok("session", "create", "--id", session)
        self._commands[name] = command
        point = self._scratch / name
        point.mkdir()
        command.ok("mount", "--allow-other", *options, point)
        return point

    def end(self, name: str, *, may_log: bool = False) -> None:
        """Unmount, if it is mounted; the server has logged nothing, unless it may, and the store is whole."""
        if name not in self._commands:
            return
        command = self._commands.pop(name)
        self._stores.add(command.store)
        command.ok("umount", self._scratch / name)
        logs = [path.read_text() for path in command.store.glob(f"tmp/mount-*-{name}.log")]
        assert may_log or not any(logs), logs
        command.ok("fsck")

    def end_all(self) -> None:
        """Unmount what is mounted, the latest first."""
        try:
            for name in reversed(list(self._commands)):
                self.end(name)
        finally:
            for store in self._stores.union(command.store for command in self._commands.values()):
                unmount_all(store)
