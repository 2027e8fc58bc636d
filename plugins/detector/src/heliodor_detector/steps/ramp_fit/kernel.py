"""The fit of all ramps of an exposure, row by row."""

import numpy as np
from heliodor.bits import CHARGELOSS, DO_NOT_USE, JUMP_DET, NO_GAIN_VALUE, PERSISTENCE, SATURATED
from heliodor.kernels import kernel

from heliodor_detector.steps.ramp_fit.ramps import INVALID, Exposure, fit_ramp, new_scratch
from heliodor_detector.steps.ramp_fit.rates import (
    FEW,
    add_clean_rates,
    add_flagged_rates,
    block_width,
)
from heliodor_detector.steps.ramp_fit.rows import (
    DQ,
    ERR,
    SLOPE,
    VAR_POISSON,
    VAR_RNOISE,
    copy_row,
    find_clean,
    fit_clean,
    put_row,
    read_variances,
)
from heliodor_detector.steps.ramp_fit.segments import (
    LARGE_VARIANCE,
    known,
    known_inverse,
    poisson_variance,
)


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], u4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], f4[:,::1],"
    " f4[:,:,::1], f8[:,:,::1], i8[:,::1], u1[:,::1], i4[:,::1], i8[:,::1], i4[:,::1],"
    " UniTuple(i8, 4), UniTuple(f8, 3), b1,"
    " f4[:,:,:,::1], u4[:,:,:,::1], f4[:,:,::1], u4[:,::1], f8[:,::1], i8, i8)"
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
    networks,
    network_parts,
    full_network,
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
    networks, network_parts : median networks of the integrations, see `median_networks`
    full_network : sorting network for as many values as a ramp has differences
    groups : (start, stop, first, last), see `heliodor_detector.steps.ramp_fit.ramps.Exposure`
    clock : (time between groups, between frames, from the reset to a first group alone) [s]
    suppress : give up ramps with one good group
    rateints : (nints, at least 5, ny, nx) float32 [DN/s], [(DN/s)^2]; slope, err, var_poisson,
        var_rnoise, bits of the DQ; may be `data` itself
    rateints_dq : the same as uint32
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

    # scratch for one ramp, for the differences of a block of ramps and of a few with flags
    scratch = new_scratch(ngroups)
    width = block_width(nx, n - 1)
    samples, few = np.empty((n - 1, width)), np.empty((n - 1, FEW))
    short, room = np.empty((n - 1, width), np.float32), np.empty(width, np.float32)
    wait = np.zeros(1, np.int64)
    counts = np.empty(FEW, np.int64)
    # for a row of all integrations: ramps without flags, columns of the others
    clean, places = np.empty((nints, nx), np.bool_), np.empty((nints, nx), np.int32)
    marked = np.empty(nints, np.int64)
    # for a row
    bits = np.empty(nx, np.uint8)
    single = np.empty((4, nx), np.float32)
    total, read, photons, error = single[0], single[1], single[2], single[3]
    dqs = np.empty((2, nx), np.uint32)
    dq, exposure_dq = dqs[0], dqs[1]
    marks = np.empty((4, nx), np.bool_)
    ordinary, flagged, lossy, partly = marks[0], marks[1], marks[2], marks[3]
    tally = np.empty((2, nx), np.int32)
    unusable, saturated = tally[0], tally[1]
    work = np.empty((13, nx))
    g, noise, var_r, var_p, slopes, medians = work[0], work[1], work[2], work[3], work[4], work[5]
    ratios, inverse_r, inverse_p = work[6], work[7], work[8]
    # sums over segments: slope / var_r, 1 / var_r, 1 / var_p, 1 / var_r with lost groups restored
    sum_slope, sum_r, sum_p, sum_restored = work[9], work[10], work[11], work[12]

    for y in range(row_start, row_stop):
        # the pixels
        copy_row(gain[y], g)
        copy_row(readnoise[y], noise)
        copy_row(pixeldq[y], dq)
        dark_row = dark[y]
        for x in range(nx):
            if not g[x] > 0.0:
                dq[x] |= np.uint32(DO_NOT_USE | NO_GAIN_VALUE)
        copy_row(dq, exposure_dq)
        for x in range(nx):
            medians[x] = sum_slope[x] = sum_r[x] = sum_p[x] = 0.0
        for x in range(nx):
            flagged[x] = lossy[x] = partly[x] = False
        for x in range(nx):
            unusable[x] = saturated[x] = 0

        # slopes of ramps without flags, and median rates of all
        read_length = -1
        for i in range(nints):
            first, last = spans[i]
            length = last - first + 1
            vector = length > 1  # shorter ramps are special cases, each of them
            if length != read_length:
                read_variances(length, group_time, g, noise, var_r)
                for x in range(nx):
                    ordinary[x] = (
                        vector
                        & ((dq[x] & np.uint32(INVALID)) == 0)
                        & (var_r[x] > 0.0)
                        & (var_r[x] < LARGE_VARIANCE)
                    )
                for x in range(nx):
                    inverse_r[x] = 1.0 / var_r[x]
                copy_row(var_r, read)
                read_length = length
            marked[i] = find_clean(
                exposure, i, y, rejected[i], ordinary, bits, total, clean[i], places[i]
            )
            if vector:
                fit_clean(data, i, y, first, last, pairs[i], group_time, g, noise, ratios, slopes)
                good = clean[i]
                for x in range(nx):
                    sum_slope[x] += slopes[x] / var_r[x] if good[x] else 0.0
                for x in range(nx):
                    sum_r[x] += inverse_r[x] if good[x] else 0.0
                network = networks[network_parts[i, 0] : network_parts[i, 1]]
                add_clean_rates(
                    data, i, y, first, last, network, group_time, good, samples, short, room,
                    wait, medians,
                )  # fmt: skip
                # the results may take the place of the ramps: those with flags are still needed
                put_row(slopes, good, rateints[i, SLOPE, y])
                put_row(read, good, rateints[i, VAR_RNOISE, y])
                put_row(dq, good, rateints_dq[i, DQ, y])
            some = places[i, : marked[i]]
            add_flagged_rates(exposure, i, y, some, full_network, few, counts, scratch, medians)
        for x in range(nx):
            medians[x] /= nints
        if median_rates.size:
            copy_row(medians, median_rates[y])
        copy_row(sum_r, sum_restored)

        # variances from photons, and ramps with flags
        photon_length = -1
        for i in range(nints):
            first, last = spans[i]
            length = last - first + 1
            if length != photon_length:
                if length != read_length:
                    read_variances(length, group_time, g, noise, var_r)
                    read_length = length
                for x in range(nx):
                    var_p[x] = poisson_variance(
                        length, group_time, group_time, g[x], medians[x], dark_row[x]
                    )
                for x in range(nx):
                    variance = var_p[x] + var_r[x]
                    error[x] = 0.0 if variance > LARGE_VARIANCE else np.sqrt(variance)
                for x in range(nx):
                    photons[x] = known(var_p[x]) if var_p[x] > 0.0 else 0.0
                for x in range(nx):
                    inverse_p[x] = 1.0 / var_p[x] if var_p[x] > 0.0 else 0.0
                photon_length = length
            if length > 1:
                good = clean[i]
                put_row(photons, good, rateints[i, VAR_POISSON, y])
                put_row(error, good, rateints[i, ERR, y])
                for x in range(nx):
                    sum_p[x] += inverse_p[x] if good[x] else 0.0
            for k in range(marked[i]):
                x = places[i, k]
                ramp_dq, union, saturates, sums, result = fit_ramp(
                    exposure, i, y, x, dq[x], g[x], noise[x], medians[x], dark_row[x], scratch
                )
                flagged[x] = True
                partly[x] |= saturates
                lossy[x] |= (union & np.uint32(CHARGELOSS)) != 0
                exposure_dq[x] |= union & np.uint32(JUMP_DET | PERSISTENCE)
                unusable[x] += (ramp_dq & np.uint32(DO_NOT_USE)) != 0
                saturated[x] += (ramp_dq & np.uint32(SATURATED)) != 0
                sum_slope[x] += sums[0]
                sum_r[x] += sums[1]
                sum_p[x] += sums[2]
                sum_restored[x] += sums[3]
                rateints_dq[i, DQ, y, x] = ramp_dq | np.uint32(SATURATED * saturates)
                rateints[i, SLOPE, y, x] = result[0]
                rateints[i, ERR, y, x] = result[1]
                rateints[i, VAR_POISSON, y, x] = result[2]
                rateints[i, VAR_RNOISE, y, x] = result[3]

        # the exposure
        for x in range(nx):
            sum_r[x] = known_inverse(sum_r[x])
        for x in range(nx):
            sum_p[x] = known_inverse(sum_p[x])
        row = rate[ERR, y]
        for x in range(nx):
            row[x] = np.sqrt(sum_p[x] + sum_r[x])
        row = rate[SLOPE, y]
        for x in range(nx):
            row[x] = sum_slope[x] * sum_r[x]
        copy_row(sum_p, rate[VAR_POISSON, y])
        copy_row(sum_r, rate[VAR_RNOISE, y])
        copy_row(exposure_dq, rate_dq[y])
        for x in range(nx):
            if not flagged[x]:
                continue
            final_dq = exposure_dq[x]
            if unusable[x] == nints:
                final_dq |= np.uint32(DO_NOT_USE)
            if saturated[x] == nints:
                final_dq |= np.uint32(SATURATED)
            if final_dq & np.uint32(INVALID):
                for plane in range(rate.shape[0]):
                    rate[plane, y, x] = 0.0
                rate[SLOPE, y, x] = np.nan
            if lossy[x] and sum_restored[x] > 0.0:
                rate[VAR_RNOISE, y, x] = known(1.0 / sum_restored[x])
            rate_dq[y, x] = final_dq | np.uint32(SATURATED * partly[x])
