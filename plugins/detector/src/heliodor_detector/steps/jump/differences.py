"""Differences between the groups of a ramp, in electrons; what the kernels of jump share."""

from __future__ import annotations

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.kernels import helper

from heliodor_detector.groups import mostly_flagged

JUMP = np.uint8(JUMP_DET)
NOT_JUMP = np.uint8(255 - JUMP_DET)

UNUSABLE = np.uint8(DO_NOT_USE | SATURATED)
INFINITE = np.float32(np.inf)
NAN = np.float32(np.nan)


def list_pairs(usable: np.ndarray) -> np.ndarray:
    """List the differences between usable groups.

    Parameters
    ----------
    usable : (nints, ngroups) bool

    Returns
    -------
    (n, 2) int32: integration, and the later one of two groups; integration after integration
    """
    integration, before = np.nonzero(usable[:, 1:] & usable[:, :-1])
    return np.column_stack([integration, before + 1]).astype(np.int32)


def usual_groups(groupdq: np.ndarray) -> np.ndarray:
    """Find the groups that most pixels can use, as judged by a few rows.

    Parameters
    ----------
    groupdq : (nints, ngroups, ny, nx) uint8

    Returns
    -------
    (nints, ngroups) bool
    """
    return ~mostly_flagged(groupdq, DO_NOT_USE | SATURATED)


BATCH = 128
"""Scattered pixels that are sorted together."""


@helper
def difference(data, groupdq, gain, integration, group, y, x):
    """Give the step from the group before to `group` [e-] of one pixel.

    Returns
    -------
    float32: rounded as the operational pipeline does; NaN if one of the groups is saturated or
    not to be used, or a sample is not finite
    """
    flags = groupdq[integration, group - 1, y, x] | groupdq[integration, group, y, x]
    if flags & UNUSABLE:
        return NAN
    step = (
        data[integration, group, y, x] * gain[y, x]
        - data[integration, group - 1, y, x] * gain[y, x]
    )
    return step if abs(step) < INFINITE else NAN


@helper
def gather_differences(data, groupdq, gain, pairs, pixels, absolute, differences):
    """Fetch the differences of scattered pixels for sorting.

    Parameters
    ----------
    data, groupdq, gain : of the ramp
    pairs : (n, 2) int32, of `list_pairs`
    pixels : (n_pixels,) int32, ``y * nx + x``
    absolute : give absolute values
    differences : (n, n_pixels) float32 [e-]; set, infinite where there is no difference
    """
    electrons = gain.reshape(-1)
    for row in range(pairs.shape[0]):
        integration, group = pairs[row]
        now = data[integration, group].reshape(-1)
        before = data[integration, group - 1].reshape(-1)
        flags_now = groupdq[integration, group].reshape(-1)
        flags_before = groupdq[integration, group - 1].reshape(-1)
        out = differences[row]
        for column in range(pixels.size):
            pixel = pixels[column]
            step = now[pixel] * electrons[pixel] - before[pixel] * electrons[pixel]
            size = abs(step)
            flags = flags_now[pixel] | flags_before[pixel]
            usable = (flags & UNUSABLE == 0) & (size < INFINITE)
            value = size if absolute else step
            out[column] = value if usable else INFINITE


@helper
def count_usable(ordered, column):
    """Give how many samples of a sorted column are not infinite."""
    count = ordered.shape[0]
    while count > 0 and ordered[count - 1, column] == INFINITE:
        count -= 1
    return count


@helper
def variance_of(median, gain, readnoise, nframes, y, x):
    """Give the variance of a difference [e-^2]: photon noise of the median and read noise."""
    noise = readnoise[y, x] * gain[y, x]
    return abs(median) + np.float64(noise * noise) / nframes
