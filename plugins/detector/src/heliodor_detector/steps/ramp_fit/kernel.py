"""The fit of all ramps of an exposure, by blocks of columns."""

import numpy as np
from heliodor.bits import CHARGELOSS, DO_NOT_USE, JUMP_DET, NO_GAIN_VALUE, PERSISTENCE, SATURATED
from heliodor.kernels import kernel

from heliodor_detector.medians import columns_at_once, sort_columns
from heliodor_detector.steps.ramp_fit.ramps import (
    INVALID,
    Exposure,
    first_differences,
    first_group_rate,
    fit_ramp,
    new_scratch,
    read_ramp,
)
from heliodor_detector.steps.ramp_fit.rows import (
    ERR,
    SLOPE,
    VAR_POISSON,
    VAR_RNOISE,
    add_medians,
    copy_row,
    find_clean,
    fit_clean,
    read_variances,
    take_differences,
)
from heliodor_detector.steps.ramp_fit.segments import (
    LARGE_VARIANCE,
    known,
    known_inverse,
    poisson_variance,
)


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], u4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[:,::1],"
    " f4[:,:,::1], f8[:,:,::1], i8[:,::1], u1[:,::1], i4[:,::1], UniTuple(i8, 4),"
    " UniTuple(f8, 3), b1,"
    " f4[:,:,:,::1], u4[:,:,::1], f4[:,:,::1], u4[:,::1], f8[:,::1], i8, i8)"
)
def fit_ramps(
    data,
    groupdq,
    pixeldq,
    zeroframe,
    gain,
    readnoise,
    dark,
    weights,
    pairs,
    spans,
    rejected,
    network,
    groups,
    clock,
    suppress,
    rateints,
    rateints_dq,
    rate,
    rate_dq,
    median_rates,
    row_start,
    row_stop,
):
    """Fit slopes to all ramps of some rows; combine their integrations.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8
    pixeldq : (ny, nx) uint32
    zeroframe : (nints, ny, nx) float32 [DN], or of size 0
    gain : (ny, nx) float32 [e/DN]
    readnoise : (ny, nx) float32 [e], of one group
    dark : (ny, nx) float32, average dark current
    weights, pairs : see `heliodor_detector.steps.ramp_fit.weights`; pairs of every integration
    spans : (nints, 2) int64; first and last group of ramps that have no flags of their own
    rejected : (nints, ngroups) uint8; DO_NOT_USE in groups that have it in most pixels
    network : sorting network for as many values as a ramp has differences
    groups : (start, stop, first, last), see `heliodor_detector.steps.ramp_fit.ramps.Exposure`
    clock : (time between groups, between frames, from the reset to a first group alone) [s]
    suppress : give up ramps with one good group
    rateints : (4, nints, ny, nx) float32 [DN/s], [(DN/s)^2]; slope, err, var_poisson, var_rnoise
    rateints_dq : (nints, ny, nx) uint32
    rate : (4, ny, nx) float32, as rateints
    rate_dq : (ny, nx) uint32
    median_rates : (ny, nx) float64 [DN/s], or of size 0; set to the median over the exposure
    row_start, row_stop : the piece

    Notes
    -----
    Segments are combined with weights 1 / var_rnoise, the slope of the exposure from all segments
    of all integrations alike; variances add as inverses.  The Poisson variance is that of the
    pixel's median rate over all integrations.
    """
    nints, ngroups, _, nx = data.shape
    exposure = Exposure(data, groupdq, zeroframe, weights, groups, clock, suppress)
    n = groups[1] - groups[0]
    group_time = clock[0]
    columns = min(nx, columns_at_once(n - 1))

    # scratch for one ramp, then for a block of columns
    scratch = new_scratch(ngroups)
    samples = np.empty((n - 1, columns))
    total, bits = np.empty(columns, np.float32), np.empty(columns, np.uint8)
    clean, marked = np.empty((nints, columns), np.bool_), np.empty(nints, np.int64)
    dqs = np.empty((2, columns), np.uint32)
    dq, exposure_dq = dqs[0], dqs[1]
    marks = np.empty((4, columns), np.bool_)
    ordinary, flagged, lossy, partly = marks[0], marks[1], marks[2], marks[3]
    tally = np.empty((4, columns), np.int64)
    classes, counts, unusable, saturated = tally[0], tally[1], tally[2], tally[3]
    work = np.empty((14, columns))
    g, noise, var_r, var_p, slopes, medians = work[0], work[1], work[2], work[3], work[4], work[5]
    # of ramps without flags: results, and what each integration adds to the sums
    error, known_p, inverse_r, inverse_p = work[10], work[11], work[12], work[13]
    # sums over segments: slope / var_r, 1 / var_r, 1 / var_p, 1 / var_r with lost groups restored
    sum_slope, sum_r, sum_p, sum_restored = work[6], work[7], work[8], work[9]

    for y in range(row_start, row_stop):
        for left in range(0, nx, columns):
            x = min(left, nx - columns)  # the last block overlaps: its columns are done twice
            here = slice(x, x + columns)

            # the pixels
            copy_row(gain[y, here], g)
            copy_row(readnoise[y, here], noise)
            copy_row(pixeldq[y, here], dq)
            dark_row = dark[y, here]
            for c in range(columns):
                if not g[c] > 0.0:
                    dq[c] |= np.uint32(DO_NOT_USE | NO_GAIN_VALUE)
            copy_row(dq, exposure_dq)
            for c in range(columns):
                medians[c] = 0.0
                sum_slope[c] = sum_r[c] = sum_p[c] = sum_restored[c] = 0.0
                unusable[c] = saturated[c] = 0
                flagged[c] = lossy[c] = partly[c] = False

            # median rates, for the Poisson variance
            known_length = -1
            for i in range(nints):
                first, last = spans[i]
                length = last - first + 1
                vector = length > 1  # shorter ramps are special cases, each of them
                if length != known_length:
                    read_variances(length, group_time, g, noise, var_r)
                    for c in range(columns):
                        ordinary[c] = (
                            vector
                            & ((dq[c] & np.uint32(INVALID)) == 0)
                            & (var_r[c] > 0.0)
                            & (var_r[c] < LARGE_VARIANCE)
                        )
                    known_length = length
                marked[i] = find_clean(
                    exposure, i, y, x, rejected[i], ordinary, clean[i], bits, total
                )
                take_differences(data, i, y, x, first, last, samples)
                for c in range(columns if marked[i] else 0):
                    if clean[i, c]:
                        continue
                    _, _, _, time, lone = read_ramp(exposure, i, y, x + c, scratch)
                    counts[c] = 0 if lone else first_differences(scratch, n, samples[:, c])
                    if counts[c] == 0:
                        for k in range(n - 1):
                            samples[k, c] = np.inf
                        medians[c] += first_group_rate(scratch, n, time, lone, clock)
                sort_columns(samples, network)
                if vector:
                    add_medians(samples, length - 1, clean[i], group_time, medians)
                for c in range(columns if marked[i] else 0):
                    if not clean[i, c] and counts[c]:
                        middle = samples[(counts[c] - 1) // 2, c] + samples[counts[c] // 2, c]
                        medians[c] += 0.0 if np.isnan(middle) else middle / 2.0 / group_time
            for c in range(columns):
                medians[c] /= nints
            if median_rates.size:
                copy_row(medians, median_rates[y, here])

            # integrations: all as if without flags, then those that have some
            known_length = -1
            for i in range(nints):
                first, last = spans[i]
                length = last - first + 1
                if length != known_length:
                    read_variances(length, group_time, g, noise, var_r)
                    for c in range(columns):
                        var_p[c] = poisson_variance(
                            length, group_time, group_time, g[c], medians[c], dark_row[c]
                        )
                    for c in range(columns):
                        variance = var_p[c] + var_r[c]
                        error[c] = 0.0 if variance > LARGE_VARIANCE else np.sqrt(variance)
                    for c in range(columns):
                        known_p[c] = known(var_p[c]) if var_p[c] > 0.0 else 0.0
                    for c in range(columns):
                        inverse_r[c] = 1.0 / var_r[c]
                    for c in range(columns):
                        inverse_p[c] = 1.0 / var_p[c] if var_p[c] > 0.0 else 0.0
                    known_length = length
                if length > 1:
                    fit_clean(
                        data, i, y, x, first, last, pairs[i], group_time, g, noise, classes, slopes
                    )
                    copy_row(slopes, rateints[SLOPE, i, y, here])
                    copy_row(var_r, rateints[VAR_RNOISE, i, y, here])
                    copy_row(dq, rateints_dq[i, y, here])
                    copy_row(known_p, rateints[VAR_POISSON, i, y, here])
                    copy_row(error, rateints[ERR, i, y, here])
                    for c in range(columns):
                        sum_slope[c] += slopes[c] / var_r[c] if clean[i, c] else 0.0
                    for c in range(columns):
                        sum_r[c] += inverse_r[c] if clean[i, c] else 0.0
                    for c in range(columns):
                        sum_p[c] += inverse_p[c] if clean[i, c] else 0.0
                    for c in range(columns):
                        sum_restored[c] += inverse_r[c] if clean[i, c] else 0.0
                for c in range(columns if marked[i] else 0):
                    if clean[i, c]:
                        continue
                    ramp_dq, union, saturates, sums, result = fit_ramp(
                        exposure,
                        i,
                        y,
                        x + c,
                        dq[c],
                        g[c],
                        noise[c],
                        medians[c],
                        dark_row[c],
                        scratch,
                    )
                    flagged[c] = True
                    partly[c] |= saturates
                    lossy[c] |= (union & np.uint32(CHARGELOSS)) != 0
                    exposure_dq[c] |= union & np.uint32(JUMP_DET | PERSISTENCE)
                    unusable[c] += (ramp_dq & np.uint32(DO_NOT_USE)) != 0
                    saturated[c] += (ramp_dq & np.uint32(SATURATED)) != 0
                    sum_slope[c] += sums[0]
                    sum_r[c] += sums[1]
                    sum_p[c] += sums[2]
                    sum_restored[c] += sums[3]
                    rateints_dq[i, y, x + c] = ramp_dq | np.uint32(SATURATED * saturates)
                    rateints[SLOPE, i, y, x + c] = result[0]
                    rateints[ERR, i, y, x + c] = result[1]
                    rateints[VAR_POISSON, i, y, x + c] = result[2]
                    rateints[VAR_RNOISE, i, y, x + c] = result[3]

            # the exposure
            for c in range(columns):
                sum_r[c] = known_inverse(sum_r[c])
            for c in range(columns):
                sum_p[c] = known_inverse(sum_p[c])
            row = rate[ERR, y, here]
            for c in range(columns):
                row[c] = np.sqrt(sum_p[c] + sum_r[c])
            row = rate[SLOPE, y, here]
            for c in range(columns):
                row[c] = sum_slope[c] * sum_r[c]
            copy_row(sum_p, rate[VAR_POISSON, y, here])
            copy_row(sum_r, rate[VAR_RNOISE, y, here])
            copy_row(exposure_dq, rate_dq[y, here])
            for c in range(columns):
                if not flagged[c]:
                    continue
                final_dq = exposure_dq[c]
                if unusable[c] == nints:
                    final_dq |= np.uint32(DO_NOT_USE)
                if saturated[c] == nints:
                    final_dq |= np.uint32(SATURATED)
                if final_dq & np.uint32(INVALID):
                    for plane in range(rate.shape[0]):
                        rate[plane, y, x + c] = 0.0
                    rate[SLOPE, y, x + c] = np.nan
                if lossy[c] and sum_restored[c] > 0.0:
                    rate[VAR_RNOISE, y, x + c] = known(1.0 / sum_restored[c])
                rate_dq[y, x + c] = final_dq | np.uint32(SATURATED * partly[c])
