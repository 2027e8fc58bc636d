"""Jumps as differences that sigma clipping takes out, for exposures of many integrations."""

from __future__ import annotations

import numpy as np
from heliodor.kernels import helper, kernel

from heliodor_detector.medians import sort_columns
from heliodor_detector.steps.jump.differences import (
    BATCH,
    INFINITE,
    JUMP,
    count_usable,
    gather_differences,
)
from heliodor_detector.steps.jump.screening import (
    CAUTION,
    CLOSE,
    columns_at_once,
    count_below,
    find_extremes,
    take_differences,
)

MAX_ROUNDS = 5


@helper
def find_suspects(samples, threshold, suspect):
    """Find the pixels that may have a difference to be clipped.

    Parameters
    ----------
    samples : (n, at least width) float32 [e-], of `take_differences`; at least one
    threshold : [standard deviations]
    suspect : (width,) bool; set where it was not.  Pixels with a missing sample are suspects
    """
    n, width = samples.shape[0], suspect.size
    work = np.empty((6, width), np.float32)
    mean, smallest, largest = work[0], work[1], work[2]
    low, high, deviation = work[3], work[4], work[5]
    counts = np.empty((2, width), np.int32)
    n_low, n_high = counts[0], counts[1]
    limit = np.float32(threshold) * CAUTION
    close = np.float32(CLOSE / np.sqrt(n))

    find_extremes(samples, mean, smallest, largest)
    first = samples[0]
    deviation[:] = 0.0
    for row in range(n):
        values = samples[row]
        for column in range(width):
            offset = values[column] - first[column] - mean[column]
            deviation[column] += offset * offset
    for column in range(width):
        deviation[column] = np.sqrt(deviation[column] / np.float32(n))
        low[column] = first[column] + mean[column] - close * deviation[column]
        high[column] = first[column] + mean[column] + close * deviation[column]
    count_below(samples, low, n_low)
    count_below(samples, high, n_high)
    for column in range(width):
        inside = (n_low[column] <= (n - 1) >> 1) & (n_high[column] > n >> 1)
        reach = max(largest[column] - low[column], high[column] - smallest[column])
        # no number is less than NaN: what is not known to be inside is suspect
        suspect[column] |= not (inside & (reach <= limit * deviation[column]))


@helper
def moments(samples, smallest, largest, first, last, mean, deviation):
    """Take mean and standard deviation of what is left in every column.

    Parameters
    ----------
    samples : (count, width) float32
    smallest, largest : (width,) float32, of what is left
    first, last : (width,) int32; ``last - first`` are left
    mean, deviation : (width,) float64; set
    """
    width = mean.size
    mean[:] = 0.0
    deviation[:] = 0.0
    for row in range(samples.shape[0]):
        values = samples[row]
        for column in range(width):
            value = values[column]
            inside = (value >= smallest[column]) & (value <= largest[column])
            mean[column] += np.float64(value) if inside else 0.0
    for column in range(width):
        mean[column] /= last[column] - first[column]
    for row in range(samples.shape[0]):
        values = samples[row]
        for column in range(width):
            value = values[column]
            inside = (value >= smallest[column]) & (value <= largest[column])
            offset = np.float64(value) - mean[column]
            deviation[column] += offset * offset if inside else 0.0
    for column in range(width):
        deviation[column] = np.sqrt(deviation[column] / (last[column] - first[column]))


@helper
def median_of(ordered, column, first, last):
    """Give the median of the sorted samples ``first <= i < last`` of a column."""
    lower = np.float64(ordered[(first + last - 1) // 2, column])
    upper = np.float64(ordered[(first + last) // 2, column])
    return 0.5 * (lower + upper)


@helper
def drop_outside(ordered, column, low, high, first, last, smallest, largest):
    """Take what is outside the bounds from both ends of a sorted column; say if there was any."""
    if smallest[column] >= low and largest[column] <= high:
        return False
    begin, end = first[column], last[column]
    while begin < end and ordered[begin, column] < low:
        begin += 1
    while end > begin and ordered[end - 1, column] > high:
        end -= 1
    first[column], last[column] = begin, end
    if begin < end:
        smallest[column] = ordered[begin, column]
        largest[column] = ordered[end - 1, column]
    return True


@helper
def clip_pixels(data, groupdq, gain, threshold, pairs, network, pixels):
    """Flag what is clipped of scattered pixels."""
    total, width = pairs.shape[0], pixels.size
    samples = np.empty((total, width), np.float32)
    first = np.zeros(width, np.int32)
    last = np.empty(width, np.int32)
    smallest = np.empty(width, np.float32)
    largest = np.empty(width, np.float32)
    mean = np.empty(width)
    deviation = np.empty(width)
    low = np.full(width, -np.inf)
    high = np.full(width, np.inf)
    gather_differences(data, groupdq, gain, pairs, pixels, False, samples)
    ordered = samples.copy()
    sort_columns(ordered, network)
    for column in range(width):
        last[column] = count_usable(ordered, column)
        smallest[column] = ordered[0, column]
        largest[column] = ordered[max(last[column] - 1, 0), column]
    clipped = False
    for _ in range(MAX_ROUNDS):
        moments(samples, smallest, largest, first, last, mean, deviation)
        changed = False
        for column in range(width):
            if first[column] < last[column]:
                median = median_of(ordered, column, first[column], last[column])
                low[column] = median - threshold * deviation[column]
                high[column] = median + threshold * deviation[column]
                changed |= drop_outside(
                    ordered, column, low[column], high[column], first, last, smallest, largest
                )
        clipped |= changed
        if not changed:
            break
    for row in range(total if clipped else 0):
        integration, group = pairs[row]
        for column in range(width):
            value = samples[row, column]
            if (value < low[column]) | (value > high[column]) and value < INFINITE:
                y, x = divmod(pixels[column], data.shape[3])
                groupdq[integration, group, y, x] |= JUMP


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f8, i8, i8, b1[:,::1], i4[:,::1], i4[:,::1],"
    " i8, i8)"
)
def flag_clipped(
    data, groupdq, gain, threshold, first, last, usual, pairs, network, row_start, row_stop
):
    """Flag the groups whose step is clipped, compared with other integrations.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8; JUMP_DET is set in place
    gain : (ny, nx) float32 [e-/DN]
    threshold : [standard deviations]
    first, last : the groups ``first <= group < last`` are clipped together: one compares only
        the same difference of all integrations, those from 1 to ``ngroups`` all with all
    usual : (nints, ngroups) bool, of `differences.usual_groups`
    pairs : (n, 2) int32, the differences of these groups that some pixel can have
    network : `heliodor_detector.medians.sorting_network` (n)
    row_start, row_stop : the rows to work on

    Notes
    -----
    Clips about the median, by the standard deviation about the mean, at most five times; the last
    bounds count for all differences, as in `astropy.stats.sigma_clip`.  Most pixels are seen to
    need no clipping.  What is left of a column of the others is a range of its sorted samples, so
    its median is at hand in every round.
    """
    nx = data.shape[3]
    if pairs.shape[0] == 0:
        return
    n = np.sum(usual[:, first:last] & usual[:, first - 1 : last - 1])
    width = columns_at_once(nx)
    samples = np.empty((n, width), np.float32)
    suspect = np.empty(width, np.bool_)
    pixels = np.empty(BATCH + nx, np.int32)
    found = 0
    for y in range(row_start, row_stop):
        for start in range(0, nx, width):
            stop = min(start + width, nx)
            suspects = suspect[: stop - start]
            take_differences(
                data, groupdq, gain, usual, first, last, y, start, stop, False, samples, suspects
            )
            if n > 0:
                find_suspects(samples, threshold, suspects)
            for column in range(stop - start):
                if suspects[column]:
                    pixels[found] = y * nx + start + column
                    found += 1
        if found < BATCH and y < row_stop - 1:
            continue  # few are better sorted together with those of the next row
        for begin in range(0, found, BATCH):
            clip_pixels(
                data, groupdq, gain, threshold, pairs, network,
                pixels[begin : min(begin + BATCH, found)],
            )  # fmt: skip
        found = 0
