"""Where the large arrays of a run live: in memory, or on scratch.

Memory is used again: what one array had serves the next one of about its size, also in the next
exposure of the same process.  Memory that is new to a process has to be found and cleared by the
system, which for the ramp and its products costs more than most steps do; on virtual machines,
much more.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import threading
import weakref
from types import TracebackType
from typing import Any, Self

import numpy as np

LEAST = 4 << 20
"""Arrays from this size on [bytes] are given memory of their own, which is kept."""

ROUNDED = 2 << 20
"""Sizes are rounded up to this [bytes], a huge page."""

LARGER = 8
"""An array may get kept memory of up to so many times its size."""


class Workspace:
    """Gives arrays in memory."""

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array whose values are to be set."""
        return _array(shape, np.dtype(dtype))[0]

    def zeros(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array of zeros."""
        array, cleared = _array(shape, np.dtype(dtype))
        if not cleared:
            array.fill(0)
        return array

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held beyond the arrays."""


MEMORY = Workspace()


class Kept:
    """Memory of arrays that are gone, for those to come.

    All memory together, used and kept, is never more than what was used at once before: keeping
    it does not raise the peak of a process.  The system may take back what is kept when it runs
    short, without a word; the next array then finds zeros there.
    """

    def __init__(self) -> None:
        # an array may be collected, and its memory come back, while memory is being handed out
        self._lock = threading.RLock()
        self._free: list[mmap.mmap] = []
        self._used = 0
        self._most = 0

    @property
    def kept(self) -> int:
        """Memory that no array uses [bytes]."""
        return sum(map(len, self._free))

    def take(self, size: int) -> tuple[mmap.mmap, bool]:
        """Give at least `size` bytes, and whether they are known to be zero."""
        with self._lock:
            fitting = [one for one in self._free if size <= len(one) <= LARGER * size]
            if fitting:
                memory = min(fitting, key=len)
                self._free.remove(memory)
            else:
                self._make_room(size)
                memory = _new(size)
            self._used += len(memory)
            self._most = max(self._most, self._used)
            return memory, not fitting

    def give_back(self, memory: mmap.mmap) -> None:
        """Keep memory that no array uses any more."""
        if hasattr(mmap, "MADV_FREE"):
            memory.madvise(mmap.MADV_FREE)
        with self._lock:
            self._used -= len(memory)
            self._free.append(memory)

    def release(self) -> None:
        """Return everything that is kept to the system."""
        with self._lock:
            self._free.clear()

    def _make_room(self, size: int) -> None:
        while self._free and self._used + size + self.kept > self._most:
            self._free.pop(0)


KEPT = Kept()


def _new(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _array(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, bool]:
    """Give an array, and whether it is known to be zero."""
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if size < LEAST:
        return np.zeros(shape, dtype), True
    memory, cleared = KEPT.take(-(-size // ROUNDED) * ROUNDED)
    # NumPy holds on to this object as long as any view of the array lives
    held: Any = (ctypes.c_ubyte * size).from_buffer(memory)
    weakref.finalize(held, KEPT.give_back, memory).atexit = False
    return np.frombuffer(held, np.uint8).view(dtype).reshape(shape), cleared
