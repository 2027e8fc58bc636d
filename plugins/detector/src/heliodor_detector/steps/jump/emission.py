"""What showers are found by: differences that are a little too large, over many pixels."""

from __future__ import annotations

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.kernels import helper, kernel

from heliodor_detector.medians import columns_at_once, sort_columns
from heliodor_detector.steps.jump.differences import INFINITE, NAN

FLAGGED = np.uint8(DO_NOT_USE | SATURATED | JUMP_DET)


@helper
def clean_difference(data, groupdq, gain, integration, group, y, x):
    """Give the step from the group before to `group` [e-]; NaN if either has any flag."""
    flags = groupdq[integration, group - 1, y, x] | groupdq[integration, group, y, x]
    step = (
        data[integration, group, y, x] * gain[y, x]
        - data[integration, group - 1, y, x] * gain[y, x]
    )
    return step if (flags & FLAGGED == 0) & (abs(step) < INFINITE) else NAN


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f4[:,::1], f4, f4[:,::1], f4[:,::1], i4[:,::1],"
    " i8, i8)"
)
def measure_levels(
    data, groupdq, gain, readnoise, nframes, level, noise, network, row_start, row_stop
):
    """Measure median and noise of the differences without jumps of every pixel.

    Parameters
    ----------
    data, groupdq, gain, readnoise, nframes : as for `outliers.flag_outliers`
    level : (ny, nx) float32 [e-], the median; NaN if there is no difference; set
    noise : (ny, nx) float32 [e-], photon noise of the median and read noise; set
    network : `heliodor_detector.medians.sorting_network` of ``nints * (ngroups - 1)``
    row_start, row_stop : the rows to work on
    """
    nints, ngroups, _, nx = data.shape
    total = nints * (ngroups - 1)
    width = min(columns_at_once(total), nx)
    samples = np.empty((total, width), np.float32)
    count = np.empty(width, np.int32)
    for y in range(row_start, row_stop):
        for start in range(0, nx, width):
            stop = min(start + width, nx)
            count[:] = 0
            for integration in range(nints):
                for group in range(1, ngroups):
                    row = samples[integration * (ngroups - 1) + group - 1]
                    for x in range(start, stop):
                        step = clean_difference(data, groupdq, gain, integration, group, y, x)
                        row[x - start] = INFINITE if np.isnan(step) else step
                    for column in range(stop - start):
                        count[column] += row[column] < INFINITE
            sort_columns(samples, network)
            for column in range(stop - start):
                x = start + column
                usable = count[column]
                if usable == 0:
                    level[y, x] = noise[y, x] = NAN
                    continue
                median = samples[(usable - 1) // 2, column] + samples[usable // 2, column]
                median = median / np.float32(2.0)
                read = readnoise[y, x] * gain[y, x]
                level[y, x] = median
                noise[y, x] = np.sqrt(abs(median) + read * read / nframes)


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], b1[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], i8[:,::1],"
    " f8, i8, i8, u1[:,::1])"
)
def find_emission(
    data, groupdq, left_out, gain, level, noise, ring, threshold, integration, group, emission
):
    """Mark the pixels around which the differences of one group are too large on average.

    Parameters
    ----------
    data, groupdq, gain : of the ramp
    left_out : (ny, nx) bool, pixels that are not to be used
    level, noise : (ny, nx) float32 [e-], what differences are and how much they scatter
    ring : (n, 2) int64, the pixels (dy, dx) averaged for one
    threshold : of the mean size of ``(difference - level) / noise``
    integration, group : which
    emission : (ny, nx) uint8; set to 1 where the mean exceeds `threshold`, else 0

    Notes
    -----
    Pixels without a difference take no part and are not marked.  Beyond the edge there is no
    signal, and it counts.
    """
    ny, nx = gain.shape
    ratio = np.empty((ny, nx), np.float32)
    for y in range(ny):
        for x in range(nx):
            step = clean_difference(data, groupdq, gain, integration, group, y, x)
            value = abs(step - level[y, x]) / noise[y, x]
            ratio[y, x] = NAN if left_out[y, x] else value
    total = np.empty(nx)
    count = np.empty(nx)
    for y in range(ny):
        total[:] = 0.0
        count[:] = ring.shape[0]
        for tap in range(ring.shape[0]):
            dy, dx = ring[tap]
            if not 0 <= y + dy < ny:
                continue
            start = max(0, -dx)
            stop = max(start, min(nx, nx - dx))
            values = ratio[y + dy, start + dx : stop + dx]
            totals = total[start:stop]
            counts = count[start:stop]
            for x in range(values.size):
                good = abs(values[x]) < INFINITE
                totals[x] += np.float64(values[x]) if good else 0.0
                counts[x] -= 0.0 if good else 1.0
        for x in range(nx):
            good = abs(ratio[y, x]) < INFINITE
            emission[y, x] = good & (count[x] > 0.0) & (total[x] > threshold * count[x])


@helper
def mean_step(data, flags, gain, y, x):
    """Take the mean of the differences of a pixel [e-] between groups without `flags`.

    Parameters
    ----------
    data : (ngroups, ny, nx) float32 [DN], one integration
    flags : (ngroups,) uint8
    gain : (ny, nx) float32 [e-/DN]

    Returns
    -------
    float32; NaN if there is none.  Summed in single precision, as in operations
    """
    total = np.float32(0.0)
    count = 0
    for group in range(1, flags.size):
        step = data[group, y, x] * gain[y, x] - data[group - 1, y, x] * gain[y, x]
        if (flags[group - 1] | flags[group]) & FLAGGED == 0 and abs(step) < INFINITE:
            total += step
            count += 1
    return total / np.float32(count) if count else NAN


@kernel("void(f4[:,:,::1], u1[:,:,::1], u1[:,::1], i8[:], i8[:], f4[:,::1], f4[::1])")
def undo_large(data, groupdq, before, y, x, gain, largest):
    """Take back flags of showers where they change the slope more than a shower can.

    Parameters
    ----------
    data, groupdq : (ngroups, ny, nx), one integration; GROUPDQ is changed in place
    before : (n, ngroups) uint8, the flags of `n` pixels without showers
    y, x : (n,) int64, their places
    gain : (ny, nx) float32 [e-/DN]
    largest : (n,) float32, change of the mean difference [e-]
    """
    for pixel in range(y.size):
        row, column = y[pixel], x[pixel]
        without = mean_step(data, before[pixel], gain, row, column)
        with_showers = mean_step(data, groupdq[:, row, column], gain, row, column)
        if not abs(without - with_showers) <= largest[pixel]:
            for group in range(groupdq.shape[0]):
                groupdq[group, row, column] = before[pixel, group]
