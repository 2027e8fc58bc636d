"""Arrays of a FITS file, read part by part into native memory without a second copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product, repeat
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
    BSCALE is done here, on the part that is read.  Nothing of the file stays in memory: parts
    without gaps are read through a small buffer, others mapped while they are read.

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
        native = np.dtype(dtype).newbyteorder("=")
        lines = _lines(index, self.shape) if self._array is None else None
        if lines is None:
            raw = self._raw()[index]
            out = np.empty(raw.shape, native)
            decode(raw, out, self._zero, self._scale)
            return out
        ranges = [range(one, one + 1) if isinstance(one, int) else one for one in lines]
        out = np.empty([len(one) for one in ranges], native)
        images = iter(out.reshape(-1, *out.shape[-2:]))
        for _ in self._images(ranges, images):
            pass
        return out.reshape([len(one) for one in lines if isinstance(one, range)])

    def images(self, index: Any = ..., dtype: Any = np.float32) -> Iterator[np.ndarray]:
        """Read a part that has three axes or more image by image, each where the last one was.

        Memory is taken once, and stays in a core's cache.

        Parameters
        ----------
        index, dtype : as for `read`

        Yields
        ------
        two-dimensional array of `dtype`, native, C-contiguous; its values are gone with the next
        """
        lines = _lines(index, self.shape) if self._array is None else None
        if lines is None or not all(isinstance(one, range) for one in lines[-2:]):
            part = self.read(index, dtype)
            yield from part.reshape(-1, *part.shape[-2:])
            return
        ranges = [range(one, one + 1) if isinstance(one, int) else one for one in lines]
        *_, rows, columns = ranges
        out = np.empty((len(rows), len(columns)), np.dtype(dtype).newbyteorder("="))
        yield from self._images(ranges, repeat(out))

    def _images(self, ranges: list[range], images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Read rows, as many at once as a core's cache holds: quicker than mapping them."""
        *leading, rows, columns = ranges
        ny, nx = self.shape[-2:]
        width = nx * self._dtype.itemsize
        at_once = -(-len(rows) // max(1, round(len(rows) * width / PIECE)))
        buffer = bytearray(at_once * width)
        raw = np.frombuffer(buffer, self._dtype).reshape(at_once, nx)
        with open(self._path, "rb", buffering=0) as file:
            for place, image in zip(product(*leading), images, strict=False):
                first = ny * int(np.ravel_multi_index(place, self.shape[:-2])) + rows.start
                file.seek(self._offset + first * width)
                for y in range(0, len(rows), at_once):
                    part = image[y : y + at_once]
                    amount = len(part) * width
                    if file.readinto(memoryview(buffer)[:amount]) < amount:
                        raise EOFError(SHORT)
                    stored = raw[: len(part), columns.start : columns.stop]
                    decode(stored, part, self._zero, self._scale)
                yield image

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


def _lines(index: Any, shape: tuple[int, ...]) -> list[int | range] | None:
    """Give what an index takes along every axis, if that is one line or lines without gaps."""
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(item is ... or isinstance(item, int | np.integer | slice) for item in items):
        return None
    place = items.index(...) if ... in items else len(items)
    missing = len(shape) - len(items) + (... in items)
    items[place : place + 1] = [slice(None)] * missing
    lines: list[int | range] = []
    for item, length in zip(items, shape, strict=True):
        lines.append(range(length)[item] if isinstance(item, slice) else range(length)[int(item)])
    simple = all(isinstance(one, int) or (one and one.step == 1) for one in lines)
    return lines if simple and len(shape) > 1 else None


def _shape(header: Any) -> tuple[int, ...]:
    return tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))


def _stored(header: Any) -> np.dtype:
    """Give the type that an image has in the file."""
    if header["BITPIX"] == 8:
        return np.dtype("u1")
    return np.dtype(f">{'f' if header['BITPIX'] < 0 else 'i'}{abs(header['BITPIX']) // 8}")


def _start(hdu: Any) -> int:
    return int(hdu.fileinfo()["datLoc"])
