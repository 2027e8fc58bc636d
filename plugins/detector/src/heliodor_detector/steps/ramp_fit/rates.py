"""Median rates of ramps, for the photons' part in the variances."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.medians import columns_at_once, sort_columns
from heliodor_detector.steps.ramp_fit.ramps import first_differences, first_group_rate, read_ramp

FEW = 16
"""Ramps with flags whose differences are sorted together."""

LANES = 8
"""Samples that a core works on at once; blocks have a multiple of them as columns."""


PATIENCE = 100
"""Blocks done in double precision after one that single precision would not do for."""


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
def take_short_differences(data, integration, y, x, first, last, clean, samples, room):
    """Take the differences in single precision, if it has them all exactly.

    Parameters
    ----------
    data, integration, y, x, first, last : see `take_differences`
    clean : (columns,) bool; the ramps that matter
    samples : (at least last - first, columns) float32 [DN]; filled
    room : (columns,) float32; scratch

    Returns
    -------
    whether it has, for sure: numbers of which neither is twice the other have an exact difference
    (Sterbenz 1974, Floating-Point Computation, 4.3)
    """
    columns = samples.shape[1]
    for c in range(columns):
        room[c] = 1.0
    for k in range(last - first):
        earlier = data[integration, first + k, y, x : x + columns]
        later = data[integration, first + k + 1, y, x : x + columns]
        sample = samples[k]
        for c in range(columns):
            step = later[c] - earlier[c]
            sample[c] = step
            room[c] = min(room[c], earlier[c] - step, later[c] + step)
    rounded = 0
    for c in range(clean.size):
        rounded += clean[c] & (room[c] <= 0.0)
    return rounded == 0


@helper
def add_middle(samples, count, start, clean, group_time, rates):
    """Add the median rates of a block, from its sorted samples; columns begin at `start`."""
    low, high = samples[(count - 1) // 2, start:], samples[count // 2, start:]
    for c in range(rates.size):
        middle = (np.float64(low[c]) + np.float64(high[c])) / 2.0
        rates[c] += middle / group_time if clean[c] else 0.0


@helper
def add_clean_rates(
    data, integration, y, first, last, network, group_time, clean, samples, short, room, wait, rates
):
    """Add the median rates of a row's ramps without flags.

    Parameters
    ----------
    data, integration, y, first, last : see `take_differences`
    network : median network for ``last - first`` values
    group_time : between groups [s]
    clean : (nx,) bool, see `heliodor_detector.steps.ramp_fit.rows.find_clean`
    samples : (at least last - first, columns) float64; scratch
    short, room : the same as float32, and a row of it; scratch
    wait : (1,) int64, for how many blocks single precision need not be tried; kept between calls
    rates : (nx,) float64 [DN/s]; added to

    Notes
    -----
    Where no difference is rounded in single precision, as over a pedestal, it sorts twice as fast.
    """
    nx, columns, count = rates.size, samples.shape[1], last - first
    for left in range(0, nx, columns):
        x = min(left, nx - columns)  # the last block begins with columns of the one before
        mine, some = clean[left : x + columns], rates[left : x + columns]
        wait[0] -= 1
        if wait[0] < 0:
            if take_short_differences(
                data, integration, y, x, first, last, clean[x : x + columns], short, room
            ):
                sort_columns(short, network)
                add_middle(short, count, left - x, mine, group_time, some)
                continue
            wait[0] = PATIENCE
        take_differences(data, integration, y, x, first, last, samples)
        sort_columns(samples, network)
        add_middle(samples, count, left - x, mine, group_time, some)


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
