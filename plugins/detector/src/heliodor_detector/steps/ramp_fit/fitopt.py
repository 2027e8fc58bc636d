"""The optional product: the fit of every single segment."""

import numpy as np
from heliodor.bits import JUMP_DET, SATURATED
from heliodor.kernels import kernel

from heliodor_detector.steps.ramp_fit.ramps import Exposure, find_segments, new_scratch, read_ramp
from heliodor_detector.steps.ramp_fit.rows import SLOPE
from heliodor_detector.steps.ramp_fit.segments import (
    poisson_variance,
    read_variance,
    segment_slope,
    weighted_sums,
)

FITS = ("slope", "sigslope", "var_poisson", "var_rnoise", "yint", "sigyint", "weights")
"""Planes that have a value for each segment, in the order of the kernel."""


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,:,::1], f4[:,:,::1], UniTuple(i8, 4),"
    " UniTuple(f8, 3), b1, i8[:,::1], i8, i8)"
)
def count_segments(
    data, groupdq, zeroframe, weights, groups, clock, suppress, most, row_start, row_stop
):
    """Count segments and jumps, for the size of the product.

    Parameters
    ----------
    data, groupdq, zeroframe, weights, groups, clock, suppress : see `fit_ramps`
    most : (ny, 2) int64; set to the largest number of segments, and of jumps, of a row's ramps
    row_start, row_stop : the piece
    """
    nints, ngroups, _, nx = data.shape
    n = groups[1] - groups[0]
    exposure = Exposure(data, groupdq, zeroframe, weights, groups, clock, suppress)
    scratch = new_scratch(ngroups)
    flags = scratch.flags
    for y in range(row_start, row_stop):
        most[y] = 0
        for i in range(nints):
            for x in range(nx):
                read_ramp(exposure, i, y, x, scratch)
                if flags[0] & SATURATED == 0:
                    most[y, 0] = max(most[y, 0], find_segments(scratch, n))
                jumps = 0
                for k in range(1, n):
                    jumps += (flags[k] & JUMP_DET) != 0
                most[y, 1] = max(most[y, 1], jumps)


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[:,::1],"
    " f4[:,:,::1], f8[:,::1], f4[:,:,:,::1], UniTuple(i8, 4), UniTuple(f8, 3), b1, f8,"
    " f4[:,:,:,:,::1], f4[:,:,::1], f4[:,:,:,::1], i8, i8)"
)
def describe_segments(
    data,
    groupdq,
    zeroframe,
    gain,
    readnoise,
    dark,
    weights,
    rates,
    rateints,
    groups,
    clock,
    suppress,
    lead,
    fits,
    pedestal,
    crmag,
    row_start,
    row_stop,
):
    """Fit every segment by itself.

    Parameters
    ----------
    data, groupdq, zeroframe, gain, readnoise, dark, weights, groups, clock, suppress : see
        `fit_ramps`
    rates : (ny, nx) float64 [DN/s], median over the exposure
    rateints : see `fit_ramps`; not `data` itself
    lead : mean time of the first group since the reset [s]
    fits : (7, nints, nsegments, ny, nx) float32 zeros; filled in the order of `FITS`
    pedestal : (nints, ny, nx) float32; set to the value at the beginning of the integration [DN]
    crmag : (nints, njumps, ny, nx) float32 zeros; filled with the step at each jump [DN]
    row_start, row_stop : the piece
    """
    nints, ngroups, _, nx = data.shape
    start = groups[0]
    n = groups[1] - start
    group_time = clock[0]
    exposure = Exposure(data, groupdq, zeroframe, weights, groups, clock, suppress)
    scratch = new_scratch(ngroups)
    values, flags = scratch.values, scratch.flags
    for i in range(nints):
        for y in range(row_start, row_stop):
            for x in range(nx):
                _, _, _, time, _ = read_ramp(exposure, i, y, x, scratch)
                jump = 0
                for k in range(1, n):
                    if flags[k] & JUMP_DET:
                        # not values[k - 1]: that may be the first frame
                        saturated = groupdq[i, start + k - 1, y, x] & SATURATED
                        before = data[i, start + k - 1, y, x]
                        crmag[i, jump, y, x] = np.nan if saturated else values[k] - before
                        jump += 1
                level = values[0] - rateints[i, SLOPE, y, x] * lead
                pedestal[i, y, x] = 0.0 if np.isnan(level) else level
                if flags[0] & SATURATED:
                    continue

                g, noise = np.float64(gain[y, x]), np.float64(readnoise[y, x])
                for s in range(find_segments(scratch, n)):
                    begin, end = scratch.begins[s], scratch.ends[s]
                    out = fits[:, i, s, y, x]
                    out[0] = segment_slope(values, begin, end, time, group_time, g, noise, weights)
                    out[2] = poisson_variance(
                        end - begin, time, group_time, g, rates[y, x], dark[y, x]
                    )
                    variance = read_variance(end - begin, time, group_time, g, noise)
                    out[3] = variance
                    out[6] = 1.0 / variance
                    if end - begin == 2:
                        out[1] = out[5] = np.sqrt(2.0) * noise
                        out[4] = values[begin] * (begin + 1) - values[begin + 1] * begin
                    elif end - begin > 2:
                        sum_w, sum_x, sum_xx, sum_y, sum_xy = weighted_sums(
                            values, begin, end, g, noise, weights
                        )
                        inverse = 1.0 / (sum_w * sum_xx - sum_x * sum_x)
                        out[1] = np.sqrt(sum_w * inverse)
                        out[4] = (sum_xx * sum_y - sum_x * sum_xy) * inverse
                        out[5] = np.sqrt(sum_xx * inverse)
