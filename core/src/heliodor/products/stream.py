"""Streams a product to disk: in small pieces, under another name until it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from heliodor.errors import OutputError

if TYPE_CHECKING:
    from heliodor.products.assemble import Extension
    from heliodor.products.pastcache import PastCache

PIECE = 1 << 20
"""Bytes converted at once."""

LARGE = 16 << 20
"""Files from this size on [bytes] are written past the system's cache."""

BLOCK = 2880
"""FITS files are made of blocks of this many bytes."""

_BITPIX = {"u1": 8, "i2": 16, "u2": 16, "i4": 32, "u4": 32, "i8": 64, "f4": -32, "f8": -64}


class Encoded:
    """An array on its way into a file, converted piece by piece.

    Parameters
    ----------
    array : of NumPy, or a `heliodor.fitsarrays.StoredArray`
    dtype : it is written as

    Attributes
    ----------
    shape, dtype : of the result
    bitpix, zero : BITPIX and BZERO of its header
    nbytes : in the file, without padding
    """

    def __init__(self, array: Any, dtype: np.dtype):
        self.array = array
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype = np.dtype("u1") if dtype.kind == "b" else np.dtype(dtype.newbyteorder("="))
        code = f"{self.dtype.kind}{self.dtype.itemsize}"
        if code not in _BITPIX:
            raise OutputError(f"FITS images cannot hold {dtype}.")
        self.bitpix = _BITPIX[code]
        # unsigned integers are stored as signed ones less half the range
        self.zero = 1 << (8 * self.dtype.itemsize - 1) if code in ("u2", "u4") else 0
        self.nbytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Give the bytes of the file, in order."""
        items = max(1, PIECE // self.dtype.itemsize)
        buffer = np.empty(items, self.dtype.newbyteorder(">"))
        for flat in self._flats():
            for start in range(0, flat.size, items):
                part = flat[start : start + items]
                out = buffer[: part.size]
                if self.zero:
                    half = self.dtype.type(self.zero)
                    np.copyto(out, part.astype(self.dtype, copy=False) ^ half)
                else:
                    np.copyto(out, part, casting="unsafe")
                yield out.view(np.uint8).data

    def _flats(self) -> Iterator[np.ndarray]:
        if isinstance(self.array, np.ndarray):
            if self.array.flags.c_contiguous:
                yield self.array.reshape(-1)
            else:
                for index in np.ndindex(self.shape[:-2]):
                    yield self.array[index].reshape(-1)
        else:
            for index in np.ndindex(self.shape[:-2]):
                yield self.array.read(index, self.dtype).reshape(-1)


class Copied:
    """An extension's content, copied from another file byte by byte.

    Parameters
    ----------
    hdu : of an open file

    Attributes
    ----------
    shape, dtype : of the array or table
    nbytes : in the file, without padding
    """

    def __init__(self, hdu: Any):
        header = hdu.header
        info = hdu.fileinfo()
        self._file, self._start = info["file"], info["datLoc"]
        self.nbytes: int = hdu.size
        self.shape: tuple[int, ...]
        self.dtype: np.dtype
        if hdu.is_image:
            self.shape = hdu.shape
            bits = header["BITPIX"]
            unsigned = bits == 8 or (bits > 0 and header.get("BZERO") == 1 << (bits - 1))
            kind = "f" if bits < 0 else "u" if unsigned else "i"
            self.dtype = np.dtype(f"{kind}{abs(bits) // 8}")
        else:
            self.shape = (header["NAXIS2"],)
            self.dtype = hdu.columns.dtype

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Give the bytes of the file, in order."""
        for start in range(0, self.nbytes, PIECE):
            self._file.seek(self._start + start)
            yield self._file.read(min(PIECE, self.nbytes - start))


def stream(extensions: Iterable[Extension], path: Path) -> None:
    """Write a file; it appears whole under its name, or not at all.

    Raises
    ------
    heliodor.errors.OutputError
        The folder is missing or may not be written, or the disk is full.
    """
    pieces = [(one, one.text.encode("ascii")) for one in extensions]
    needed = sum(len(head) + _padded(one.data.nbytes if one.data else 0) for one, head in pieces)
    folder = path.parent
    scratch = folder / f".{path.name}.{os.getpid()}.part"
    try:
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise OutputError(_no_space(path, needed, free))
        with _open(scratch, needed) as file:
            for one, head in pieces:
                file.write(head)
                if one.data is not None:
                    for chunk in one.data.chunks():
                        file.write(chunk)
                    file.write(b"\0" * (_padded(one.data.nbytes) - one.data.nbytes))
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException as error:
        # also when interrupted: nothing half-written stays
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            left = shutil.disk_usage(folder).free
            raise OutputError(_no_space(path, needed, left)) from error
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}.") from error


def _open(path: Path, size: int) -> BinaryIO | PastCache:
    if size < LARGE or not hasattr(os, "O_DIRECT"):
        return open(path, "wb")
    from heliodor.products.pastcache import PastCache

    return PastCache(path)


def _padded(nbytes: int) -> int:
    return -(-nbytes // BLOCK) * BLOCK


def _no_space(path: Path, needed: int, free: int) -> str:
    return (
        f"{path}: the disk (or your quota) is full: the product needs {needed / 1e6:.1f} MB, "
        f"{free / 1e6:.1f} MB are free."
    )
