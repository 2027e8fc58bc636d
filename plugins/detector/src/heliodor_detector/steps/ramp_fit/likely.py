"""The fit of all ramps of an exposure by likelihood, by blocks of columns."""

from typing import NamedTuple

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, NO_GAIN_VALUE, SATURATED
from heliodor.kernels import helper, kernel

from heliodor_detector.medians import columns_at_once, sort_columns
from heliodor_detector.steps.ramp_fit.combination import combine_integrations
from heliodor_detector.steps.ramp_fit.covariance import (
    PHOTONS,
    PHOTONS_PAIR,
    READ,
    READ_PAIR,
    SPACING,
)
from heliodor_detector.steps.ramp_fit.jumps import find_jumps
from heliodor_detector.steps.ramp_fit.rows import (
    DQ,
    ERR,
    SLOPE,
    VAR_POISSON,
    VAR_RNOISE,
    copy_row,
)
from heliodor_detector.steps.ramp_fit.tridiagonal import Fit, Ramps, Solution, solve

INVALID = DO_NOT_USE | SATURATED


class Block(NamedTuple):
    """Scratch for a block of columns, as `take_rates` leaves it.

    Attributes
    ----------
    samples : (ndifferences, columns) float64 [DN/s]; for the median, infinite if left out
    counts : (columns,) int64, number of samples
    earlier, later : (columns,) float32 [DN], two groups
    before, either : (columns,) uint8, flags of the group before, and of it or this one
    union : (columns,) uint8, flags of all groups
    lost : (columns,) uint8, 1 where no group can be used
    """

    samples: np.ndarray
    counts: np.ndarray
    earlier: np.ndarray
    later: np.ndarray
    before: np.ndarray
    either: np.ndarray
    union: np.ndarray
    lost: np.ndarray


@helper
def take_rates(exposure, table, i, y, x, ramps, block):
    """Take the differences between neighbouring groups, divided by the time between them.

    Parameters
    ----------
    exposure : (data, groupdq, zeroframe, used, nframes, with_saturated), see `fit_likely`
    table : see `heliodor_detector.steps.ramp_fit.covariance.covariance_table`
    i, y, x : integration, row, first column of the block
    ramps : heliodor_detector.steps.ramp_fit.tridiagonal.Ramps; rates and usable are filled
    block : Block; filled
    """
    data, groupdq, zeroframe, used, nframes, with_saturated = exposure
    columns = block.counts.size
    here = slice(x, x + columns)
    earlier, later, before, either = block.earlier, block.later, block.before, block.either
    counts, union, lost = block.counts, block.union, block.lost
    first_frame = zeroframe.size > 0
    for c in range(columns):
        counts[c] = union[c] = before[c] = 0
        lost[c] = 1
    if first_frame:
        copy_row(zeroframe[i, y, here], later)
    for group in range(data.shape[1]):
        copy_row(later, earlier)
        copy_row(data[i, group, y, here], later)
        if group == 0 and first_frame:
            # the first frame, and the average of the others, count as two groups
            for c in range(columns):
                later[c] = (later[c] * np.float32(nframes) - earlier[c]) / np.float32(nframes - 1)
        flags = groupdq[i, group, y, here]
        unwanted = np.uint8(0 if used[0] <= group <= used[1] else DO_NOT_USE)
        for c in range(columns):
            either[c] = before[c] | flags[c] | unwanted
        for c in range(columns):
            before[c] = flags[c] | unwanted
        for c in range(columns):
            union[c] |= before[c]
        for c in range(columns):
            lost[c] &= (before[c] & INVALID) != 0
        k = group if first_frame else group - 1
        if k < 0:
            continue
        rates, usable, sample = ramps.rates[k], ramps.usable[k], block.samples[k]
        spacing = table[SPACING, k]
        for c in range(columns):
            # in single precision, as the groups are
            rates[c] = np.float64(later[c] - earlier[c]) / spacing
        for c in range(columns):
            # a value minus itself is 0 unless it is infinite or NaN
            usable[c] = 1.0 if (either[c] == 0) & (rates[c] - rates[c] == 0.0) else 0.0
        for c in range(columns):
            full = (either[c] & SATURATED != 0) & (not with_saturated)
            sample[c] = rates[c] if (rates[c] - rates[c] == 0.0) & (not full) else np.inf
        for c in range(columns):
            counts[c] += sample[c] < np.inf
        for c in range(columns):
            rates[c] = rates[c] if usable[c] > 0.0 else 0.0


@helper
def finish_fit(table, ramps, solution, fit, results, chisq):
    """Turn a solution into slopes and their variances.

    Parameters
    ----------
    table, ramps, solution, fit : of `heliodor_detector.steps.ramp_fit.tridiagonal.solve`
    results : (4, columns) float64; filled in the order SLOPE, ERR, VAR_POISSON, VAR_RNOISE
    chisq : (columns,) float64; filled
    """
    columns = chisq.size
    total, slope = fit.total, fit.slope
    variance_p, variance_r = results[VAR_POISSON], results[VAR_RNOISE]
    for c in range(columns):
        chisq[c] = variance_p[c] = variance_r[c] = 0.0
    for k in range(ramps.rates.shape[0]):
        rates, usable = ramps.rates[k], ramps.usable[k]
        ones, values = solution.ones[k], solution.values[k]
        ones_before = solution.ones[max(k - 1, 0)]
        for c in range(columns):
            residual = rates[c] - slope[c] * usable[c]
            chisq[c] += residual * (values[c] - slope[c] * ones[c])
        one, pair = table[PHOTONS, k], 2.0 * table[PHOTONS_PAIR, k]
        for c in range(columns):
            variance_p[c] += (one * ones[c] + pair * ones_before[c]) * ones[c]
        one, pair = table[READ, k], 2.0 * table[READ_PAIR, k]
        for c in range(columns):
            variance_r[c] += (one * ones[c] + pair * ones_before[c]) * ones[c]
    copy_row(slope, results[SLOPE])
    error = results[ERR]
    for c in range(columns):
        error[c] = np.sqrt(1.0 / total[c]) if total[c] > 0.0 else np.nan
    for c in range(columns):
        variance_p[c] *= ramps.photons[c] / (total[c] * total[c])
    for c in range(columns):
        variance_r[c] *= ramps.noise[c] / (total[c] * total[c])


@kernel(
    "void(f4[:,:,:,::1], u1[:,:,:,::1], u4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1],"
    " f4[:,::1], f8[:,::1], i4[:,::1], i4[:,::1], UniTuple(i8, 2), i8, b1,"
    " f4[:,:,:,::1], u4[:,:,:,::1], f4[:,:,::1], u4[:,::1], f4[:,::1], i8, i8)"
)
def fit_likely(
    data,
    groupdq,
    pixeldq,
    zeroframe,
    gain,
    readnoise,
    dark,
    table,
    network,
    network_ints,
    used,
    nframes,
    with_saturated,
    rateints,
    rateints_dq,
    rate,
    rate_dq,
    chisq,
    row_start,
    row_stop,
):
    """Fit slopes by likelihood to all ramps of some rows; combine their integrations.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8
    pixeldq : (ny, nx) uint32
    zeroframe : (nints, ny, nx) float32 [DN]; or of size 0, then it takes no part
    gain : (ny, nx) float32 [e/DN]
    readnoise : (ny, nx) float32 [DN], of the difference of two reads
    dark : (ny, nx) float32 [DN/s], average dark current
    table : of `heliodor_detector.steps.ramp_fit.covariance.covariance_table`
    network, network_ints : sorting networks for as many values as there are differences, and
        integrations
    used : first and last group that take part
    nframes : frames averaged into a group
    with_saturated : differences of saturated groups take part in the median rate
    rateints : (nints, at least 5, ny, nx) float32 [DN/s], [(DN/s)^2]; slope, err, var_poisson,
        var_rnoise, bits of the DQ; may be `data` itself
    rateints_dq : the same as uint32
    rate : (4, ny, nx) float32, as rateints
    rate_dq : (ny, nx) uint32
    chisq : (ny, nx) float32; set to chi squared, added up over the integrations
    row_start, row_stop : the piece

    Notes
    -----
    The covariance that jumps are found with is that of the median rate; that of the last fit is
    of the rate found then.
    """
    nints, _, _, nx = data.shape
    exposure = (data, groupdq, zeroframe, used, nframes, with_saturated)
    n = table.shape[1]
    columns = min(nx, columns_at_once(max(n, nints)))
    while nx % columns:  # equal blocks: results may take the place of ramps, so none twice
        columns -= 1

    cubes = np.empty((9, n, columns))
    sums = np.empty((10, columns))
    tally = np.empty((2, columns), np.int64)
    single = np.empty((2, columns), np.float32)
    bits = np.empty((4, columns), np.uint8)
    jumped = np.empty(columns, np.bool_)
    results = np.empty((4, columns))
    mean = np.empty((4, columns), np.float32)
    of_integrations = np.empty((nints, columns))

    ramps = Ramps(cubes[0], cubes[1], sums[0], sums[1])
    some = Ramps(cubes[2], cubes[3], sums[2], sums[3])
    solution = Solution(cubes[4], cubes[5], cubes[6], cubes[7])
    fit = Fit(sums[4], sums[5], sums[6])
    guess, squares, gains = sums[7], sums[8], sums[9]
    block = Block(cubes[8], tally[0], single[0], single[1], bits[0], bits[1], bits[2], bits[3])

    for y in range(row_start, row_stop):
        for x in range(0, nx, columns):
            here = slice(x, x + columns)
            gain_row, noises, dark_row = gain[y, here], readnoise[y, here], dark[y, here]
            for c in range(columns):
                gains[c] = gain_row[c] if gain_row[c] > 0.0 else np.nan
            for c in range(columns):
                ramps.noise[c] = np.float64(noises[c]) * np.float64(noises[c]) / 2.0
            dq_row, squares_row = rate_dq[y, here], chisq[y, here]
            for c in range(columns):
                squares_row[c] = 0.0
            for c in range(columns):
                dq_row[c] = DO_NOT_USE

            for i in range(nints):
                take_rates(exposure, table, i, y, x, ramps, block)
                samples, counts = block.samples, block.counts
                sort_columns(samples, network)
                for c in range(columns):
                    count = max(counts[c], 1)
                    middle = (samples[(count - 1) // 2, c] + samples[count // 2, c]) / 2.0
                    guess[c] = middle if (middle > 0.0) & (counts[c] > 0) else 0.0
                for c in range(columns):
                    ramps.photons[c] = guess[c] / gains[c]
                find_jumps(table, ramps, some, solution, fit, tally[1], guess, jumped)
                for c in range(columns):
                    rate_guess = guess[c] if guess[c] > 0.0 else 0.0
                    ramps.photons[c] = (rate_guess + dark_row[c]) / gains[c]
                solve(table, ramps, solution, fit, columns)
                finish_fit(table, ramps, solution, fit, results, squares)

                for plane in range(results.shape[0]):
                    copy_row(results[plane], rateints[i, plane, y, here])
                for c in range(columns):
                    squares_row[c] += np.float32(squares[c])
                row = rateints_dq[i, DQ, y, here]
                copy_row(pixeldq[y, here], row)
                union, lost = block.union, block.lost
                for c in range(columns):
                    row[c] |= union[c] & np.uint32(SATURATED | JUMP_DET)
                for c in range(columns):
                    row[c] |= np.uint32(JUMP_DET) if jumped[c] else np.uint32(0)
                for c in range(columns):
                    row[c] |= np.uint32(DO_NOT_USE) if lost[c] else np.uint32(0)
                for c in range(columns):
                    no_gain = np.uint32(DO_NOT_USE | NO_GAIN_VALUE)
                    row[c] |= no_gain if np.isnan(gains[c]) else np.uint32(0)
                for c in range(columns):
                    # DO_NOT_USE only if it is in all integrations, others if they are in any
                    both = dq_row[c] & row[c] & np.uint32(DO_NOT_USE)
                    dq_row[c] = ((dq_row[c] | row[c]) & ~np.uint32(DO_NOT_USE)) | both

            if nints > 1:
                combine_integrations(rateints, y, x, network_ints, of_integrations, mean)
            for plane in range(rate.shape[0]):
                only = rateints[0, plane, y, here]
                copy_row(mean[plane] if nints > 1 else only, rate[plane, y, here])
