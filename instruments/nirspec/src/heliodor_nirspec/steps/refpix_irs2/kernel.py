"""What is done along time sequences, each stored as slots by lines: slot after slot, then line."""

import numpy as np
from heliodor.kernels import helper, kernel


@kernel("void(f4[:,:,:,::1], f8[:,:,::1], i8, i8, i8)")
def centre(data, average, integration, row_start, row_stop):
    """Take away the average over groups.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32; changed in place
    average : (nints, ny, nx) float64, zero; the result
    integration, row_start, row_stop : the piece
    """
    ngroups = data.shape[1]
    for y in range(row_start, row_stop):
        mean = average[integration, y]
        for group in range(ngroups):
            row = data[integration, group, y]
            for x in range(row.size):
                mean[x] += row[x]
        for x in range(mean.size):
            mean[x] /= ngroups
        for group in range(ngroups):
            row = data[integration, group, y]
            for x in range(row.size):
                row[x] -= mean[x]


@kernel("void(f4[:,::1], i8[::1], i8, f4, f4)")
def subtract_line(series, slots, nslots, intercept, slope):
    """Subtract a straight line in time in single precision; zeros stay, as gaps do.

    Parameters
    ----------
    series : (n, nlines) float32, some slots of each line; changed in place
    slots : (n,) int64, which
    nslots : length of a line
    intercept, slope : at the middle of the sequence, and for one slot
    """
    nlines = series.shape[1]
    middle = 0.5 * (nslots * nlines - 1)
    for place in range(slots.size):
        row = series[place]
        first = np.float64(slots[place]) - middle
        for line in range(nlines):
            drift = intercept + np.float32(first + nslots * line) * slope
            row[line] -= drift if row[line] != 0 else np.float32(0)


@helper
def _interpolated(series, slot, line, weights):
    """Weigh the samples near one."""
    nslots, nlines = series.shape
    reach = weights.size // 2
    total, weight = 0.0, 0.0
    for step in range(-reach, reach + 1):
        over, near = divmod(slot + step, nslots)
        value = series[near, (line + over) % nlines]
        total += weights[reach - step] * value
        weight += weights[reach - step] if value != 0 else 0.0
    return np.float32(total) / np.float32(weight) if weight != 0 else np.float32(0)


@kernel("void(f4[:,::1], f8[::1], f8[:,::1], f4[:,::1])")
def interpolate(series, weights, sums, filled):
    """Fill gaps with weighted means of what is near; the sequence is taken to be periodic.

    Parameters
    ----------
    series : (nslots, nlines) float32, zero in gaps
    weights : (2 * reach + 1,) float64
    sums : (2, nlines) float64, scratch
    filled : (nslots, nlines) float32; the result, zero where nothing is near
    """
    nslots, nlines = series.shape
    reach = weights.size // 2
    totals, counts = sums[0], sums[1]
    for slot in range(nslots):
        row = series[slot]
        out = filled[slot]
        known = 0
        for line in range(nlines):
            out[line] = row[line]
            known += row[line] != 0
        if known:  # a few samples
            for line in range(nlines):
                if row[line] == 0:
                    out[line] = _interpolated(series, slot, line, weights)
            continue
        for line in range(nlines):
            totals[line] = 0.0
            counts[line] = 0.0
        for step in range(-reach, reach + 1):
            over, near = divmod(slot + step, nslots)
            over %= nlines
            weight = weights[reach - step]
            same = nlines - over
            for start, stop, shift in ((0, same, over), (same, nlines, -same)):
                for line in range(start, stop):
                    value = series[near, line + shift]
                    totals[line] += weight * value
                    counts[line] += weight if value != 0 else 0.0
        for line in range(nlines):
            if counts[line] != 0:
                out[line] = np.float32(totals[line]) / np.float32(counts[line])


@kernel("void(f4[:,::1], f4[:,::1], f8[:,::1], i8[::1], i8[::1], b1, f4[:,::1])")
def restore(series, signal, average, places, rows, mirrored, image):
    """Write a corrected sector back into its image.

    Parameters
    ----------
    series : (n, nlines) float32
    signal : (m, nlines) float32, subtracted
    average : (ny, nlines) float64, added
    places : (m,) int64, rows of `series`
    rows : (m,) int64, rows of the image
    mirrored : whether the lines are read from the last column of the image to the first
    image : (ny, nlines) float32; these rows are set
    """
    nlines = series.shape[1]
    for each in range(rows.size):
        out, level = image[rows[each]], average[rows[each]]
        value, drift = series[places[each]], signal[each]
        if mirrored:
            for line in range(nlines):
                x = nlines - 1 - line
                out[x] = np.float64(value[line] - drift[line]) + level[x]
        else:
            for line in range(nlines):
                out[line] = np.float64(value[line] - drift[line]) + level[line]
