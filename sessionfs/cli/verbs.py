"""The table of verbs: where each is, and what it does in a line. Modules are imported when their verb is asked for.

Each module has a ``VERBS`` of its own, with a :class:`sessionfs.cli.spec.Verb` per name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionfs.cli.spec import Verb

# Group, name, module below sessionfs.cli, what it does.
TABLE = (
    ("Stores", "init", "init", "Make a store"),
    ("Stores", "status", "status", "Show the store at a glance"),
    ("Stores", "use", "use", "Choose the current session, which @ stands for"),
    ("Stores", "mount", "mounting", "Mount the store as a filesystem"),
    ("Stores", "umount", "mounting", "Unmount it, with everything stored"),
    ("Stores", "mounts", "mounting", "List what is mounted"),
    ("Stores", "systemd-unit", "systemd_unit", "Print a systemd unit that mounts at login"),
    ("Stores", "completion", "completion", "Print a shell's completion script"),
    ("Sessions", "session create", "session_change", "Create a session and print its id"),
    ("Sessions", "session list", "session_list", "List sessions"),
    ("Sessions", "session show", "session_list", "Show all there is to know about a session"),
    (
        "Sessions",
        "session update",
        "session_change",
        "Change a session's name, description, tags or metadata",
    ),
    ("Sessions", "session save", "session_move", "Write a snapshot, so that the next opening is fast"),
    ("Sessions", "session suspend", "session_move", "Make an active session read-only for a while"),
    ("Sessions", "session resume", "session_move", "Go on with a suspended session"),
    ("Sessions", "session complete", "session_move", "End a session well"),
    ("Sessions", "session fail", "session_move", "End a session badly, with a reason"),
    ("Sessions", "session archive", "session_move", "Put a finished session away"),
    ("Sessions", "session delete", "session_move", "Move a session to the trash"),
    ("Artifacts", "artifact put", "artifact_put", "Store files, directories or standard input"),
    ("Artifacts", "artifact cat", "artifact_get", "Write the content of artifacts to standard output"),
    ("Artifacts", "artifact get", "artifact_get", "Copy a file or directory out of a session"),
    ("Artifacts", "artifact list", "artifact_list", "List artifacts"),
    ("Artifacts", "artifact show", "artifact_list", "Show all there is to know about an artifact"),
    ("Artifacts", "artifact mv", "artifact_change", "Move or rename an artifact"),
    ("Artifacts", "artifact cp", "artifact_change", "Copy an artifact; no content is copied"),
    ("Artifacts", "artifact rm", "artifact_change", "Remove artifacts"),
    ("Artifacts", "artifact tag", "artifact_change", "Add and remove tags of artifacts"),
    ("Artifacts", "artifact set", "artifact_change", "Change type, mime type, description or metadata"),
    ("State", "state get", "state", "Print a value"),
    ("State", "state set", "state", "Set a value"),
    ("State", "state rm", "state", "Delete keys"),
    ("State", "state list", "state", "List keys and values"),
    ("Plumbing", "hash-object", "hash_object", "Print the id of content, and store it with -w"),
    ("Plumbing", "cat-file", "cat_file", "Print an object's type, size or content"),
    ("Plumbing", "ls-tree", "ls_tree", "List a tree object"),
    ("Plumbing", "rev-parse", "rev_parse", "Turn a name into an object's id"),
    ("Plumbing", "show-ref", "refs", "List refs"),
    ("Plumbing", "update-ref", "refs", "Move a ref by compare-and-swap"),
    ("Plumbing", "cat-log", "cat_log", "Print a session's log"),
    ("Plumbing", "fsck", "fsck", "Verify every object, log and reference"),
)

GROUPS = ("Stores", "Sessions", "Artifacts", "State", "Plumbing")

MODULE_OF = {name: module for _, name, module, _ in TABLE}
ABOUT = {name: about for _, name, _, about in TABLE}
FAMILIES = {
    "session": "Create, list, change, end and delete sessions",
    "artifact": "Store, read, list and change artifacts",
    "state": "Get, set, list and delete keys of a session's state",
}
"""The first words of verbs that have two."""


def import_verb(name: str) -> Verb:
    """Return the definition of the verb *name*, which is in the table."""
    # importlib costs nothing here: the interpreter has it loaded.
    from importlib import import_module

    found: Verb = import_module(f"sessionfs.cli.{MODULE_OF[name]}").VERBS[name]
    return found
