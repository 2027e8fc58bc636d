"""Jumps as differences that stand out among those of the same pixel."""

from __future__ import annotations

import numpy as np
from heliodor.kernels import helper, kernel

from heliodor_detector.medians import sort_columns
from heliodor_detector.steps.jump.differences import (
    BATCH,
    INFINITE,
    JUMP,
    count_usable,
    difference,
    gather_differences,
    variance_of,
)
from heliodor_detector.steps.jump.screening import (
    CAUTION,
    CLOSE,
    columns_at_once,
    count_below,
    find_extremes,
    take_differences,
)


@helper
def median_of(sorted_samples, column, low, high, clip):
    """Give the median of the sorted samples ``low <= i < high`` of a column.

    Parameters
    ----------
    clip : with four samples or more leave out the largest (and all equal to it); with two take
        the smaller one

    Returns
    -------
    float64; NaN if all samples are left out
    """
    if clip:
        if high - low == 2:
            high -= 1
        elif high - low >= 4:
            largest = sorted_samples[high - 1, column]
            while high > low and sorted_samples[high - 1, column] == largest:
                high -= 1
            if high == low:
                return np.nan
    middle = (low + high) // 2
    upper = np.float64(sorted_samples[middle, column])
    if (high - low) % 2:
        return upper
    return (np.float64(sorted_samples[middle - 1, column]) + upper) / 2.0


@helper
def find_suspects(samples, electrons, noise_dn, nframes, thresholds, iterative, suspect):
    """Find the pixels that may have a jump.

    Parameters
    ----------
    samples : (n, at least width) float32 [e-], of `take_differences`; at least two
    electrons, noise_dn : (width,) float32, gain [e-/DN] and read noise [DN]
    nframes, thresholds, iterative : see `flag_outliers`
    suspect : (width,) bool; set where it was not.  Pixels with a missing sample are suspects
    """
    n, width = samples.shape[0], suspect.size
    work = np.empty((5, width), np.float32)
    mean, smallest, largest, low, high = work[0], work[1], work[2], work[3], work[4]
    counts = np.empty((3, width), np.int32)
    n_low, n_high, kept = counts[0], counts[1], counts[2]
    limit = np.float32(threshold_for(thresholds, n, iterative)) * CAUTION
    close = np.float32(CLOSE / np.sqrt(n))
    frames = np.float32(nframes)

    find_extremes(samples, mean, smallest, largest)
    for column in range(width):
        middle = samples[0, column] + mean[column]
        noise = noise_dn[column] * electrons[column]
        reach = close * np.sqrt(abs(middle) + noise * noise / frames)
        low[column] = middle - reach
        high[column] = middle + reach
    count_below(samples, low, n_low)
    count_below(samples, high, n_high)
    if iterative and n >= 4:
        count_below(samples, largest, kept)
    else:
        kept[:] = n - 1 if iterative and n == 2 else n  # see `median_of`
    for column in range(width):
        inside = (n_low[column] <= (kept[column] - 1) >> 1) & (n_high[column] > kept[column] >> 1)
        reach = max(largest[column] - low[column], high[column] - smallest[column])
        least = max(low[column], -high[column], np.float32(0.0))
        noise = noise_dn[column] * electrons[column]
        quiet = reach <= limit * np.sqrt(least + noise * noise / frames)
        # no number is less than NaN: what is not known to be inside is suspect
        suspect[column] |= not (inside & quiet)


@helper
def threshold_for(thresholds, usable, iterative):
    """Give the threshold [sigma] for a pixel with that many usable differences."""
    return thresholds[min(usable, 4) - 2] if iterative else thresholds[2]


@helper
def unsuspicious_range(run, column, usable, gain, readnoise, nframes, thresholds, iterative, y, x):
    """Find the range of differences of one pixel that are no jumps, from its sorted column.

    Returns
    -------
    low, high : float32 [e-], both inside; ``low > high`` if all are jumps
    """
    first = 0
    last = usable
    median = median_of(run, column, first, last, iterative)
    while last - first >= 2:
        sigma = np.sqrt(variance_of(median, gain, readnoise, nframes, y, x))
        top = significance(run[last - 1, column], median, sigma, iterative)
        bottom = significance(run[first, column], median, sigma, iterative)
        worst = max(top, bottom)
        limit = threshold_for(thresholds, last - first, iterative)
        if sigma == 0.0 or not worst > limit:  # NaN is no jump
            break
        # one by one all that are equally bad, or in a single pass all that are bad
        while last > first and exceeds(
            run[last - 1, column], median, sigma, worst, limit, iterative
        ):
            last -= 1
        while first < last and exceeds(run[first, column], median, sigma, worst, limit, iterative):
            first += 1
        if not iterative:
            break
        # the operational pipeline keeps the medians of later rounds in single precision
        median = np.float64(np.float32(median_of(run, column, first, last, iterative)))
    if first == last:
        return INFINITE, -INFINITE
    low = run[first, column] if first > 0 else -INFINITE
    high = run[last - 1, column] if last < usable else INFINITE
    return low, high


@helper
def significance(step, median, sigma, iterative):
    """Give the distance of a difference from the median in units of sigma."""
    distance = np.float64(step) - median
    if iterative:
        distance = np.float64(np.float32(distance))  # as the operational pipeline stores it
    return abs(distance) / sigma


@helper
def exceeds(step, median, sigma, worst, limit, iterative):
    """Say whether a difference is to be taken out in this round."""
    ratio = significance(step, median, sigma, iterative)
    return ratio == worst if iterative else ratio > limit


@helper
def flag_outside(data, groupdq, gain, y, x, low, high, absolute):
    """Flag the groups of a pixel whose step is outside ``low`` to ``high`` (NaN is not)."""
    for integration in range(data.shape[0]):
        for group in range(1, data.shape[1]):
            step = difference(data, groupdq, gain, integration, group, y, x)
            if absolute:
                step = abs(step)
            if step < low or step > high:
                groupdq[integration, group, y, x] |= JUMP


@helper
def flag_pixels(
    data, groupdq, gain, readnoise, nframes, thresholds, iterative, pairs, network, pixels
):
    """Flag the jumps of scattered pixels."""
    samples = np.empty((pairs.shape[0], pixels.size), np.float32)
    gather_differences(data, groupdq, gain, pairs, pixels, iterative, samples)
    sort_columns(samples, network)
    for column in range(pixels.size):
        y, x = divmod(pixels[column], data.shape[3])
        usable = count_usable(samples, column)
        if usable < 2:
            continue
        low, high = unsuspicious_range(
            samples, column, usable, gain, readnoise, nframes, thresholds, iterative, y, x
        )
        if low > -INFINITE or high < INFINITE:
            flag_outside(data, groupdq, gain, y, x, low, high, iterative)


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f4[:,::1], f8, f8[::1], b1, b1[:,::1],"
    " i4[:,::1], i4[:,::1], i8, i8)"
)
def flag_outliers(
    data, groupdq, gain, readnoise, nframes, thresholds, iterative, usual, pairs, network,
    row_start, row_stop,
):  # fmt: skip
    """Flag the groups whose step is too large for the noise, over all integrations together.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8; JUMP_DET is set in place
    gain : (ny, nx) float32 [e-/DN]
    readnoise : (ny, nx) float32 [DN], of the difference of two frames
    nframes : frames averaged in a group
    thresholds : (3,) float64 [sigma], for pixels with two, three, and more usable differences
    iterative : look for one jump after another, with a new median each time
    usual : (nints, ngroups) bool, of `differences.usual_groups`
    pairs : (n, 2) int32, the differences that some pixel can have, of `differences.list_pairs`
    network : `heliodor_detector.medians.sorting_network` (n)
    row_start, row_stop : the rows to work on

    Notes
    -----
    Two-point difference method (Anderson & Gordon 2011, PASP 123, 1237).  Most pixels are seen to
    have no jump without knowing their median.  The others of a row are sorted together and looked
    at closely.
    """
    _, ngroups, _, nx = data.shape
    n = np.sum(usual[:, 1:] & usual[:, :-1])
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
                data, groupdq, gain, usual, 1, ngroups, y, start, stop, iterative, samples,
                suspects,
            )  # fmt: skip
            if n >= 2:
                find_suspects(
                    samples, gain[y, start:stop], readnoise[y, start:stop], nframes, thresholds,
                    iterative, suspects,
                )  # fmt: skip
            for column in range(stop - start):
                if suspects[column]:
                    pixels[found] = y * nx + start + column
                    found += 1
        if found < BATCH and y < row_stop - 1:
            continue  # few are better sorted together with those of the next row
        for first in range(0, found, BATCH):
            flag_pixels(
                data, groupdq, gain, readnoise, nframes, thresholds, iterative, pairs, network,
                pixels[first : min(first + BATCH, found)],
            )  # fmt: skip
        found = 0
