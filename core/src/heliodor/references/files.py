"""Reading one reference file: planes cut to the exposure, DQ in pipeline bits, cubes by rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from heliodor.bits import PIXEL
from heliodor.errors import ReferenceError
from heliodor.fitsarrays import StoredArray
from heliodor.references import asdffile


class Reference:
    """A reference file as one exposure sees it: FITS, or ASDF of which only `tree` is of use.

    Parameters
    ----------
    type : reference type (``gain``), for messages
    path : the file
    keywords : of the exposure: SUBSTRT1, SUBSTRT2 say where its array lies on the detector
    shape : (ny, nx) of the exposure's array; a step that looks at a part of it sets it anew

    Raises
    ------
    heliodor.errors.ReferenceError
        The file cannot be read, lacks what is asked of it, or has no pixels for this exposure.
    """

    def __init__(
        self, type: str, path: str | Path, keywords: Mapping[str, Any], shape: tuple[int, int]
    ):
        self.type = type
        self.path = Path(path)
        self.shape = shape
        self._keywords = keywords
        self.header: Mapping[str, Any]
        try:
            if self.path.suffix == ".asdf":
                self._hdus = fits.HDUList()
                self.header = asdffile.keywords(self.path)
                return
            with warnings.catch_warnings():
                # what is wrong with the file is said when something is read from it
                warnings.simplefilter("ignore", AstropyWarning)
                self._hdus = fits.open(
                    self.path, memmap=True, do_not_scale_image_data=True, lazy_load_hdus=False
                )
            self.header = self._hdus[0].header
        except (OSError, ValueError) as error:
            raise ReferenceError(
                f"{self.path}: not a readable {type} reference file: {error}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._hdus.close()

    def has(self, extension: str) -> bool:
        """Whether there is an extension of that name with data."""
        return extension in self._hdus and self._hdus[extension].header.get("NAXIS", 0) > 0

    def shape_of(self, extension: str = "SCI") -> tuple[int, ...]:
        """Give the shape of an array as it stands in the file, uncut."""
        return self._stored(extension).shape

    def plane(self, extension: str = "SCI", dtype: Any = np.float32) -> np.ndarray:
        """Read an array, its last two axes cut to the exposure.

        Parameters
        ----------
        extension : its name
        dtype : of the result

        Returns
        -------
        (..., ny, nx) array of `dtype`: native, C-contiguous, writable
        """
        stored = self._stored(extension)
        return stored.read((..., *self._window(stored.shape, extension)), dtype)

    def whole(self, extension: str = "SCI", dtype: Any = np.float32) -> np.ndarray:
        """Read an array as it stands in the file, uncut."""
        return self._stored(extension).read(..., dtype)

    def cube(self, extension: str = "SCI") -> RowReader:
        """Give an array (n, ny, nx) or (m, n, ny, nx) to be read by rows."""
        stored = self._stored(extension)
        return RowReader(stored, self._window(stored.shape, extension))

    def dq(self, extension: str = "DQ") -> np.ndarray:
        """Read a data quality array in the pipeline's bits, cut to the exposure.

        Bits of the file are translated by name through its DQ_DEF table; without one they are the
        pipeline's own.  Names that the pipeline does not know are left out.

        Returns
        -------
        (..., ny, nx) uint32; all zero if the file has no such extension
        """
        if not self.has(extension):
            return np.zeros(self.shape, np.uint32)
        local = self.plane(extension, np.uint32)
        if "DQ_DEF" not in self._hdus:
            return local
        flagged = np.flatnonzero(local)  # few: a good detector is mostly zeros
        found = local.reshape(-1)[flagged]
        flags = np.zeros_like(found)
        for row in self._hdus["DQ_DEF"].data:
            name = str(row["NAME"]).strip()
            if name in PIXEL:
                flags[(found & np.uint32(row["VALUE"])) != 0] |= np.uint32(PIXEL[name])
        local.reshape(-1)[flagged] = flags
        return local

    def table(self, extension: str) -> np.ndarray:
        """Read a table.

        Returns
        -------
        structured array, native; text, logical and unsigned columns have their true values
        """
        with self._reading(extension):
            stored = self._hdus[extension].data
            columns = {name: np.asarray(stored[name]) for name in stored.names}
        types = [(name, c.dtype.newbyteorder("="), c.shape[1:]) for name, c in columns.items()]
        out = np.empty(len(stored), types)
        for name, column in columns.items():
            out[name] = column
        return out

    def tree(self) -> dict[str, Any]:
        """Read the tree of an ASDF file."""
        return asdffile.content(self.path)

    def _stored(self, extension: str) -> StoredArray:
        with self._reading(extension):
            return StoredArray(self._hdus[extension])

    @contextmanager
    def _reading(self, extension: str) -> Iterator[None]:
        if not self.has(extension):
            raise ReferenceError(
                f"{self.path}: this {self.type} reference has no {extension} extension"
            )
        try:
            yield
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise ReferenceError(
                f"{self.path}: {extension} cannot be read (truncated?): {error}"
            ) from error

    def _window(self, shape: tuple[int, ...], extension: str) -> tuple[slice, slice]:
        """Where the exposure's array lies in one of the file."""
        if shape[-2:] == self.shape:
            return slice(None), slice(None)
        y = self._start(2)
        x = self._start(1)
        ny, nx = self.shape
        if y < 0 or x < 0 or y + ny > shape[-2] or x + nx > shape[-1]:
            raise ReferenceError(
                f"{self.path}: {extension} of this {self.type} reference is "
                f"{shape[-1]} x {shape[-2]} pixels and does not hold the exposure's "
                f"{nx} x {ny} at SUBSTRT1, SUBSTRT2 = "
                f"{self._keywords.get('SUBSTRT1')}, {self._keywords.get('SUBSTRT2')}"
            )
        return slice(y, y + ny), slice(x, x + nx)

    def _start(self, axis: int) -> int:
        name = f"SUBSTRT{axis}"
        return int(self._keywords.get(name) or 1) - int(self.header.get(name) or 1)


class RowReader:
    """A reference array too large to be held: read it by rows.

    Attributes
    ----------
    shape : of the whole, cut to the exposure: (..., ny, nx)
    """

    def __init__(self, stored: StoredArray, window: tuple[slice, slice]):
        self._stored = stored
        y, x = window
        self._y, self._x = y.start or 0, x
        height, width = (len(range(n)[w]) for n, w in zip(stored.shape[-2:], window, strict=True))
        self.shape = (*stored.shape[:-2], height, width)

    def rows(self, row_start: int, row_stop: int, *index: int | slice) -> np.ndarray:
        """Read some rows of every plane, or only of those at `index` along the first axes.

        Returns
        -------
        (..., row_stop - row_start, nx) float32, native and C-contiguous
        """
        rows = slice(self._y + row_start, self._y + row_stop)
        return self._stored.read((*index, ..., rows, self._x))

    def plane(self, *index: int) -> np.ndarray:
        """Read one plane, (ny, nx) float32."""
        rows = slice(self._y, self._y + self.shape[-2])
        return self._stored.read((*index, rows, self._x))
