"""Subtract the median of every row."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.params import parameter
from heliodor.step import step

from heliodor_destripe.plugin import SPEC

Strength = Annotated[float, parameter(..., "Fraction of it that is subtracted.", ge=0, le=1)]


@step(SPEC)
def destripe(data: np.ndarray, groupdq: np.ndarray, *, strength: Strength = 1.0) -> np.ndarray:
    """Subtract the median of every row from the image of a group.

    Parameters
    ----------
    data : (ny, nx) float32 [DN]
    groupdq : (ny, nx) uint8; what is DO_NOT_USE does not count

    Returns
    -------
    (ny, nx) float32 [DN]
    """
    good = np.where(groupdq & DO_NOT_USE, np.nan, data)
    some = ~np.isnan(good).all(axis=1)
    level = np.zeros((data.shape[0], 1), np.float32)
    level[some, 0] = np.nanmedian(good[some], axis=1)
    return data - np.float32(strength) * level
