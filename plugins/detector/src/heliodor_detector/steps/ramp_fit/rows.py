"""The fit of ramps without flags: vector loops over a row."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.steps.ramp_fit.segments import read_variance

SLOPE, ERR, VAR_POISSON, VAR_RNOISE, DQ = range(5)
"""Planes of the results."""


@helper
def copy_row(source, target):
    """Copy a row, from or to an exposure's array."""
    for c in range(target.size):
        target[c] = source[c]


@helper
def put_row(source, clean, target):
    """Copy the part of a row that belongs to clean ramps; leave the rest."""
    for x in range(target.size):
        target[x] = source[x] if clean[x] else target[x]


@helper
def read_variances(length, group_time, gain, readnoise, variances):
    """Give the variance from read noise of ramps of `length` groups, by columns."""
    for c in range(variances.size):
        variances[c] = read_variance(length, group_time, group_time, gain[c], readnoise[c])


@helper
def find_clean(exposure, integration, y, rejected, ordinary, bits, total, clean, places):
    """Mark the ramps that need no care: no flag of their own in any group, all values finite.

    Parameters
    ----------
    exposure : heliodor_detector.steps.ramp_fit.ramps.Exposure
    integration, y : integration, row
    rejected : (ngroups,) uint8: flags that a group has in most pixels
    ordinary : (nx,) bool: pixels that need no care
    bits, total : (nx,) uint8 and float32; scratch
    clean : (nx,) bool; filled
    places : (nx,) int32; filled from its beginning with the columns that are not clean

    Returns
    -------
    number of ramps that are not clean
    """
    nx = clean.size
    for x in range(nx):
        bits[x] = 0
        total[x] = 0.0
    for group in range(exposure.groups[0], exposure.groups[1]):
        flags = exposure.groupdq[integration, group, y]
        expected = rejected[group]
        for x in range(nx):
            bits[x] |= flags[x] ^ expected
        row = exposure.data[integration, group, y]
        for x in range(nx):
            total[x] += row[x]
    for x in range(nx):
        # a value minus itself is 0 unless it is infinite or NaN
        clean[x] = ordinary[x] & (bits[x] == 0) & (total[x] - total[x] == 0.0)
    marked = 0
    for x in range(nx):
        if not clean[x]:
            places[marked] = x
            marked += 1
    return marked


@helper
def fit_clean(
    data, integration, y, first, last, pairs, group_time, gain, readnoise, ratios, slopes
):
    """Fit the slopes of ramps without flags.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    integration, y : integration, row
    first, last : groups of the ramps
    pairs : (at least groups // 2, 6) float64, see `pair_tables`
    group_time : between groups [s]
    gain, readnoise : (nx,) float64 [e/DN], [e]
    ratios : (nx,) float64; scratch
    slopes : (nx,) float64 [DN/s]; filled
    """
    nx = slopes.size
    low, high = data[integration, first, y], data[integration, last, y]
    for x in range(nx):
        slopes[x] = (np.float64(high[x]) - np.float64(low[x])) * gain[x]
    for x in range(nx):
        variance = readnoise[x] * readnoise[x] + slopes[x]
        ratios[x] = slopes[x] / np.sqrt(variance) if variance > 0.0 else 0.0
    for x in range(nx):
        slopes[x] = 0.0
    for k in range((last - first + 1) // 2):
        low, high = data[integration, first + k, y], data[integration, last - k, y]
        row = pairs[k]
        w0, w1, w2, w3, w4, w5 = row[0], row[1], row[2], row[3], row[4], row[5]
        for x in range(nx):
            ratio = ratios[x]
            weight = w1 if ratio >= 5.0 else w0
            weight = w2 if ratio >= 10.0 else weight
            weight = w3 if ratio >= 20.0 else weight
            weight = w4 if ratio >= 50.0 else weight
            weight = w5 if ratio >= 100.0 else weight
            slopes[x] += weight * (np.float64(high[x]) - np.float64(low[x]))
    for x in range(nx):
        slopes[x] /= group_time
