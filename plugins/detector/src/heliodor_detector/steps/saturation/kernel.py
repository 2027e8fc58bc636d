"""Search for saturated samples, in three looks at the rows of one integration.

Saturation lasts: a pixel is described by the first group in which it is saturated, so that the
neighbours it spoils are found by a minimum over a box.  Each kernel reads its neighbours only in
planes that it does not change, hence rows can be done in any order.
"""

import numpy as np
from heliodor.bits import AD_FLOOR, DO_NOT_USE, SATURATED
from heliodor.kernels import kernel

FLOOR = AD_FLOOR | DO_NOT_USE


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], u2[:,:,::1], i8, i8, i8)")
def find_saturation(data, groupdq, threshold, first, integration, row_start, row_stop):
    """Find the first saturated group of each pixel, and flag samples at the converter's floor.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8; AD_FLOOR and DO_NOT_USE are set where data <= 0
    threshold : (ny, nx) float32 [DN]
    first : (nints, ny, nx) uint16; becomes the first group with data >= threshold or already
        SATURATED, and ngroups where there is none
    integration, row_start, row_stop : the piece
    """
    ngroups = data.shape[1]
    for y in range(row_start, row_stop):
        earliest = first[integration, y]
        for x in range(earliest.size):
            earliest[x] = ngroups
    for group in range(ngroups - 1, -1, -1):
        this = np.uint16(group)
        for y in range(row_start, row_stop):
            limit = threshold[y]
            earliest = first[integration, y]
            row = data[integration, group, y]
            dq = groupdq[integration, group, y]
            for x in range(row.size):
                saturated = (row[x] >= limit[x]) | ((dq[x] & SATURATED) != 0)
                earliest[x] = this if saturated else earliest[x]
                dq[x] |= FLOOR if row[x] <= 0.0 else 0


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], b1[:,::1], u2[:,:,::1], u2[:,:,::1],"
    " f8[::1], i8, i8, i8, i8)"
)
def flag_saturation(
    data,
    groupdq,
    threshold,
    unchecked,
    first,
    hidden,
    dilution,
    grow,
    integration,
    row_start,
    row_stop,
):
    """Flag saturated samples and their neighbours, to the end of the ramp.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8; SATURATED is set
    threshold : (ny, nx) float32 [DN]
    unchecked : (ny, nx) bool; pixels without a threshold of their own
    first : (nints, ny, nx) uint16, as `find_saturation` leaves it
    hidden : (nints, ny, nx) uint16; becomes 1 + the group before the first flagged one where
        that group's average may hide saturation, else stays 0
    dilution : (ngroups,) float64; the mean over the last of a group's frame numbers, by which a
        group's average is lower than its last frame; empty for groups of one frame
    grow : how far neighbours are flagged [pixel]
    integration, row_start, row_stop : the piece
    """
    ngroups, ny, nx = data.shape[1:]
    column = np.empty(nx, np.uint16)
    reach = np.empty(nx, np.uint16)
    for y in range(row_start, row_stop):
        start = ngroups
        for x in range(nx):
            column[x] = ngroups
        for near in range(max(y - grow, 0), min(y + grow + 1, ny)):
            other = first[integration, near]
            for x in range(nx):
                column[x] = min(column[x], other[x])
        for x in range(nx):
            reach[x] = column[x]
            start = min(start, column[x])
        if start == ngroups:
            continue
        for shift in range(1, min(grow, nx - 1) + 1):
            for x in range(nx - shift):
                reach[x] = min(reach[x], column[x + shift])
            for x in range(shift, nx):
                reach[x] = min(reach[x], column[x - shift])
        for group in range(start, ngroups):
            dq = groupdq[integration, group, y]
            this = np.uint16(group)
            for x in range(nx):
                dq[x] |= SATURATED if reach[x] <= this else 0
        if dilution.size == 0:
            continue
        for x in range(nx):
            if reach[x] == 0 or reach[x] == ngroups or unchecked[y, x]:
                continue
            group = reach[x] - 1
            if groupdq[integration, group, y, x] & DO_NOT_USE:
                continue
            if np.float64(data[integration, group, y, x]) >= (
                np.float64(threshold[y, x]) * dilution[group]
            ):
                hidden[integration, y, x] = group + 1


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,::1], f4[:,::1], u2[:,:,::1], i8, i8, i8, i8, i8)")
def flag_hidden_saturation(
    data, groupdq, threshold, bias, hidden, nframes, grow, integration, row_start, row_stop
):
    """Reject groups whose average over several frames hides that the last ones are saturated.

    These are the groups in `hidden` with their neighbours, and the second group of a pixel
    saturated in the third, if the first group does not announce it and the step from first to
    second is so large that the last frame of the second may have been saturated.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8; DO_NOT_USE is set
    threshold : (ny, nx) float32 [DN]
    bias : (ny, nx) float32 [DN]
    hidden : (nints, ny, nx) uint16, as `flag_saturation` leaves it
    nframes : frames averaged in a group
    grow : how far neighbours are flagged [pixel]
    integration, row_start, row_stop : the piece
    """
    ngroups, ny, nx = data.shape[1:]
    first_mean = 0.5 * (nframes + 1)
    third_last = 3 * nframes
    for y in range(row_start, row_stop):
        for near in range(max(y - grow, 0), min(y + grow + 1, ny)):
            marks = hidden[integration, near]
            found = 0
            for x in range(nx):
                found |= marks[x]
            if found == 0:
                continue
            for x in range(nx):
                if marks[x]:
                    dq = groupdq[integration, marks[x] - 1, y]
                    for beside in range(max(x - grow, 0), min(x + grow + 1, nx)):
                        dq[beside] |= DO_NOT_USE
        if ngroups < 3:
            continue
        second = groupdq[integration, 1, y]
        third = groupdq[integration, 2, y]
        found = 0
        for x in range(nx):
            found |= third[x] & ~second[x] & SATURATED
        if found == 0:
            continue
        for x in range(nx):
            if third[x] & ~second[x] & SATURATED == 0:
                continue
            # single precision where the operational pipeline has it: flags hang on it
            first = data[integration, 0, y, x]
            step = data[integration, 1, y, x] - first
            limit = threshold[y, x]
            signal = np.float64(first - bias[y, x])
            expected = signal / first_mean * third_last + np.float64(bias[y, x])
            if expected < np.float64(limit) and step > (limit - first) / np.float32(nframes):
                second[x] |= DO_NOT_USE
