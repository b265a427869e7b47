"""The garbage collector waits while a fold is built, and goes on afterwards as it was."""

from __future__ import annotations

import gc
import threading

import pytest

from sessionfs.store.uncollected import uncollected


def test_it_waits_until_the_last_one_is_out():
    assert gc.isenabled()
    with uncollected:
        with uncollected:
            assert not gc.isenabled()
        assert not gc.isenabled()
        inside, outside = threading.Event(), threading.Event()

        def build():
            with uncollected:
                inside.set()
                outside.wait()

        other = threading.Thread(target=build)
        other.start()
        inside.wait()
    assert not gc.isenabled(), "another thread still builds"
    outside.set()
    other.join()
    assert gc.isenabled()


def test_a_failure_lets_it_go_on():
    with pytest.raises(KeyError), uncollected:
        raise KeyError
    assert gc.isenabled()


def test_a_program_that_has_switched_it_off_is_left_alone():
    gc.disable()
    try:
        with uncollected:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
