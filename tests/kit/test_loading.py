"""Modules are loaded without looking for garbage again and again, and what they make is not looked through later."""

import gc
import threading

import pytest

from boathouse.kit.loading import loading


def test_the_collector_is_as_before_when_the_last_of_several_threads_is_done() -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with loading():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with loading():
        thread.start()
        assert inside.wait(10)
        assert gc.get_threshold()[0] > usual[0]
    assert gc.get_threshold()[0] > usual[0]
    leave.set()
    thread.join()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > frozen


def test_what_fails_to_load_leaves_the_collector_as_it_was() -> None:
    usual = gc.get_threshold()
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.get_threshold() == usual
