"""The fit of ramps without flags: vector loops over a block of columns."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.steps.ramp_fit.segments import read_variance

SLOPE, ERR, VAR_POISSON, VAR_RNOISE = range(4)
"""Planes of the results."""


@helper
def copy_row(source, target):
    """Copy a row of a block of columns, from or to an exposure's array."""
    for c in range(target.size):
        target[c] = source[c]


@helper
def read_variances(length, group_time, gain, readnoise, variances):
    """Give the variance from read noise of ramps of `length` groups, by columns."""
    for c in range(variances.size):
        variances[c] = read_variance(length, group_time, group_time, gain[c], readnoise[c])


@helper
def find_clean(exposure, integration, y, x, rejected, ordinary, clean, bits, total):
    """Mark the ramps that need no care: no flag of their own in any group, all values finite.

    Parameters
    ----------
    exposure : heliodor_detector.steps.ramp_fit.ramps.Exposure
    integration, y, x : integration, row, first column of the block
    rejected : (ngroups,) uint8: flags that a group has in most pixels
    ordinary : (columns,) bool: pixels that need no care
    clean : (columns,) bool; filled
    bits, total : (columns,) uint8 and float32; scratch

    Returns
    -------
    number of ramps that are not clean
    """
    columns = clean.size
    for c in range(columns):
        bits[c] = 0
        total[c] = 0.0
    for group in range(exposure.groups[0], exposure.groups[1]):
        flags = exposure.groupdq[integration, group, y, x : x + columns]
        expected = rejected[group]
        for c in range(columns):
            bits[c] |= flags[c] ^ expected
        row = exposure.data[integration, group, y, x : x + columns]
        for c in range(columns):
            total[c] += row[c]
    marked = 0
    for c in range(columns):
        # a value minus itself is 0 unless it is infinite or NaN
        clean[c] = ordinary[c] & (bits[c] == 0) & (total[c] - total[c] == 0.0)
        marked += not clean[c]
    return marked


@helper
def take_differences(data, integration, y, x, first, last, samples):
    """Take the differences between neighbouring groups of all ramps.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    integration, y, x : see `find_clean`
    first, last : groups of the ramps
    samples : (ngroups - 1, columns) float64 [DN]; filled, with infinity after the last difference
    """
    columns = samples.shape[1]
    for k in range(samples.shape[0]):
        sample = samples[k]
        if first + k >= last:
            for c in range(columns):
                sample[c] = np.inf
            continue
        earlier = data[integration, first + k, y, x : x + columns]
        later = data[integration, first + k + 1, y, x : x + columns]
        for c in range(columns):
            # inexact in float32, and the two in the middle may nearly cancel
            sample[c] = np.float64(later[c]) - np.float64(earlier[c])


@helper
def add_medians(samples, count, clean, group_time, rates):
    """Add the median rate of every clean ramp.

    Parameters
    ----------
    samples : (ngroups - 1, columns) float64 [DN], sorted differences
    count : number of differences
    clean : (columns,) bool
    group_time : between groups [s]
    rates : (columns,) float64 [DN/s]; added to
    """
    low, high = samples[(count - 1) // 2], samples[count // 2]
    for c in range(rates.size):
        rates[c] += (low[c] + high[c]) / 2.0 / group_time if clean[c] else 0.0


@helper
def fit_clean(
    data, integration, y, x, first, last, pairs, group_time, gain, readnoise, classes, slopes
):
    """Fit the slopes of ramps without flags.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    integration, y, x : see `find_clean`
    first, last : groups of the ramps
    pairs : (at least groups // 2, 6) float64, see `pair_tables`
    group_time : between groups [s]
    gain, readnoise : (columns,) float64 [e/DN], [e]
    classes : (columns,) int64; scratch
    slopes : (columns,) float64 [DN/s]; filled
    """
    columns = slopes.size
    low = data[integration, first, y, x : x + columns]
    high = data[integration, last, y, x : x + columns]
    for c in range(columns):
        slopes[c] = (np.float64(high[c]) - np.float64(low[c])) * gain[c]
    for c in range(columns):
        variance = readnoise[c] * readnoise[c] + slopes[c]
        slopes[c] = slopes[c] / np.sqrt(variance) if variance > 0.0 else 0.0
    for c in range(columns):
        ratio = slopes[c]
        classes[c] = (
            np.int64(ratio >= 5.0)
            + np.int64(ratio >= 10.0)
            + np.int64(ratio >= 20.0)
            + np.int64(ratio >= 50.0)
            + np.int64(ratio >= 100.0)
        )
    for c in range(columns):
        slopes[c] = 0.0
    for k in range((last - first + 1) // 2):
        low = data[integration, first + k, y, x : x + columns]
        high = data[integration, last - k, y, x : x + columns]
        row = pairs[k]
        for c in range(columns):
            slopes[c] += row[classes[c]] * (np.float64(high[c]) - np.float64(low[c]))
    for c in range(columns):
        slopes[c] /= group_time
