"""Arrays of a FITS file, read part by part into native memory without a second copy."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from heliodor.workspace import MEMORY, Workspace

PIECE = 1 << 18
"""Bytes of a file decoded at once: they stay in a core's cache."""

SHORT = "the file ends before its data does"


def decode(raw: np.ndarray, out: np.ndarray, zero: float = 0, scale: float = 1) -> None:
    """Turn stored values into physical ones.

    Parameters
    ----------
    raw : as stored, of any byte order
    out : filled; of the same shape, native
    zero, scale : BZERO and BSCALE
    """
    if scale == 1 and zero == 0:
        np.copyto(out, raw, casting="unsafe")
    elif raw.dtype.kind == "i" and scale == 1 and zero == 1 << (8 * raw.itemsize - 1):
        # the FITS way to unsigned integers is an offset of half the range: one bit
        unsigned = raw.astype(np.dtype(f"i{raw.itemsize}")).view(f"u{raw.itemsize}")
        unsigned ^= unsigned.dtype.type(1 << (8 * raw.itemsize - 1))
        np.copyto(out, unsigned, casting="unsafe")
    else:
        np.copyto(out, raw * float(scale) + float(zero), casting="unsafe")


class StoredArray:
    """An image extension on disk.

    The file must have been opened with ``do_not_scale_image_data=True``; scaling by BZERO and
    BSCALE is done here, on the part that is read.  A part is mapped into memory only while it is
    read: what has been read does not stay.

    Attributes
    ----------
    shape : in NumPy's order

    Raises
    ------
    EOFError
        The file ends before the data does.
    """

    def __init__(self, hdu: Any):
        self._zero = hdu.header.get("BZERO", 0)
        self._scale = hdu.header.get("BSCALE", 1)
        file = hdu.fileinfo()["file"] if hdu.fileinfo() else None
        self._array: np.ndarray | None = None
        if file is None or not file.memmap or file.compression:
            self._array = hdu.data
            self.shape: tuple[int, ...] = self._array.shape
            return
        self._path = Path(file.name)
        self._dtype, self.shape, self._offset = _stored(hdu.header), _shape(hdu.header), _start(hdu)
        end = self._offset + self._dtype.itemsize * int(np.prod(self.shape))
        if self._path.stat().st_size < end:
            raise EOFError(SHORT)

    def read(self, index: Any = ..., dtype: Any = np.float32) -> np.ndarray:
        """Read a part.

        Parameters
        ----------
        index : anything NumPy takes; parts along the first axes are cheapest
        dtype : of the result

        Returns
        -------
        array of `dtype`, native, C-contiguous, writable
        """
        raw = self._raw()[index]
        out = np.empty(raw.shape, np.dtype(dtype).newbyteorder("="))
        decode(raw, out, self._zero, self._scale)
        return out

    def _raw(self) -> np.ndarray:
        if self._array is not None:
            return self._array
        return np.memmap(self._path, self._dtype, "r", self._offset, self.shape)


def read_image(
    path: str | Path,
    hdu: Any,
    dtype: Any = np.float32,
    threads: int = 1,
    index: Any = ...,
    workspace: Workspace = MEMORY,
) -> np.ndarray:
    """Read an image extension, or one item along its first axes, by plain reads of the file.

    Nothing is mapped into memory, so a large file adds no more than the result.

    Parameters
    ----------
    path : the file, not compressed
    hdu : the extension, of an `astropy.io.fits.HDUList` of that file
    dtype : of the result
    threads : how many decode at once
    index : leading indices, or everything
    workspace : where the result lives

    Returns
    -------
    array of `dtype`, native, C-contiguous

    Raises
    ------
    EOFError
        The file ends before the data does.
    """
    header = hdu.header
    shape, stored = _shape(header), _stored(header)
    first = 0
    if index is not ...:
        leading = shape[: len(index)]
        shape = shape[len(index) :]
        first = int(np.ravel_multi_index(index, leading)) * int(np.prod(shape))
    out = workspace.empty(shape, dtype)
    flat = out.reshape(-1)
    step = PIECE // stored.itemsize
    offset = _start(hdu) + first * stored.itemsize
    zero, scale = header.get("BZERO", 0), header.get("BSCALE", 1)

    with open(path, "rb") as file:

        def read(start: int, stop: int) -> None:
            for begin in range(start, stop, step):
                part = flat[begin : min(begin + step, stop)]
                place = offset + begin * stored.itemsize
                raw = os.pread(file.fileno(), part.size * stored.itemsize, place)
                if len(raw) < part.size * stored.itemsize:
                    raise EOFError(SHORT)
                decode(np.frombuffer(raw, stored), part, zero, scale)

        if threads == 1 or flat.size < 4 * step:
            read(0, flat.size)
        else:
            cuts = [flat.size * n // threads for n in range(threads + 1)]
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(read, cuts[:-1], cuts[1:]))
    return out


def _shape(header: Any) -> tuple[int, ...]:
    return tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))


def _stored(header: Any) -> np.dtype:
    """Give the type that an image has in the file."""
    if header["BITPIX"] == 8:
        return np.dtype("u1")
    return np.dtype(f">{'f' if header['BITPIX'] < 0 else 'i'}{abs(header['BITPIX']) // 8}")


def _start(hdu: Any) -> int:
    return int(hdu.fileinfo()["datLoc"])
