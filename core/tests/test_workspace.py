"""Memory is used again, never by two arrays at once, and never more than was used at once."""

import gc
import threading

import numpy as np
import pytest
from heliodor import workspace
from heliodor.workspace import LEAST, MEMORY, Kept

MANY = (LEAST // 4, 3)
"""Shape of float32 that is given memory of its own."""


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    made = Kept()
    monkeypatch.setattr(workspace, "KEPT", made)
    return made


def place(array):
    return array.__array_interface__["data"][0]


def test_the_next_array_gets_the_memory_of_the_last():
    first = MEMORY.empty(MANY)
    where = place(first)
    first[...] = 7
    del first
    second = MEMORY.zeros(MANY)
    assert place(second) == where
    assert not second.any()


@pytest.mark.parametrize("make", [MEMORY.empty, MEMORY.zeros])
def test_arrays_are_what_they_should_be(make):
    for shape, dtype in ((MANY, "f4"), ((3, 5), "u1"), ((0, 7), "f8"), ((2, 3, LEAST), "u2")):
        array = make(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.flags.aligned


def test_memory_is_not_given_again_while_any_view_lives():
    array = MEMORY.empty(MANY)
    view = array.reshape(-1)[5:].view(np.uint32)[::2]
    where = place(array)
    del array
    gc.collect()
    other = MEMORY.empty(MANY)
    assert place(other) != where
    view[...] = 1
    other[...] = 2
    assert (view == 1).all()


def test_a_small_array_does_not_take_far_larger_memory():
    large = MEMORY.empty((16 * LEAST,), "u1")
    where = place(large)
    del large
    assert place(MEMORY.empty((LEAST,), "u1")) != where


def test_what_is_kept_never_raises_the_peak(kept):
    def all_of_it():
        return kept._used + kept.kept

    a, b = MEMORY.empty((4 * LEAST,), "u1"), MEMORY.empty((6 * LEAST,), "u1")
    del a, b
    assert all_of_it() == 10 * LEAST
    c = MEMORY.empty((9 * LEAST,), "u1")  # fits neither: both have to go
    assert all_of_it() <= 10 * LEAST
    del c
    kept.release()
    assert all_of_it() == 0


def test_threads_get_memory_apart():
    failures = []

    def work(number):
        for _ in range(50):
            array = MEMORY.empty((LEAST // 4 + number,))
            array[...] = number
            failures.extend([number] * (not (array == number).all()))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
