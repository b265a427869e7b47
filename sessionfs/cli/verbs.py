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
    ("Stores", "sync", "sync", "Put everything on stable storage"),
    ("Stores", "use", "use", "Choose the current session, which @ stands for"),
    ("Stores", "mount", "mounting", "Mount the store as a filesystem"),
    ("Stores", "umount", "mounting", "Unmount it, with everything stored"),
    ("Stores", "mounts", "mounting", "List what is mounted"),
    ("Stores", "systemd-unit", "systemd_unit", "Print a systemd unit that mounts at login"),
    ("Stores", "completion", "completion", "Print a shell's completion script"),
    ("Sessions", "session create", "session_change", "Create a session and print its id"),
    ("Sessions", "template list", "template", "List what sessions can be made from"),
    ("Sessions", "template show", "template", "Show a template and its variables"),
    ("Sessions", "template check", "template", "Check a template without making a session"),
    ("Sessions", "template new", "template", "Make a template from a session"),
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
    ("Sessions", "session configure", "session_configure", "Set limits, a timeout or rules of retention of a session"),
    ("Sessions", "session delete", "session_move", "Move a session to the trash"),
    ("Artifacts", "collect", "collect", "Take what happens in a directory into a session"),
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
    ("Finding", "find", "find", "Find artifacts or sessions by what they are"),
    ("Finding", "ui", "ui", "Browse the store in the terminal"),
    ("Finding", "grep", "grep", "Search contents for a regular expression"),
    ("Finding", "search", "search", "Find artifacts, sessions and events by the words in them"),
    ("Finding", "index status", "index", "Show where the index is and what it holds"),
    ("Finding", "index rebuild", "index", "Make the index anew"),
    ("Finding", "index drop", "index", "Remove the index"),
    ("Analytics", "stats", "stats", "Count sessions, artifacts and events: how many, how large, how long"),
    ("Analytics", "patterns", "patterns", "Show what tools and agents did, and what went wrong"),
    ("Analytics", "timeline", "timeline", "Show what a session did, against time"),
    ("Analytics", "tree", "tree", "Show parents and children"),
    ("Analytics", "du", "du", "Show where the space is"),
    ("State", "state get", "state", "Print a value"),
    ("State", "state set", "state", "Set a value"),
    ("State", "state rm", "state", "Delete keys"),
    ("State", "state list", "state", "List keys and values"),
    ("Hooks", "hooks list", "hooks", "List hooks, with states and timings"),
    ("Hooks", "hooks run", "hooks", "Call the hooks of a point by hand, to see what they say"),
    ("Hooks", "hooks enable", "hooks", "Enable hooks"),
    ("Hooks", "hooks disable", "hooks", "Disable hooks"),
    ("Events", "run", "run", "Run a command, and record what it does"),
    ("Events", "events", "events", "Show what happened, in one session or in all"),
    ("Events", "watch", "watch", "Show what all processes do, as it happens"),
    ("Events", "record", "record", "Record an event"),
    ("Events", "why", "why", "Show what an artifact was made from"),
    ("History", "log", "log", "Show what was done in a session, the newest first"),
    ("History", "diff", "diff", "Show what changed between two moments"),
    ("History", "show", "show", "Show an artifact as it was, or what one operation changed"),
    ("History", "checkpoint", "checkpoint", "Give a moment a name, or take it away"),
    ("History", "checkpoints", "checkpoint", "List a session's checkpoints"),
    ("History", "restore", "restore", "Bring an earlier moment back, or some paths of it"),
    ("History", "undo", "restore", "Take the last operations back"),
    ("History", "redo", "restore", "Bring back what was undone"),
    ("History", "fork", "fork", "Begin a new session with what another one has, or had"),
    ("History", "merge", "fork", "Bring what changed in a fork back into its parent"),
    ("History", "replay", "replay", "Go through what happened, or let it happen again with changes"),
    ("Upkeep", "fsck", "fsck", "Verify every object, log and reference, and repair them"),
    ("Upkeep", "gc", "gc", "Move what nothing needs to the trash, and delete what was there long enough"),
    ("Upkeep", "repack", "gc", "Put many small objects into few large files"),
    ("Upkeep", "prune", "prune", "Give up old versions of a session's artifacts"),
    ("Upkeep", "pin", "pins", "Keep a session or an artifact, whatever the rules say"),
    ("Upkeep", "unpin", "pins", "Let the rules decide again"),
    ("Upkeep", "pins", "pins", "List what is pinned"),
    ("Upkeep", "retention plan", "retention", "Show what the rules of retention ask for, with reasons"),
    ("Upkeep", "retention run", "retention", "Suspend, archive, delete and prune what the rules ask for"),
    ("Upkeep", "trash list", "trash", "List what is in the trash"),
    ("Upkeep", "trash restore", "trash", "Take something out of the trash again"),
    ("Upkeep", "trash empty", "trash", "Delete what is in the trash, for good"),
    ("Copies", "backup create", "backup", "Make a backup of the store, or bring it up to date"),
    ("Copies", "backup verify", "backup", "Read all of a backup, and name what is damaged"),
    ("Copies", "backup restore", "backup", "Make the store again from a backup, or bring sessions back from it"),
    ("Copies", "clone", "bring", "Make a store with all that another one has"),
    ("Copies", "fetch", "bring", "Bring sessions from another store into this one"),
    ("Copies", "push", "bring", "Bring sessions from this store into another one"),
    ("Copies", "bundle create", "bundle", "Write sessions into one file"),
    ("Copies", "bundle verify", "bundle", "Check a bundle, and list what it holds"),
    ("Copies", "bundle unbundle", "bundle", "Take sessions over from a bundle"),
    ("Copies", "export", "export", "Write a session out as ordinary files, or a tar archive"),
    ("Copies", "import", "export", "Make a session of ordinary files, or of an export"),
    ("Plumbing", "hash-object", "hash_object", "Print the id of content, and store it with -w"),
    ("Plumbing", "cat-file", "cat_file", "Print an object's type, size or content"),
    ("Plumbing", "ls-tree", "ls_tree", "List a tree object"),
    ("Plumbing", "rev-parse", "rev_parse", "Turn a name into an object's id"),
    ("Plumbing", "show-ref", "refs", "List refs"),
    ("Plumbing", "update-ref", "refs", "Move a ref by compare-and-swap"),
    ("Plumbing", "cat-log", "cat_log", "Print a session's log"),
    ("Plumbing", "verify-log", "verify_log", "Check that a session's log is what was written"),
    ("Plumbing", "log-head", "verify_log", "Print the heads of logs, to keep elsewhere"),
)

GROUPS = (
    "Stores", "Sessions", "Artifacts", "Finding", "Analytics", "State", "Hooks", "Events", "History", "Upkeep",
    "Copies", "Plumbing",
)  # fmt: skip

MODULE_OF = {name: module for _, name, module, _ in TABLE}
ABOUT = {name: about for _, name, _, about in TABLE}
FAMILIES = {
    "session": "Create, list, change, end and delete sessions",
    "template": "List, show, check and make what sessions can be made from",
    "artifact": "Store, read, list and change artifacts",
    "index": "Look at, rebuild and remove what find answers from",
    "state": "Get, set, list and delete keys of a session's state",
    "backup": "Make backups, check them, and restore from them; backup DEST is backup create DEST",
    "bundle": "Write sessions into one file, check it, and take them over from it",
    "trash": "List, take back and delete what was deleted",
    "retention": "Show and do what the rules of retention ask for",
    "hooks": "List, try, enable and disable what is called before and after changes",
}
"""The first words of verbs that have two."""

USUAL = {"backup": "backup create"}
"""What a first word stands for when none of its second words follows: ``backup DEST``."""


def import_verb(name: str) -> Verb:
    """Return the definition of the verb *name*, which is in the table."""
    # importlib costs nothing here: the interpreter has it loaded.
    from importlib import import_module

    found: Verb = import_module(f"sessionfs.cli.{MODULE_OF[name]}").VERBS[name]
    return found
