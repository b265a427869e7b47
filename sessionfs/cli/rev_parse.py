"""``rev-parse``: from a name to an object's id."""

from __future__ import annotations

import os

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call, is_moment
from sessionfs.cli.plumbing import AmbiguousOid, Plumbing, only
from sessionfs.cli.spec import Positional, Verb
from sessionfs.errors import Corrupt, NotFound
from sessionfs.oid import ObjectId

NAME = (
    "An object's id or a unique prefix of it, SESSION:REF or SESSION@{CHECKPOINT}, or a SESSION, which stands for its "
    "newest snapshot"
)


class DamagedRecord(Corrupt):
    """The record that should name a session's newest snapshot is no JSON."""


def _rev_parse(call: Call, arguments: Arguments) -> None:
    with Plumbing(call) as store:
        oids = [resolve(store, name) for name in arguments.texts("NAME")]
    if call.out.as_json:
        call.out.document(oids)
    else:
        for oid in oids:
            call.out.line(oid)


def resolve(store: Plumbing, text: str) -> ObjectId:
    """Return the object that *text* names: an id or its prefix, ``SESSION:REF``, or a session.

    Raises:
        NotFound: Nothing is named so, or the session has no snapshot yet.
        AmbiguousOid: Several objects, or an object and a session, could be meant.
    """
    if is_moment(text):
        return _moment(store, text)
    if ":" in text:
        return _ref(store, text)
    oids = store.find_oids(text)
    if not oids:
        return newest_snapshot(store, text)
    if text not in oids and any(session_id.startswith(text) for session_id in store.session_ids()):
        raise AmbiguousOid(f"{text!r} could be object {oids[0]} or a session; write more of it")
    return only(oids, text)


def newest_snapshot(store: Plumbing, session: str) -> ObjectId:
    """Return the newest snapshot of the session that *session* names."""
    import json

    from sessionfs.log.lines import line_at, newest_base

    session_id = store.resolve_session(session)
    fd = store.disk.open(store.layout.log(session_id), os.O_RDONLY | os.O_CLOEXEC)
    try:
        line = line_at(store.disk, fd, newest_base(store.disk, fd))
    finally:
        store.disk.close(fd)
    try:
        data = json.loads(line or b"{}").get("data")
    except ValueError as failure:
        raise DamagedRecord(
            f"the newest snapshot of session {session_id} cannot be told: {failure}; see: sessionfs fsck"
        ) from failure
    if not isinstance(data, dict) or "snapshot" not in data:
        raise NotFound(f"session {session_id} has no snapshot yet; write one with: sessionfs session save {session_id}")
    return ObjectId(data["snapshot"])


def _moment(store: Plumbing, text: str) -> ObjectId:
    """Return the snapshot that a checkpoint names; no other moment needs to have one."""
    from sessionfs.travel.moment import split_moment

    session, name = split_moment(text)
    with store.call.open_store() as opened:
        checkpoints = store.call.session(opened, session).checkpoints
        if name is None or name not in checkpoints:
            raise NotFound(
                f"{text!r} is no checkpoint, and only these are sure to have a snapshot; "
                f"make it one with: sessionfs checkpoint '{text}' NAME"
            )
        return checkpoints[name].oid


def _ref(store: Plumbing, text: str) -> ObjectId:
    from sessionfs import refs

    session, _, name = text.rpartition(":")
    session_id = store.resolve_session(session)
    value = refs.read(store.disk, f"{store.layout.refs(session_id)}/{refs.check_name(name)}")
    if value is None:
        raise NotFound(f"session {session_id} has no ref {name!r}; see: sessionfs show-ref {session_id}")
    return ObjectId(value)


VERBS = {
    "rev-parse": Verb(
        _rev_parse,
        about="Prints one id per NAME.",
        positionals=(Positional("NAME", NAME, count="+", complete="session"),),
        examples=(
            ("rev-parse 5f3c", "the whole id"),
            ("rev-parse q4:before-merge", "the snapshot that the ref names"),
            ("rev-parse @", "the newest snapshot of the current session"),
        ),
        exits={
            2: "The request is malformed, or a NAME could be several things.",
            3: "Nothing is named so, or the session has no snapshot yet.",
        },
    )
}
