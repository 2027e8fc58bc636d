"""Median rates of ramps, for the photons' part in the variances."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.medians import columns_at_once, sort_columns
from heliodor_detector.steps.ramp_fit.ramps import first_differences, first_group_rate, read_ramp

FEW = 16
"""Ramps with flags whose differences are sorted together."""

LANES = 8
"""Samples that a core works on at once; blocks have a multiple of them as columns."""


@helper
def block_width(nx, count):
    """Give the columns whose differences are sorted together: the row in equal parts.

    Parameters
    ----------
    nx : columns of the row
    count : differences of a ramp
    """
    blocks = -(-nx // columns_at_once(count))
    return min(nx, -(-nx // (blocks * LANES)) * LANES)


@helper
def take_differences(data, integration, y, x, first, last, samples):
    """Take the differences between neighbouring groups of a block of ramps.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    integration, y, x : integration, row, first column of the block
    first, last : groups of the ramps
    samples : (at least last - first, columns) float64 [DN]; filled
    """
    columns = samples.shape[1]
    for k in range(last - first):
        earlier = data[integration, first + k, y, x : x + columns]
        later = data[integration, first + k + 1, y, x : x + columns]
        sample = samples[k]
        for c in range(columns):
            # inexact in float32, and the two in the middle may nearly cancel
            sample[c] = np.float64(later[c]) - np.float64(earlier[c])


@helper
def add_clean_rates(data, integration, y, first, last, network, group_time, clean, samples, rates):
    """Add the median rates of a row's ramps without flags.

    Parameters
    ----------
    data, integration, y, first, last : see `take_differences`
    network : median network for ``last - first`` values
    group_time : between groups [s]
    clean : (nx,) bool, see `heliodor_detector.steps.ramp_fit.rows.find_clean`
    samples : (at least last - first, columns) float64; scratch
    rates : (nx,) float64 [DN/s]; added to
    """
    nx, columns, count = rates.size, samples.shape[1], last - first
    for left in range(0, nx, columns):
        x = min(left, nx - columns)  # the last block begins with columns of the one before
        take_differences(data, integration, y, x, first, last, samples)
        sort_columns(samples, network)
        low, high = samples[(count - 1) // 2, left - x :], samples[count // 2, left - x :]
        mine, some = clean[left : x + columns], rates[left : x + columns]
        for c in range(some.size):
            some[c] += (low[c] + high[c]) / 2.0 / group_time if mine[c] else 0.0


@helper
def add_flagged_rates(exposure, integration, y, places, network, samples, counts, scratch, rates):
    """Add the median rates of ramps with flags.

    Parameters
    ----------
    exposure : heliodor_detector.steps.ramp_fit.ramps.Exposure
    integration, y : integration, row
    places : (any,) int32, columns of the ramps
    network : sorting network for as many values as a ramp has differences
    samples, counts : (ngroups - 1, FEW) float64, (FEW,) int64; scratch
    scratch : heliodor_detector.steps.ramp_fit.ramps.Scratch
    rates : (nx,) float64 [DN/s]; added to
    """
    n = exposure.groups[1] - exposure.groups[0]
    clock = exposure.clock
    for begin in range(0, places.size, FEW):
        few = places[begin : begin + FEW]
        for k in range(few.size):
            x = few[k]
            _, _, _, time, lone = read_ramp(exposure, integration, y, x, scratch)
            counts[k] = 0 if lone else first_differences(scratch, n, samples[:, k])
            if counts[k] == 0:
                rates[x] += first_group_rate(scratch, n, time, lone, clock)
        sort_columns(samples, network)
        for k in range(few.size):
            if counts[k]:
                middle = samples[(counts[k] - 1) // 2, k] + samples[counts[k] // 2, k]
                rates[few[k]] += 0.0 if np.isnan(middle) else middle / 2.0 / clock[0]
