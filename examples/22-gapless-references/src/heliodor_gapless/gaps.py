"""Coefficients for pixels that a linearity reference leaves out, from their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

REACH = 3
"""How far neighbours are looked for [pixel]."""


def fill_gaps(path: Path, keywords: Mapping[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """Give pixels without correction the median coefficients of those around, and clear the flag.

    Parameters
    ----------
    path : of a linearity reference
    keywords : of the exposure
    folder : for new files; not needed
    """
    with fits.open(path) as hdus:
        coeffs, dq = np.array(hdus["COEFFS"].data, np.float32), np.array(hdus["DQ"].data)
        bits = {row["NAME"]: row["VALUE"] for row in hdus["DQ_DEF"].data}
    if "NO_LIN_CORR" not in bits:
        return {}
    bit = dq.dtype.type(bits["NO_LIN_CORR"])
    gaps = (dq & bit) != 0
    known = ~gaps & np.isfinite(coeffs).all(axis=0)
    filled = coeffs.copy()
    for y, x in np.argwhere(gaps):
        around = np.s_[max(0, y - REACH) : y + REACH + 1, max(0, x - REACH) : x + REACH + 1]
        if known[around].any():
            filled[:, y, x] = np.median(coeffs[:, *around][:, known[around]], axis=1)
            dq[y, x] &= ~bit
    return {"COEFFS": filled, "DQ": dq}
