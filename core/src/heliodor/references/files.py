"""Reading one reference file: planes cut to the exposure, DQ in pipeline bits, cubes by rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from heliodor.bits import PIXEL
from heliodor.errors import ReferenceError
from heliodor.fitsarrays import StoredArray
from heliodor.fitsopen import opened
from heliodor.references import asdffile
from heliodor.stripes import Stripes

Lines = slice | np.ndarray
"""Positions along one axis of an array: a piece, or line by line."""

TABLES = (fits.BinTableHDU, fits.TableHDU)


class Reference:
    """A reference file as one exposure sees it: FITS, or ASDF of which only `tree` is of use.

    Parameters
    ----------
    type : reference type (``gain``), for messages
    path : the file
    keywords : of the exposure: SUBSTRT1, SUBSTRT2 say where its array lies on the detector
    shape : (ny, nx) of the exposure's array; a step that looks at a part of it sets it anew
    stripes : of which the array is made, or None

    Raises
    ------
    heliodor.errors.ReferenceError
        The file cannot be read, lacks what is asked of it, or has no pixels for this exposure.
    """

    def __init__(
        self,
        type: str,
        path: str | Path,
        keywords: Mapping[str, Any],
        shape: tuple[int, ...],
        stripes: Stripes | None = None,
    ):
        self.type = type
        self.path = Path(path)
        self.shape = shape
        self.stripes = stripes
        self._keywords = keywords
        self.header: Mapping[str, Any]
        self._open = ExitStack()
        try:
            if self.path.suffix == ".asdf":
                self._hdus = fits.HDUList()
                self.header = asdffile.keywords(self.path)
                return
            self._hdus = self._open.enter_context(opened(self.path, tiled=True))
            self.header = self._hdus[0].header
        except (OSError, ValueError) as error:
            raise ReferenceError(
                f"{self.path}: not a readable {type} reference file: {error}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def has(self, extension: str) -> bool:
        """Whether there is an extension of that name with data."""
        return extension in self._hdus and self._hdus[extension].header.get("NAXIS", 0) > 0

    def shape_of(self, extension: str = "SCI") -> tuple[int, ...]:
        """Give the shape of an array as it stands in the file, uncut."""
        return self._stored(extension).shape

    def plane(self, extension: str = "SCI", dtype: Any = np.float32) -> np.ndarray:
        """Read an array, its last two axes cut to the exposure.

        For superstripes a third axis counts them: (nstripes, ny, nx), and (ny, nx) for others.

        Parameters
        ----------
        extension : its name
        dtype : of the result

        Returns
        -------
        (..., ny, nx) array of `dtype`: native, C-contiguous, writable
        """
        stored = self._stored(extension)
        y, x = self._window(stored.shape, extension)
        out = stored.read((..., y, x), dtype)
        if isinstance(x, np.ndarray) and x.ndim == 2:
            out = np.ascontiguousarray(np.moveaxis(out, -2, -3))
        return out

    def whole(self, extension: str = "SCI", dtype: Any = np.float32) -> np.ndarray:
        """Read an array as it stands in the file, uncut."""
        return self._stored(extension).read(..., dtype)

    def cube(self, extension: str = "SCI") -> RowReader:
        """Give an array (n, ny, nx) or (m, n, ny, nx) to be read by rows."""
        stored = self._stored(extension)
        y, x = self._window(stored.shape, extension)
        if self.stripes is not None and self.stripes.superstripes:
            raise ReferenceError(
                f"{self.path}: {extension} of this {self.type} reference cannot be read by rows "
                "for superstripes that are not joined"
            )
        return RowReader(stored, y, x)

    def dq(self, extension: str = "DQ") -> np.ndarray:
        """Read a data quality array in the pipeline's bits, cut to the exposure.

        Bits of the file are translated by name through its DQ_DEF table; without one they are the
        pipeline's own.  Names that the pipeline does not know are left out.

        Returns
        -------
        (..., ny, nx) uint32; all zero if the file has no such extension
        """
        if not self.has(extension):
            shape = self.stripes.planes(self.shape) if self.stripes else self.shape
            return np.zeros(shape, np.uint32)
        local = self.plane(extension, np.uint32)
        if "DQ_DEF" not in self._hdus:
            return local
        flagged = np.flatnonzero(local != 0)  # few; of booleans they are found five times faster
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
            hdu = self._hdus[extension]
            if not isinstance(hdu, TABLES):
                raise ReferenceError(f"{self.path}: {extension} is an image, not a table")
            stored = hdu.data
            columns = {name: np.asarray(stored[name]) for name in stored.names}
        types = [(name, c.dtype.newbyteorder("="), c.shape[1:]) for name, c in columns.items()]
        out = np.empty(len(stored), types)
        for name, column in columns.items():
            out[name] = column
        return out

    def columns(self, extension: str, needed: Iterable[str]) -> dict[str, np.ndarray]:
        """Read a table as columns by name, in lower case.

        Parameters
        ----------
        extension : its name
        needed : columns that must be there, in lower case
        """
        table = self.table(extension)
        columns = {name.lower(): table[name] for name in table.dtype.names or ()}
        if missing := [name for name in needed if name not in columns]:
            raise self._lacks(extension, missing, columns)
        return columns

    def _lacks(
        self, extension: str, missing: Iterable[str], columns: Iterable[str]
    ) -> ReferenceError:
        return ReferenceError(
            f"{self.path}: {extension} of this {self.type} reference lacks the column(s) "
            f"{', '.join(missing)}; it has {', '.join(columns).lower()}"
        )

    def column(self, extension: str, name: str) -> np.ndarray:
        """Read one column of numbers of a large table, without the others.

        Returns
        -------
        (n, ...) array: native, C-contiguous
        """
        with self._reading(extension):
            try:
                stored = self._hdus[extension].data[name]
            except KeyError:
                raise self._lacks(extension, [name], self._hdus[extension].columns.names) from None
            return np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))

    def tree(self) -> dict[str, Any]:
        """Read the tree of an ASDF file."""
        return asdffile.content(self.path)

    def _stored(self, extension: str) -> StoredArray:
        with self._reading(extension):
            hdu = self._hdus[extension]
            if isinstance(hdu, TABLES):
                raise ReferenceError(f"{self.path}: {extension} is a table, not an image")
            return StoredArray(hdu)

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

    def _window(self, shape: tuple[int, ...], extension: str) -> tuple[Lines, Lines]:
        """Where the exposure's rows and columns lie in an array of the file."""
        turns = self.stripes is not None and self.stripes.superstripes
        if shape[-2:] == self.shape and not turns:
            return slice(None), slice(None)
        y, x = (self._along(axis) for axis in (-2, -1))
        if not all(_within(lines, n) for lines, n in zip((y, x), shape[-2:], strict=True)):
            ny, nx = self.shape
            raise ReferenceError(
                f"{self.path}: {extension} of this {self.type} reference is "
                f"{shape[-1]} x {shape[-2]} pixels and does not hold the exposure's "
                f"{nx} x {ny}{' in stripes' if self.stripes else ''} at SUBSTRT1, SUBSTRT2 = "
                f"{self._keywords.get('SUBSTRT1')}, {self._keywords.get('SUBSTRT2')}"
            )
        return y, x

    def _along(self, axis: int) -> Lines:
        """Where the exposure's pixels lie along one axis."""
        if self.stripes is not None and self.stripes.axis == axis:
            return self.stripes.index() + 1 - int(self.header.get(f"SUBSTRT{-axis}") or 1)
        start = self._start(-axis)
        return slice(start, start + self.shape[axis])

    def _start(self, axis: int) -> int:
        name = f"SUBSTRT{axis}"
        return int(self._keywords.get(name) or 1) - int(self.header.get(name) or 1)


def _within(lines: Lines, length: int) -> bool:
    """Whether an axis of that length has these lines."""
    if isinstance(lines, slice):
        return lines.start >= 0 and lines.stop <= length
    return bool(lines.min() >= 0 and lines.max() < length)


class RowReader:
    """A reference array too large to be held: read it by rows.

    Attributes
    ----------
    shape : of the whole, cut to the exposure: (..., ny, nx)
    """

    def __init__(self, stored: StoredArray, y: Lines, x: Lines):
        self._stored = stored
        self._y, self._x = y, x
        height, width = (
            len(range(n)[lines]) if isinstance(lines, slice) else len(lines)
            for n, lines in zip(stored.shape[-2:], (y, x), strict=True)
        )
        self.shape = (*stored.shape[:-2], height, width)

    def rows(self, row_start: int, row_stop: int, *index: int | slice) -> np.ndarray:
        """Read some rows of every plane, or only of those at `index` along the first axes.

        Returns
        -------
        (..., row_stop - row_start, nx) float32, native and C-contiguous
        """
        return self._stored.read((*index, ..., self._rows(row_start, row_stop), self._x))

    def images(self, row_start: int, row_stop: int, *index: int | slice) -> Iterator[np.ndarray]:
        """Read some rows of one plane after the other, in the memory of the first.

        Yields
        ------
        (row_stop - row_start, nx) float32, native and C-contiguous; gone with the next
        """
        yield from self._stored.images((*index, ..., self._rows(row_start, row_stop), self._x))

    def _rows(self, start: int, stop: int) -> Lines:
        if not isinstance(self._y, slice):
            return self._y[start:stop]
        first = self._y.start or 0
        return slice(first + start, first + stop)

    def plane(self, *index: int) -> np.ndarray:
        """Read one plane, (ny, nx) float32."""
        return self.rows(0, self.shape[-2], *index)
