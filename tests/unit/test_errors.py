import errno
import importlib
import pkgutil

import pytest

import sessionfs
from sessionfs import errors

KINDS = (errors.InvalidInput, errors.NotFound, errors.Denied, errors.Conflict, errors.Corrupt, errors.Unsupported)
FLOORS = ("artifacts", "durable", "log", "objects", "refs", "sessions", "state", "store")


def leaves():
    for module in pkgutil.walk_packages(sessionfs.__path__, "sessionfs."):
        if module.name.split(".")[1] in FLOORS:
            importlib.import_module(module.name)
    pending = [errors.Error]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind is not errors.Error:
            yield kind


def test_every_error_is_of_exactly_one_kind():
    for leaf in leaves():
        assert sum(issubclass(leaf, kind) for kind in KINDS) == 1, leaf


def test_every_error_has_an_errno_and_shows_its_message():
    for leaf in leaves():
        assert leaf.errno in errno.errorcode, leaf
    assert str(errors.NotFound("what to do")) == "what to do"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.NoSpace),
        (errno.EDQUOT, errors.NoSpace),
        (errno.EROFS, errors.ReadOnlyStore),
        (errno.EACCES, errors.ReadOnlyStore),
        (errno.EIO, errors.DiskFault),
        (errno.EMFILE, errors.DiskFault),
    ],
)
def test_what_the_system_says_becomes_a_kind(number, kind):
    found = errors.from_os_error(OSError(number, "the system's words"), "do it")
    assert type(found) is kind
    assert "could not do it: the system's words" in str(found)
