"""sync, and what the command line says after a power cut."""

from __future__ import annotations

import os

import pytest

from sessionfs.durable import OsDisk
from sessionfs.oid import hash_bytes
from sessionfs.store.store import Store


def test_sync_notes_that_everything_is_on_stable_storage(q4):
    before = Store(str(q4.store)).synced.read().since_ns
    q4.ok("state", "set", "@", "step", "3")
    assert q4.ok("sync").raw == b""
    assert Store(str(q4.store)).synced.read().since_ns > before
    assert q4.ok("sync", "--json").json == {"path": str(q4.store)}


@pytest.mark.parametrize("verb", [("artifact", "list", "@"), ("hash-object", "-w", "--stdin")])
def test_the_first_verb_after_a_power_cut_says_what_was_lost(q4, monkeypatch, verb):
    q4.write("f", "content")
    q4.ok("artifact", "put", "@", "f")
    oid = hash_bytes(b"content")
    os.unlink(q4.store / "objects" / oid[:2] / oid[2:])
    monkeypatch.setattr(OsDisk, "boot_id", lambda disk: "another-boot")
    result = q4(*verb, stdin=b"content")
    assert result.code == 0
    assert result.err.startswith("sessionfs: after a power cut, these were set aside in ")
    assert result.err.endswith(": 1 records of session q4 from record 1 on\n")
    assert q4.ok("artifact", "list", "@").raw == b""
    assert q4.ok("fsck").raw == b""
