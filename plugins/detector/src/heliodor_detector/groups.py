"""What most pixels have in common: steps take these together, and others one by one."""

from __future__ import annotations

import numpy as np

SAMPLED_ROWS, SAMPLED_STRIDE = 8, 16
"""Rows, and every how manieth column, that decide what most pixels have."""


def mostly_flagged(groupdq: np.ndarray, bits: int) -> np.ndarray:
    """Find the groups that have some flags in more than half of a sample of the pixels.

    Parameters
    ----------
    groupdq : (nints, ngroups, ny, nx) uint8
    bits : any of these

    Returns
    -------
    (nints, ngroups) bool
    """
    apart = max(1, groupdq.shape[2] // SAMPLED_ROWS)
    sample = groupdq[:, :, apart // 2 :: apart, ::SAMPLED_STRIDE] & np.uint8(bits)
    return np.count_nonzero(sample, axis=(2, 3)) * 2 > sample[0, 0].size
