"""Cutting a raw exposure into segments, as the archive does with long ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from heliodor.errors import UsageError

from heliodor_simulate import fitsfile

PER_INTEGRATION = ("SCI", "ZEROFRAME", "REFOUT")
"""Extensions whose first axis is that of integrations."""


def split(exposure: str | Path, number: int) -> list[Path]:
    """Cut an exposure between integrations; the whole is left where it is.

    Parameters
    ----------
    exposure : raw, with the tables of the archive
    number : of segments; as equal as can be

    Returns
    -------
    path of each segment, beside the exposure: ``jw..._00001-seg001_nrca1_uncal.fits``

    Raises
    ------
    heliodor.errors.UsageError
        There are fewer integrations than segments.
    """
    exposure = Path(exposure)
    paths = []
    with fits.open(exposure) as hdus:
        nints = hdus["SCI"].shape[0]
        if not 1 <= number <= nints:
            raise UsageError(f"{nints} integrations cannot be cut into {number} segments.")
        root, detector = exposure.name.removesuffix("_uncal.fits").rsplit("_", 1)
        for count, part in enumerate(np.array_split(np.arange(nints), number), 1):
            path = exposure.with_name(f"{root}-seg{count:03d}_{detector}_uncal.fits")
            start, stop = int(part[0]), int(part[-1]) + 1
            segment = [_cut(hdu, start, stop) for hdu in hdus]
            segment[0].header.update(
                {
                    "FILENAME": path.name,
                    "EXSEGNUM": count,
                    "EXSEGTOT": number,
                    "INTSTART": start + 1,
                    "INTEND": stop,
                }
            )
            with fitsfile.finished(path) as scratch:
                fits.HDUList(segment).writeto(scratch)
            paths.append(path)
    return paths


def _cut(hdu: Any, start: int, stop: int) -> Any:
    """Take the integrations ``start <= i < stop`` of an extension that has any."""
    if hdu.name in PER_INTEGRATION:
        return fits.ImageHDU(hdu.data[start:stop], hdu.header)
    if hdu.name in ("GROUP", "INT_TIMES"):
        of = hdu.data["integration_number"]
        return fits.BinTableHDU(hdu.data[(of > start) & (of <= stop)], hdu.header)
    return hdu.copy()
