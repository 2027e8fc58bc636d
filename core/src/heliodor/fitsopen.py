"""FITS files that are opened again and again: their headers are read once, and stay.

References serve one exposure after the other, and an exposure is looked at, read, and copied from:
to read the same headers each time would take longer than many a step.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from heliodor.hashes import State, state_of

MOST = 64
"""Files that stay open."""


@contextmanager
def opened(path: str | Path, *, tiled: bool = False) -> Iterator[fits.HDUList]:
    """Open a file to read from it: arrays as they are stored, mapped into memory when looked at.

    Parameters
    ----------
    path : of the file; one that has changed since is opened anew
    tiled : unpack images that are stored as compressed tiles

    Yields
    ------
    its HDUs, which are shared with others and must not be changed

    Raises
    ------
    OSError, ValueError, astropy.io.fits.VerifyError
        It cannot be read, or is not FITS.
    """
    if compressed(path):  # unpacked arrays are not to stay
        with _open(path, tiled) as hdus:
            yield hdus
    else:
        yield _kept(str(path), state_of(str(path)), tiled)


def compressed(path: str | Path) -> bool:
    """Whether a file is packed with gzip."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


@functools.lru_cache(maxsize=MOST)
def _kept(path: str, _state: State, tiled: bool) -> fits.HDUList:
    hdus = _open(path, tiled)
    weakref.finalize(hdus, hdus.fileinfo(0)["file"].close).atexit = False
    return hdus


def _open(path: str | Path, tiled: bool) -> fits.HDUList:
    # what is wrong with a file is said when something is read from it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        return fits.open(
            path,
            memmap=True,
            do_not_scale_image_data=True,
            disable_image_compression=not tiled,
            lazy_load_hdus=False,
        )
