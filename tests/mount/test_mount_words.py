"""Mount options as mount(8) writes them: pure."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sessionfs.errors import InvalidInput, NotFound
from sessionfs.mount import mountpoint
from sessionfs.mount.mountpoint import MountDenied, check_rights
from sessionfs.mount.options import (
    MountOptions,
    OptionForRoot,
    fuse_options,
    read_options,
    split_words,
)
from sessionfs.mount.shown import Shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", MountOptions()),
        ("ro", MountOptions(read_only=True)),
        ("ro,rw", MountOptions()),
        ("allow_other,uid=7,gid=8,umask=027", MountOptions(allow_other=True, uid=7, gid=8, umask=0o27)),
        ("uid=root,gid=root", MountOptions(uid=0, gid=0)),
        ("umask=0", MountOptions(umask=0)),
        ("session=q4,cache_seconds=0", MountOptions(session="q4", cache_seconds=0)),
        # What mount(8) makes of "user,dev": later words win.
        ("rw,noexec,nosuid,nodev,user,dev", MountOptions(kernel=("noexec", "nosuid", "dev"))),
        ("defaults,nofail,_netdev,noauto,users,user=ada,x-systemd.automount,X-mount.mkdir,comment=x", MountOptions()),
        ("noatime,relatime,,sync", MountOptions(kernel=("noatime", "sync"))),
    ],
)  # fmt: skip
def test_words_are_read(text: str, expected: MountOptions) -> None:
    assert read_options(split_words(text)) == expected


@pytest.mark.parametrize(
    ("word", "kind", "message"),
    [
        ("bogus", InvalidInput, "there is no mount option 'bogus'; there are ro, rw, allow_other"),
        ("allow-other", InvalidInput, "allow_other is close to it"),
        ("ro=1", InvalidInput, "there is no mount option 'ro=1'"),
        ("remount", InvalidInput, "unmount it, then mount it"),
        ("uid=", InvalidInput, "uid needs a user"),
        ("uid=nobody-is-called-so", NotFound, "there is no user 'nobody-is-called-so' here"),
        ("gid=nobody-is-called-so", NotFound, "there is no group"),
        ("uid=4294967295", InvalidInput, "more than any user has"),
        ("umask=8", InvalidInput, "umask takes three octal digits, as in umask=022; '8' was given"),
        ("umask=1777", InvalidInput, "octal"),
        ("cache_seconds=-1", InvalidInput, "a number of seconds"),
        ("session=", InvalidInput, "needs the id or the name of a session"),
    ],
)
def test_what_is_wrong_is_said(word: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        read_options([word])


def test_sloppy_takes_anything() -> None:
    assert read_options(["bogus", "ro"], ignore_unknown=True) == MountOptions(read_only=True)


def test_what_the_kernel_does_not_show_is_listed() -> None:
    assert MountOptions(uid=1, umask=0o22, cache_seconds=5, kernel=("noexec",)).words() == [
        "uid=1", "cache_seconds=5", "umask=022",
    ]  # fmt: skip
    assert MountOptions().words() == []


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "sessions").mkdir(mode=0o755)
    return tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="about what root may")
def test_set_id_bits_and_devices_are_for_a_store_that_only_root_writes(store: Path) -> None:
    store.chmod(0o755)
    assert {"suid", "dev"} <= fuse_options(MountOptions(), str(store))
    assert {"suid", "nodev"} <= fuse_options(read_options(["nodev"]), str(store))
    (store / "sessions").chmod(0o777)
    assert {"nosuid", "nodev"} <= fuse_options(MountOptions(), str(store))
    assert {"suid", "nodev"} <= fuse_options(read_options(["suid"]), str(store))
    (store / "sessions").chmod(0o755)
    os.chown(store, 1, 0)
    assert {"nosuid", "nodev"} <= fuse_options(MountOptions(), str(store))


def test_a_normal_user_cannot_have_them(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not {"suid", "dev", "nosuid", "nodev"} & fuse_options(MountOptions(), str(store))
    with pytest.raises(OptionForRoot, match="only root may mount with 'suid'"):
        fuse_options(read_options(["suid"]), str(store))


def test_the_name_of_a_store_is_one_option(store: Path) -> None:
    assert "fsname=/a\\,b\\\\c" in _named(store, "a,b\\c")


def _named(store: Path, name: str) -> set[str]:
    path = store / name
    (path / "sessions").mkdir(parents=True)
    return {word.replace(str(store), "") for word in fuse_options(MountOptions(), str(path))}


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("user_allow_other\n", True), ("#user_allow_other\n", False), (" user_allow_other # yes\n", True), ("", False)],
)
def test_others_are_let_in_where_root_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, allowed: bool
) -> None:
    config = tmp_path / "fuse.conf"
    config.write_text(text)
    monkeypatch.setattr(mountpoint, "FUSE_CONFIG", str(config))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    options = MountOptions(allow_other=True)
    if allowed:
        check_rights(options)
        return
    with pytest.raises(MountDenied, match="has no line user_allow_other; leave it out, or ask root"):
        check_rights(options)


@pytest.mark.parametrize(
    ("recorded", "umask", "seen"),
    [
        (stat.S_IFREG | 0o600, 0o022, stat.S_IFREG | 0o644),
        (stat.S_IFREG | 0o755, 0o027, stat.S_IFREG | 0o750),
        (stat.S_IFREG | 0o444, 0o002, stat.S_IFREG | 0o444),
        (stat.S_IFREG | 0o6755, 0o022, stat.S_IFREG | 0o755),
        (stat.S_IFDIR | 0o3700, 0o022, stat.S_IFDIR | 0o3755),
        (stat.S_IFLNK | 0o777, 0o077, stat.S_IFLNK | 0o777),
        (stat.S_IFREG | 0o4755, None, stat.S_IFREG | 0o4755),
    ],
)
def test_permissions_as_they_are_shown(recorded: int, umask: int | None, seen: int) -> None:
    assert Shown(umask=umask).mode(recorded) == seen


def test_nothing_gets_the_rights_of_an_owner_that_is_only_shown() -> None:
    assert Shown(uid=0).mode(stat.S_IFREG | 0o4755) == stat.S_IFREG | 0o755
    assert Shown(gid=0).mode(stat.S_IFREG | 0o2755) == stat.S_IFREG | 0o755
