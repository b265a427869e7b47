"""What is done in the browser, as command lines: each is a verb's, is shown, and is run as it is shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sessionfs.artifacts import from_text
from sessionfs.sessions import SessionInfo, Status
from sessionfs.shown import unmistakable

Filled = Mapping[str, str]

_ESCAPED = re.compile(rb"[\x00-\x1f'\\\x7f-\xff]")


@dataclass(frozen=True)
class Field:
    """One thing that is asked before a command can be run."""

    name: str
    label: str
    initial: str = ""
    hint: str = ""
    is_needed: bool = False


@dataclass(frozen=True)
class Action:
    """Something that can be done, by the verb that does it."""

    title: str
    make: Callable[[Filled], list[str]]  # the words of the command, of what was filled in
    fields: tuple[Field, ...] = ()
    warning: str = ""  # what is lost by it: it asks first


def shell_text(words: Sequence[str]) -> str:
    r"""Return *words* as somebody can type them in bash or zsh; one line that can be shown, whatever is in them."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable() and unmistakable(word) == word:
        return shlex.quote(word)
    return (
        "$'"
        + _ESCAPED.sub(lambda found: b"\\x%02x" % found[0][0], word.encode("utf-8", "surrogateescape")).decode()
        + "'"
    )


def moment(session_id: str, when: str | int) -> str:
    """Return a moment of a session as verbs take it."""
    return f"{session_id}@{{{when}}}"


def command(verb: str, *positionals: str, options: Sequence[str] = ()) -> list[str]:
    """Return the words of one command line."""
    has_dash = any(word.startswith("-") for word in positionals)
    return [*verb.split(), *options, *(["--"] if has_dash else []), *positionals]


def _options(filled: Filled, **names: str) -> list[str]:
    """Return an option with its value for each field that was filled in; for a name with ``*``, one for each part."""
    words: list[str] = []
    for name, option in names.items():
        text = filled[name].strip()
        several = option.endswith("*")
        values = [part.strip() for part in text.split(",")] if several else [text]
        for value in filter(None, values):
            words += [option.rstrip("*"), value]
    return words


_TAGS_HINT = "one, or several with commas"


# Sessions


def create_session() -> Action:
    """A new session."""
    return Action(
        "New session",
        lambda filled: command(
            "session create", options=_options(filled, id="--id", name="--name", tags="--tag*", parent="--parent")
        ),
        (
            Field("name", "Name", hint="for people"),
            Field("id", "Id", hint="made when it is left empty"),
            Field("tags", "Tags", hint=_TAGS_HINT),
            Field("parent", "Parent", hint="the session it comes from"),
        ),
    )


def tag_session(info: SessionInfo) -> Action:
    """Name, description and tags of a session."""
    return Action(
        f"Change session {info.id}",
        lambda filled: command(
            "session update",
            info.id,
            options=_options(filled, name="--name", description="--description", add="--tag*", remove="--untag*"),
        ),
        (
            Field("add", "Add tags", hint=_TAGS_HINT),
            Field("remove", "Take away tags", hint=", ".join(info.tags)),
            Field("name", "New name", hint=info.name or ""),
            Field("description", "Description", hint=info.description or ""),
        ),
    )


def delete_session(info: SessionInfo) -> Action:
    """Into the trash."""
    return Action(
        f"Delete session {info.id}",
        lambda _: command("session delete", info.id),
        warning=f"It goes to the trash, with its {info.artifact_count:,} artifacts, and can be taken back (T).",
    )


def end_well(info: SessionInfo) -> Action:
    """Complete a session."""
    return Action(
        f"Complete session {info.id}",
        lambda _: command("session complete", info.id),
        warning="It cannot be changed any more afterwards.",
    )


def end_badly(info: SessionInfo) -> Action:
    """Fail a session."""
    return Action(
        f"Fail session {info.id}",
        lambda filled: command("session fail", info.id, options=["--reason", filled["reason"]]),
        (Field("reason", "Reason", hint="why it failed", is_needed=True),),
        warning="It cannot be changed any more afterwards.",
    )


def step(info: SessionInfo) -> Action:
    """The step that can be taken back, or the last one: suspend, resume, archive."""
    verb = {Status.ACTIVE: "suspend", Status.SUSPENDED: "resume"}.get(info.status, "archive")
    warning = "It stays where it is, and nothing leads back to another status." if verb == "archive" else ""
    return Action(
        f"{verb.capitalize()} session {info.id}", lambda _: command(f"session {verb}", info.id), warning=warning
    )


# Going back


def checkpoint(session_id: str, seq: int | None = None) -> Action:
    """A name for a moment."""
    named = session_id if seq is None else moment(session_id, seq)
    return Action(
        f"Checkpoint of {named}",
        lambda filled: command("checkpoint", named, filled["name"], options=_options(filled, message="--message")),
        (
            Field("name", "Name", hint="before-merge", is_needed=True),
            Field("message", "Message", hint="what it is, or why"),
        ),
    )


def fork(session_id: str, seq: int | None = None) -> Action:
    """A new session that begins with what this one has, or had."""
    named = session_id if seq is None else moment(session_id, seq)
    return Action(
        f"Fork {named}",
        lambda filled: command("fork", named, options=_options(filled, id="--id", name="--name")),
        (Field("id", "Id", hint="made when it is left empty"), Field("name", "Name", hint="for people")),
    )


def restore(session_id: str, when: str = "", path: str | None = None) -> Action:
    """A moment, or one artifact of it, brought back."""
    what = "Artifacts and state become" if path is None else "The artifact becomes"
    return Action(
        f"Restore {session_id}" if path is None else f"Restore an artifact of {session_id}",
        lambda filled: command("restore", session_id, filled["when"], *([] if path is None else [path])),
        (Field("when", "Moment", when, "5, 10 minutes ago, a checkpoint's name", is_needed=True),),
        warning=f"{what} what was then; what is now stays in the history (u undoes it).",
    )


def undo(session_id: str) -> Action:
    """The last operations taken back."""
    return Action(
        f"Undo in {session_id}",
        lambda filled: command("undo", filled["count"].strip() or "1", options=["--session", session_id]),
        (Field("count", "How many operations", "1"),),
    )


def redo(session_id: str) -> Action:
    """What was undone brought back."""
    return Action(
        f"Redo in {session_id}",
        lambda filled: command("redo", filled["count"].strip() or "1", options=["--session", session_id]),
        (Field("count", "How many undoings", "1"),),
    )


def take_back(name: str) -> Action:
    """Out of the trash."""
    return Action(f"Take {name} out of the trash", lambda _: command("trash restore", name))


def empty_trash() -> Action:
    """The trash emptied, for good."""
    return Action(
        "Empty the trash",
        lambda filled: command("trash empty", options=_options(filled, older="--older-than")),
        (Field("older", "Older than", hint="1d; everything when it is left empty"),),
        warning="What is deleted here is gone for good.",
    )


# Artifacts and state


def put(session_id: str) -> Action:
    """Files or directories of the user's."""
    return Action(
        f"Put into {session_id}",
        lambda filled: command(
            "artifact put",
            session_id,
            filled["source"],
            options=_options(filled, target="--as", type="--type", tags="--tag*"),
        ),
        (
            Field("source", "File or directory", hint="of yours: report.txt, ~/charts", is_needed=True),
            Field("target", "As", hint="its own name when it is left empty; data/ for a directory"),
            Field("type", "Type", hint="tool_result"),
            Field("tags", "Tags", hint=_TAGS_HINT),
        ),
    )


def get(named: str, path: str) -> Action:
    """An artifact, or of a moment one, copied out."""
    return Action(
        "Copy out",
        lambda filled: command("artifact get", named, path, *filter(None, [filled["target"].strip()])),
        (Field("target", "To", hint="a file or directory of yours; its own name here when it is left empty"),),
    )


def tag(session_id: str, path: str, tags: Sequence[str]) -> Action:
    """Tags of an artifact."""
    return Action(
        "Tag an artifact",
        lambda filled: command(
            "artifact tag", session_id, path, options=_options(filled, add="--add*", remove="--remove*")
        ),
        (Field("add", "Add", hint=_TAGS_HINT), Field("remove", "Take away", hint=", ".join(tags))),
    )


def move(session_id: str, path: str) -> Action:
    """Another path for an artifact."""
    return Action(
        "Move an artifact",
        lambda filled: command("artifact mv", session_id, path, from_text(filled["target"])),
        (
            Field(
                "target",
                "To",
                path if path.isprintable() and "\\" not in path else "",
                "reports/final.txt",
                is_needed=True,
            ),
        ),
    )


def remove(session_id: str, path: str) -> Action:
    """An artifact removed."""
    return Action(
        "Remove an artifact",
        lambda _: command("artifact rm", session_id, path),
        warning="Its versions stay in the session's history (u undoes it).",
    )


def set_state(session_id: str, key: str = "", value: str = "") -> Action:
    """A value of the state."""
    return Action(
        "Set a value",
        lambda filled: command("state set", session_id, filled["key"], filled["value"]),
        (
            Field("key", "Key", key, is_needed=True),
            Field("value", "Value", value, 'JSON: 3, "text", {"a": 1}', is_needed=True),
        ),
    )


def remove_state(session_id: str, key: str) -> Action:
    """A key removed."""
    return Action(
        "Delete a key",
        lambda _: command("state rm", session_id, key),
        warning="Its values stay in the session's history (u undoes it).",
    )
