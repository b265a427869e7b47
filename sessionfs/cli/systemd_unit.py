"""``systemd-unit``: the unit that mounts a user's store at login, with this program in it."""

from __future__ import annotations

import os
import sys
from importlib.resources import files

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Verb

_UNIT = "sessionfs@.service"

# What begins with the program's name there: systemd looks for one without a path in the system's own places only.
_COMMANDS = ("ExecStart=", "ExecStop=")


def _systemd_unit(call: Call, arguments: Arguments) -> None:
    program = _program()
    text = files("sessionfs.mount").joinpath(_UNIT).read_text(encoding="utf-8")
    for command in _COMMANDS:
        text = text.replace(f"{command}sessionfs ", f"{command}{program} ")
    if call.out.as_json:
        call.out.document({"name": _UNIT, "content": text})
    else:
        call.out.text(text)


def _program() -> str:
    """Return how systemd starts this program: the script beside the interpreter, or the interpreter with the module."""
    script = os.path.join(os.path.dirname(sys.executable), "sessionfs")
    words = [script] if os.access(script, os.X_OK) else [sys.executable, "-P", "-m", "sessionfs"]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    # systemd.syntax(7), systemd.unit(5) on "%", systemd.service(5) on "$".
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return plain if plain == word and " " not in word else f'"{plain}"'


VERBS = {
    "systemd-unit": Verb(
        _systemd_unit,
        about="A template for systemd --user: its instance is the directory to mount on, as systemd-escape --path "
        "writes it. The store is the one that sessionfs finds by itself; for another one, set SESSIONFS_STORE in the "
        "unit with systemctl --user edit.",
        examples=(
            ("systemd-unit >~/.config/systemd/user/sessionfs@.service", "installs it"),
            ("systemd-unit --json", "its name and its content"),
        ),
    )
}
