"""What follows from jumps: flags of neighbours, of later groups, and the order of flags."""

from __future__ import annotations

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.kernels import helper, kernel

from heliodor_detector.medians import sort_columns
from heliodor_detector.steps.jump.differences import (
    BATCH,
    JUMP,
    NOT_JUMP,
    UNUSABLE,
    count_usable,
    difference,
    gather_differences,
    variance_of,
)

CHUNK = 64
"""Pixels of which one look says that there is no jump, as mostly."""

JUMP_OR_DO_NOT_USE = JUMP | np.uint8(DO_NOT_USE)


@helper
def any_flags(groupdq, y, flags):
    """Join the flags of all groups of a row of pixels."""
    flags[:] = 0
    for integration in range(groupdq.shape[0]):
        for group in range(groupdq.shape[1]):
            row = groupdq[integration, group, y]
            for x in range(row.size):
                flags[x] |= row[x]


@helper
def join_flags(flags):
    """Join the flags of a run of pixels."""
    joined = np.uint8(0)
    for x in range(flags.size):
        joined |= flags[x]
    return joined


@helper
def is_full(plane):
    """Say whether every pixel is JUMP_DET or DO_NOT_USE."""
    for y in range(plane.shape[0]):
        row = plane[y]
        for x in range(row.size):
            if row[x] & JUMP_OR_DO_NOT_USE == 0:
                return False
    return True


@helper
def find_sources(
    data, groupdq, gain, readnoise, nframes, median, minimum, maximum, integration, group, y,
    sources,
):  # fmt: skip
    """Mark the jumps of a row that have their neighbours flagged, and count them."""
    flags = groupdq[integration, group, y]
    found = 0
    if not join_flags(flags) & JUMP:
        return found
    for start in range(0, flags.size, CHUNK):
        stop = min(start + CHUNK, flags.size)
        if not join_flags(flags[start:stop]) & JUMP:
            continue
        for x in range(start, stop):
            if flags[x] & JUMP:
                step = difference(data, groupdq, gain, integration, group, y, x)
                sigma = np.sqrt(variance_of(median[y, x], gain, readnoise, nframes, y, x))
                height = abs(np.float64(step) - median[y, x]) / sigma
                if minimum < height < maximum and sigma > 0.0:
                    sources[x] = 1
                    found += 1
    return found


@helper
def median_of(ordered, column):
    """Give the median of what is finite in a sorted column; NaN if nothing is."""
    count = count_usable(ordered, column)
    if count == 0:
        return np.nan
    lower = np.float64(ordered[(count - 1) // 2, column])
    upper = np.float64(ordered[count // 2, column])
    return (lower + upper) / 2.0


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f8[:,::1], i4[:,::1], i4[:,::1], i8, i8)")
def note_medians(data, groupdq, gain, median, pairs, network, row_start, row_stop):
    """Take the median of all differences of the pixels that have a jump.

    Parameters
    ----------
    data, groupdq, gain : of the ramp
    median : (ny, nx) float64 [e-]; set where JUMP_DET is in any group and it still is zero
    pairs : (n, 2) int32, the differences, of `differences.list_pairs`
    network : `heliodor_detector.medians.sorting_network` (n)
    row_start, row_stop : the rows to work on
    """
    nx = data.shape[3]
    flags = np.empty(nx, np.uint8)
    pixels = np.empty((row_stop - row_start) * nx, np.int32)
    found = 0
    for y in range(row_start, row_stop):
        any_flags(groupdq, y, flags)
        for x in range(nx):
            if flags[x] & JUMP and median[y, x] == 0.0:
                pixels[found] = y * nx + x
                found += 1
    for first in range(0, found, BATCH):
        batch = pixels[first : min(first + BATCH, found)]
        samples = np.empty((pairs.shape[0], batch.size), np.float32)
        gather_differences(data, groupdq, gain, pairs, batch, False, samples)
        sort_columns(samples, network)
        for column in range(batch.size):
            y, x = divmod(batch[column], nx)
            median[y, x] = median_of(samples, column)


@kernel("i8(u1[:,:,:,::1], b1, i8)")
def count_jumps(groupdq, clear_full, integration):
    """Count the jumps of an integration, having made sure that no group is nothing but jumps.

    Parameters
    ----------
    groupdq : (nints, ngroups, ny, nx) uint8; changed in place
    clear_full : remove JUMP_DET, where it is the only flag, from groups in which every pixel is
        JUMP_DET or DO_NOT_USE: then something else happened than cosmic rays
    integration : index

    Returns
    -------
    number of samples with JUMP_DET
    """
    _, ngroups, ny, nx = groupdq.shape
    jumps = 0
    for group in range(ngroups):
        if clear_full and is_full(groupdq[integration, group]):
            for y in range(ny):
                row = groupdq[integration, group, y]
                for x in range(nx):
                    row[x] = 0 if row[x] == JUMP else row[x]
        for y in range(ny):
            row = groupdq[integration, group, y]
            for x in range(nx):
                jumps += row[x] & JUMP != 0
    return jumps


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f4[:,::1], f8, f8[:,::1], f8, f8, i8)")
def flag_neighbours(data, groupdq, gain, readnoise, nframes, median, minimum, maximum, integration):
    """Flag the four neighbours of jumps within a range of heights.

    Parameters
    ----------
    data, groupdq, gain, readnoise, nframes : as for `flag_outliers`
    median : (ny, nx) float64 [e-], of `note_medians`
    minimum, maximum : height of jumps that have their neighbours flagged [sigma], exclusive
    integration : index

    Notes
    -----
    Neighbours that are saturated or not to be used stay as they are.  A row is flagged when the
    jumps of the next one are known, so that flagged neighbours do not count as jumps themselves.
    """
    _, ngroups, ny, nx = data.shape
    above = np.zeros(nx, np.uint8)
    here = np.zeros(nx, np.uint8)
    below = np.zeros(nx, np.uint8)
    for group in range(1, ngroups):
        here[:] = 0
        below[:] = 0
        n_here = n_below = 0
        for y in range(ny + 1):
            above, here, below = here, below, above
            n_above, n_here, n_below = n_here, n_below, 0
            below[:] = 0
            if y < ny:
                n_below = find_sources(
                    data, groupdq, gain, readnoise, nframes, median, minimum, maximum,
                    integration, group, y, below,
                )  # fmt: skip
            if y == 0 or n_above + n_here + n_below == 0:
                continue
            row = groupdq[integration, group, y - 1]
            for x in range(nx):
                near = above[x] | below[x]
                if x > 0:
                    near |= here[x - 1]
                if x + 1 < nx:
                    near |= here[x + 1]
                if near and row[x] & UNUSABLE == 0:
                    row[x] |= JUMP


@kernel("void(u1[:,:,:,::1], i8)")
def drop_redundant(groupdq, integration):
    """Remove JUMP_DET where a sample is SATURATED or DO_NOT_USE as well."""
    _, ngroups, ny, nx = groupdq.shape
    for group in range(ngroups):
        for y in range(ny):
            row = groupdq[integration, group, y]
            for x in range(nx):
                row[x] = row[x] & NOT_JUMP if row[x] & UNUSABLE else row[x]


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f8[:,::1], f8[::1], i8[::1], i8, i8)")
def flag_after(data, groupdq, gain, median, heights, lengths, row_start, row_stop):
    """Flag groups after large jumps, while the detector recovers.

    Parameters
    ----------
    data, groupdq, gain : as for `flag_outliers`
    median : (ny, nx) float64 [e-], of `note_medians`
    heights : (n,) float64 [e-], smallest height of a jump
    lengths : (n,) int64, how many groups are flagged after a jump of that height
    row_start, row_stop : the rows to work on
    """
    nints, ngroups, _, nx = data.shape
    flags = np.empty(nx, np.uint8)
    for y in range(row_start, row_stop):
        any_flags(groupdq, y, flags)
        for x in range(nx):
            if not flags[x] & JUMP:
                continue
            for integration in range(nints):
                last = -1
                for group in range(1, ngroups):
                    if groupdq[integration, group, y, x] & JUMP:
                        step = difference(data, groupdq, gain, integration, group, y, x)
                        height = np.float64(step) - median[y, x]
                        for rule in range(heights.size):
                            if height >= heights[rule]:
                                last = max(last, group + lengths[rule])
                    if group <= last and groupdq[integration, group, y, x] & UNUSABLE == 0:
                        groupdq[integration, group, y, x] |= JUMP
