"""Arrays in files: a ramp that is larger than the memory it may take.

An array on scratch is a file mapped into memory; kernels work on it as on any other.  What keeps
the process small is that pages are handed back to the system: they stay in the file.  That is
cheap where data is gone through from one end to the other.  Rows of all integrations, though, lie
far apart in a file, and the system maps files in large pages.  For a pass by rows the array's range
of addresses becomes ordinary memory for a while, into which some rows at a time are read.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from heliodor.errors import OutputError
from heliodor.memory import RESERVE, whole_pages
from heliodor.workspace import KEPT, Workspace

SMALL = 4 << 20
"""Arrays of fewer bytes stay in memory [bytes]."""

PERIOD = 0.005
"""How often the size of the process is looked at [s]."""

# the same on Linux and macOS; Python does not name them (NORESERVE: from 3.14 on)
MAP_FIXED = 0x10
MAP_NORESERVE = 0x40 if sys.platform == "darwin" else 0x4000


class Scratch(Workspace):
    """Gives arrays in files without a name, which are gone with the last user of the array.

    Parameters
    ----------
    folder : on the disk that has room for them
    limit : of the size of this process [bytes]
    threads : that read and write at once

    Raises
    ------
    heliodor.errors.OutputError
        From `empty` and `zeros`: the disk has no room.
    """

    def __init__(self, folder: Path, limit: int, threads: int = 1):
        self.folder = folder
        self.limit = limit
        self.threads = threads
        self._files: weakref.WeakSet[_File] = weakref.WeakSet()
        self._attached = threading.Lock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="scratch", daemon=True)

    def __enter__(self) -> Self:
        KEPT.release()
        self._keeper.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._keeper.join()

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array whose values are to be set; on scratch if it is large."""
        return self._give(np.empty, shape, np.dtype(dtype))

    def zeros(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array of zeros; on scratch if it is large."""
        return self._give(np.zeros, shape, np.dtype(dtype))

    def keep(self, below: int) -> None:
        """Hand pages back if the process is larger than it should be [bytes]."""
        size = resident()
        if size is None or size > below:
            with self._attached:
                for file in list(self._files):
                    file.trim()

    @contextmanager
    def by_rows(
        self, shape: tuple[int, int], unchanged: Collection[np.ndarray] = ()
    ) -> Iterator[Rows]:
        """Turn all arrays of images on scratch into memory that holds some rows at a time.

        Parameters
        ----------
        shape : (ny, nx) of the images; arrays of others stay as they are
        unchanged : arrays that need not be written back
        """
        with self._attached:  # the keeper waits: these pages are in no file
            kept = [_file_of(array) for array in unchanged]
            files = [file for file in list(self._files) if file.image == shape]
            for file in files:
                file.detach()
            try:
                yield Rows(files, [file for file in files if file not in kept], self.threads)
            finally:
                for file in files:
                    file.attach()

    def reshaped(self, array: np.ndarray) -> None:
        """Note that an array has another shape than when it was made."""
        file = _file_of(array)
        if file is not None:
            file.arrange(array.shape, array.dtype)

    def _give(
        self, small: Callable[..., np.ndarray], shape: tuple[int, ...], dtype: np.dtype
    ) -> np.ndarray:
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if size < SMALL:
            return small(shape, dtype)
        file = _File(self.folder, size)
        file.arrange(shape, dtype)
        self._files.add(file)
        return np.frombuffer(file, dtype).reshape(shape)

    def _keep(self) -> None:
        while not self._stop.wait(PERIOD):
            self.keep(self.limit - RESERVE)


class Rows:
    """Arrays of images, of which some rows at a time are in memory.

    Parameters
    ----------
    files : of the arrays
    changing : those that are written back
    threads : that read and write at once
    """

    def __init__(self, files: Sequence[_File], changing: Sequence[_File], threads: int):
        self._files = files
        self._changing = changing
        self._threads = threads

    def height(self, room: int) -> int:
        """Give the number of rows that there is room for, at least one."""
        ny = max((file.image[0] for file in self._files), default=1)
        fitting = (n for n in range(ny, 1, -1) if self._size(n) <= room)
        return next(fitting, 1)

    def _size(self, nrows: int) -> int:
        return sum(file.nimages * whole_pages(nrows * file.row) for file in self._files)

    @contextmanager
    def held(self, start: int, stop: int) -> Iterator[None]:
        """Hold rows ``start <= y < stop``; then they go back into their files."""
        self._each(self._files, lambda file, images: file.load(images, start, stop))
        yield
        self._each(self._changing, lambda file, images: file.store(images, start, stop))
        for file in self._files:
            file.trim()

    def _each(self, files: Sequence[_File], move: Callable[[_File, range], None]) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            moves = [
                pool.submit(move, file, images)
                for file in files
                for images in file.shares(self._threads)
            ]
            for each in moves:
                each.result()


class _File(mmap.mmap):
    """A file without a name, and the range of addresses at which its array is seen.

    Attributes
    ----------
    image : (ny, nx) of each image in it
    nimages : how many these are
    row : bytes in a row
    """

    image: tuple[int, ...]
    nimages: int
    row: int
    _file: IO[bytes]
    _size: int
    _address: int
    _blank: bool

    def __new__(cls, folder: Path, size: int) -> _File:
        try:
            file = tempfile.TemporaryFile(prefix=".heliodor-", dir=folder)  # noqa: SIM115
            if hasattr(os, "posix_fallocate"):
                # a full disk is found here, not as a signal in the middle of a kernel
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            self = super().__new__(cls, file.fileno(), size)
        except OSError as error:
            raise _unusable(folder, size, error) from error
        self._file = file
        self._size = size
        self._address = np.frombuffer(self, np.uint8).ctypes.data
        return self

    def arrange(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.image = shape[-2:]
        self.row = shape[-1] * dtype.itemsize
        self.nimages = int(np.prod(shape[:-2], dtype=np.int64))

    def shares(self, parts: int) -> list[range]:
        """Divide the images."""
        cuts = [self.nimages * part // parts for part in range(parts + 1)]
        return [range(*ends) for ends in itertools.pairwise(cuts)]

    def trim(self) -> None:
        """Hand all pages back to the system."""
        self.madvise(mmap.MADV_DONTNEED)

    def detach(self) -> None:
        """Be ordinary memory, which takes room only where it is touched."""
        # rows that nobody has set yet need not be read
        try:
            os.lseek(self._file.fileno(), 0, os.SEEK_DATA)
            self._blank = False
        except OSError:
            self._blank = True
        self._map(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, -1)
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            self.madvise(mmap.MADV_NOHUGEPAGE)

    def attach(self) -> None:
        """Be the file again."""
        self._map(mmap.MAP_SHARED, self._file.fileno())

    def _map(self, flags: int, descriptor: int) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        # in one call at the same addresses: every array that looks here goes on to do so
        got = _libc_mmap(self._address, self._size, protection, flags | MAP_FIXED, descriptor, 0)
        if got != self._address:
            raise OSError(ctypes.get_errno(), "memory for scratch cannot be mapped")

    def load(self, images: range, start: int, stop: int) -> None:
        """Read rows of some images."""
        if self._blank:
            return
        memory = memoryview(self)
        for begin, end in self._places(images, start, stop):
            os.preadv(self._file.fileno(), [memory[begin:end]], begin)

    def store(self, images: range, start: int, stop: int) -> None:
        """Write rows of some images."""
        memory = memoryview(self)
        for begin, end in self._places(images, start, stop):
            os.pwrite(self._file.fileno(), memory[begin:end], begin)

    def _places(self, images: range, start: int, stop: int) -> Iterator[tuple[int, int]]:
        ny = self.image[0]
        for image in images:
            yield (image * ny + start) * self.row, (image * ny + stop) * self.row


_libc_mmap = ctypes.CDLL(None, use_errno=True).mmap
_libc_mmap.restype = ctypes.c_void_p
_libc_mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
]


def _file_of(array: np.ndarray) -> _File | None:
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    # NumPy keeps a buffer behind a view of it
    owner = owner.obj if isinstance(owner, memoryview) else owner
    return owner if isinstance(owner, _File) else None


def _unusable(folder: Path, size: int, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason = f"there is no room for {size / 1e6:,.0f} MB of scratch"
    else:
        reason = f"scratch files cannot be made: {error.strerror or error}"
    return OutputError(
        f"{folder}: {reason}. Choose another folder with --scratch, or allow more memory with "
        "--max-memory."
    )


def resident() -> int | None:
    """Give the memory that this process holds now [bytes]; None if the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except OSError:
        return None
