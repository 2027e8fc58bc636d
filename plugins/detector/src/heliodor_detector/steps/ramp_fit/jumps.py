"""The search for jumps: differences without which the likelihood is much better."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.steps.ramp_fit.covariance import AVERAGED
from heliodor_detector.steps.ramp_fit.tridiagonal import solve

ONE_OMITTED, TWO_OMITTED = 20.25, 23.8
"""By how much chi squared has to fall if one, or two neighbouring, differences are left out."""

FEWEST = 4
"""A ramp that has lost differences is searched again if as many are left."""

ROUNDING = 1e-9
"""Relative: what is smaller is nothing, chi squares that are nearer are equal."""


@helper
def find_outliers(table, solution, fit, count):
    """Find how far chi squared can fall if one difference, or two neighbours, are left out.

    Parameters
    ----------
    table, solution, fit, count : of `solve`; solution is turned into residuals in place (values:
        of the fit, K^-1 (d - slope); inverse and link: their covariance on and beside the
        diagonal; ones: divided by the root of their sum), fit.best is filled

    Notes
    -----
    Sections 3.1 and 3.2 of Brandt (2024), PASP 136, 045005, written with residuals: to leave out
    differences is to fit a free value to each, which lowers chi squared by e^T M^-1 e, with e the
    residuals and M their covariance.
    """
    total, slope, best = fit.total, fit.slope, fit.best
    for c in range(count):
        best[c] = 0.0
    for k in range(solution.ones.shape[0]):
        ones, values = solution.ones[k], solution.values[k]
        link, inverse = solution.link[k], solution.inverse[k]
        for c in range(count):
            values[c] -= slope[c] * ones[c]
        for c in range(count):
            ones[c] /= np.sqrt(total[c])
        if k > 0:
            ones_before = solution.ones[k - 1]
            for c in range(count):
                link[c] = -link[c] * inverse[c] - ones_before[c] * ones[c]
        for c in range(count):
            inverse[c] -= ones[c] * ones[c]
        for c in range(count):
            better = one_omitted(values[c], inverse[c], ones[c])
            best[c] = better if better > best[c] else best[c]
        if table[AVERAGED, k] > 0.0:
            values_before, inverse_before = solution.values[k - 1], solution.inverse[k - 1]
            for c in range(count):
                better = two_omitted(
                    values_before[c], values[c], inverse_before[c], inverse[c], link[c]
                )
                best[c] = better if better > best[c] else best[c]


@helper
def one_omitted(residual, variance, one):
    """Give by how much leaving out one difference passes the threshold; see `find_outliers`."""
    # without a variance of its own nothing would be left
    return residual * residual / variance - ONE_OMITTED if variance > ROUNDING * one * one else 0.0


@helper
def two_omitted(first, second, variance_first, variance_second, covariance):
    """Give by how much leaving out two neighbours passes the threshold; see `find_outliers`."""
    both = variance_first * variance_second
    determinant = both - covariance * covariance
    fall = variance_second * first * first + variance_first * second * second
    fall -= 2.0 * covariance * first * second
    return fall / determinant - TWO_OMITTED if determinant > ROUNDING * both else 0.0


@helper
def choose_outliers(table, solution, fit, c):
    """Choose the differences to be left out of a ramp.

    Parameters
    ----------
    table, solution, fit : of `find_outliers`
    c : column, for which something can be left out

    Returns
    -------
    first, last : the differences to be left out
    slope : without them [DN/s]

    Notes
    -----
    Where so little is left that chi squared falls alike for several choices, the one with the
    lowest slope is taken: particles only add charge.
    """
    begin = end = 0
    best, lowest = 0.0, np.inf
    root = np.sqrt(fit.total[c])
    near = ROUNDING * (fit.best[c] + TWO_OMITTED)
    for k in range(solution.ones.shape[0]):
        second, variance_second = solution.values[k, c], solution.inverse[k, c]
        one_second = solution.ones[k, c]
        better = one_omitted(second, variance_second, one_second)
        if better > 0.0:
            slope = fit.slope[c] - one_second * second / variance_second / root
            if better > best + near or (better > best - near and slope < lowest):
                best, lowest, begin, end = better, slope, k, k
        if table[AVERAGED, k] > 0.0:
            first, variance_first = solution.values[k - 1, c], solution.inverse[k - 1, c]
            covariance = solution.link[k, c]
            better = two_omitted(first, second, variance_first, variance_second, covariance)
            if better > 0.0:
                determinant = variance_first * variance_second - covariance * covariance
                step_first = (variance_second * first - covariance * second) / determinant
                step_second = (variance_first * second - covariance * first) / determinant
                change = solution.ones[k - 1, c] * step_first + one_second * step_second
                slope = fit.slope[c] - change / root
                if better > best + near or (better > best - near and slope < lowest):
                    best, lowest, begin, end = better, slope, k - 1, k
    return begin, end, lowest


@helper
def find_jumps(table, ramps, some, solution, fit, columns, slopes, jumped):
    """Leave out differences that hold jumps, one or two at a time, while chi squared falls enough.

    Parameters
    ----------
    table : see `heliodor_detector.steps.ramp_fit.tridiagonal.solve`
    ramps : Ramps; differences with jumps become unusable
    some : Ramps, solution : Solution, fit : Fit; scratch
    columns : (columns,) int64; scratch
    slopes : (columns,) float64 [DN/s]; set to those without jumps
    jumped : (columns,) bool; set
    """
    count = slopes.size
    for c in range(count):
        columns[c] = c
        jumped[c] = False
    while count > 0:
        for k in range(ramps.rates.shape[0]):
            for j in range(count):
                some.rates[k, j] = ramps.rates[k, columns[j]]
            for j in range(count):
                some.usable[k, j] = ramps.usable[k, columns[j]]
        for j in range(count):
            c = columns[j]
            some.noise[j], some.photons[j] = ramps.noise[c], ramps.photons[c]
        solve(table, some, solution, fit, count)
        find_outliers(table, solution, fit, count)
        again = 0
        for j in range(count):
            c = columns[j]
            if not jumped[c]:
                slopes[c] = fit.slope[j]
            if not fit.best[j] > 0.0:
                continue
            jumped[c] = True
            begin, end, slopes[c] = choose_outliers(table, solution, fit, j)
            left = 0.0
            for k in range(ramps.rates.shape[0]):
                if begin <= k <= end:
                    ramps.usable[k, c] = ramps.rates[k, c] = 0.0
                left += ramps.usable[k, c]
            if left >= FEWEST:
                columns[again] = c
                again += 1
        count = again
