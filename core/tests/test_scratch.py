"""Arrays in files: the same values as in memory, and nothing left behind."""

from __future__ import annotations

import errno
import gc
import os
import sys

import numpy as np
import pytest
from heliodor import scratch as module
from heliodor.errors import OutputError
from heliodor.scratch import Scratch, resident
from heliodor.workspace import KEPT, LEAST, MEMORY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mapped files of POSIX")


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Scratch that takes even small arrays."""
    monkeypatch.setattr(module, "SMALL", 1)
    with Scratch(tmp_path, limit=10 << 30, threads=2) as scratch:
        yield scratch


@pytest.fixture
def images(scratch):
    """Numbered samples, with rows that are not whole pages."""
    array = scratch.empty((3, 4, 37, 11))
    array[:] = np.arange(array.size).reshape(array.shape)
    return array


def test_memory_of_earlier_exposures_is_returned(tmp_path):
    large = MEMORY.empty((LEAST,))
    del large
    with Scratch(tmp_path, limit=1 << 30):
        assert KEPT.kept == 0


def test_arrays_are_as_any_other(scratch):
    zeros = scratch.zeros((2, 3, 5), np.uint8)
    assert zeros.dtype == np.uint8
    assert not zeros.any()
    assert zeros.flags.c_contiguous
    assert zeros.flags.writeable
    assert scratch.empty((4, 5)).dtype == np.float32


def test_small_arrays_stay_in_memory(tmp_path):
    with Scratch(tmp_path, limit=1 << 30) as scratch:
        assert scratch.zeros((10, 10)).flags.owndata
        assert not scratch.zeros((1 << 21,)).flags.owndata


def test_pages_that_are_handed_back_keep_their_values(scratch, images):
    before = images.copy()
    scratch.keep(below=0)
    np.testing.assert_array_equal(images, before)


def test_large_arrays_take_no_memory_once_handed_back(tmp_path):
    with Scratch(tmp_path, limit=10 << 30) as scratch:
        array = scratch.empty((1 << 25,))
        array[:] = 1
        full = resident()
        if full is None:
            pytest.skip("the system does not tell the size of a process")
        scratch.keep(below=0)
        assert full - resident() > 100 << 20


@pytest.mark.parametrize("height", [1, 5, 37])
def test_rows_are_what_the_array_holds(scratch, images, height):
    before = images.copy()
    with scratch.by_rows((37, 11)) as rows:
        for start in range(0, 37, height):
            stop = min(start + height, 37)
            with rows.held(start, stop):
                part = images[:, :, start:stop]
                np.testing.assert_array_equal(part, before[:, :, start:stop])
                part += 1
    np.testing.assert_array_equal(images, before + 1)


def test_other_rows_take_no_memory_meanwhile(scratch, images):
    with scratch.by_rows((37, 11)) as rows, rows.held(4, 8):
        assert not images[:, :, 20:].any()


def test_rows_that_do_not_change_are_not_written(scratch, images):
    before = images.copy()
    with scratch.by_rows((37, 11), unchanged=[images[0]]) as rows, rows.held(0, 37):
        images[:] = -1
    np.testing.assert_array_equal(images, before)


def test_images_of_another_size_stay_as_they_are(scratch, images):
    with scratch.by_rows((5, 5)) as rows, rows.held(0, 5):
        assert images[2, 3, 36, 10] == images.size - 1


def test_an_array_may_get_another_shape(scratch, images):
    """As when a step drops rows: the images move to the beginning of the file."""
    kept = images.reshape(-1)[: 3 * 4 * 20 * 11].reshape(3, 4, 20, 11)
    kept[:] = images[:, :, :20].copy()
    expected = kept.copy()
    scratch.reshaped(kept)
    with scratch.by_rows((20, 11)) as rows:
        for row in range(20):
            with rows.held(row, row + 1):
                np.testing.assert_array_equal(kept[:, :, row], expected[:, :, row])
                kept[:, :, row] *= 2
    np.testing.assert_array_equal(kept, 2 * expected)


def test_memory_bounds_the_rows(scratch, images):
    with scratch.by_rows((37, 11)) as rows:
        assert rows.height(room=1 << 30) == 37
        assert rows.height(room=0) == 1


def test_nothing_has_a_name(scratch, images, tmp_path):
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
def test_files_are_gone_with_the_last_user(scratch):
    def number():
        links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        return sum(os.path.islink(link) and "deleted" in os.readlink(link) for link in links)

    before = number()
    array = scratch.empty((100, 100))
    view = array[3:5]
    assert number() > before
    del array
    gc.collect()
    assert number() > before
    del view
    gc.collect()
    assert number() == before


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "no room for 0 MB"), (errno.EACCES, "cannot be made")]
)
def test_what_cannot_be_made_is_said_at_once(scratch, monkeypatch, number, said):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    with pytest.raises(OutputError, match=said) as error:
        scratch.empty((100, 100))
    assert "--scratch" in str(error.value)
    assert "--max-memory" in str(error.value)


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SMALL", 1)
    scratch = Scratch(tmp_path / "missing", limit=1 << 30)
    with pytest.raises(OutputError, match="scratch files cannot be made"):
        scratch.empty((10, 10))
