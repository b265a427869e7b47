import pytest

from sessionfs.errors import Corrupt, NotFound, Unsupported
from sessionfs.store.layout import Layout, NoStore, check_format, find_store


def make_store(path, format="sessionfs 1\n"):
    (path / "sessions").mkdir(parents=True)
    (path / "format").write_text(format)
    return path


def test_every_path_lies_in_the_store():
    layout = Layout("/s")
    paths = [layout.session("x"), layout.log("x"), layout.refs("x"), layout.mark("x"), *layout.directories()]
    assert all(path.startswith("/s/") for path in paths)
    assert len(layout.directories()) == 7 + 256


def test_the_format_is_checked(tmp_path):
    check_format(str(make_store(tmp_path / "s")))
    with pytest.raises(NotFound, match="sessionfs init"):
        check_format(str(tmp_path))
    with pytest.raises(Unsupported, match=r"format 2.*newer sessionfs"):
        check_format(str(make_store(tmp_path / "newer", "sessionfs 2\n")))
    for number, text in enumerate(("", "sessionfs\n", "sessionfs 0\n", "\0" * 12, "git 1\n", "sessionfs 1")):
        with pytest.raises(Corrupt, match="restore it"):
            check_format(str(make_store(tmp_path / str(number), text)))


def test_a_store_is_named_or_found_upward_or_the_users(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    env = {"HOME": str(tmp_path / "home")}
    with pytest.raises(NoStore, match="sessionfs init"):
        find_store(env, str(deep))
    users = tmp_path / "home/.local/share/sessionfs"
    assert find_store(env, str(deep), for_creation=True) == str(users)
    make_store(users)
    assert find_store(env, str(deep)) == str(users)
    near = make_store(tmp_path / "a" / ".sessionfs")
    assert find_store(env, str(deep)) == str(near)
    assert find_store({**env, "SESSIONFS_STORE": "/elsewhere"}, str(deep)) == "/elsewhere"
    assert find_store({"XDG_DATA_HOME": str(tmp_path / "x")}, "/", for_creation=True) == str(tmp_path / "x/sessionfs")
