"""The slopes of many ramps at once, from the covariance of their differences.

The slope is the constant that fits the differences between neighbouring groups best, given their
covariance K, which is tridiagonal.  With u = K^-1 1 and v = K^-1 d it is sum(d u) / sum(u).
Differences that are not usable are linked to no other, and are 0 in u and v.
"""

from typing import NamedTuple

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.steps.ramp_fit.covariance import PHOTONS, PHOTONS_PAIR, READ, READ_PAIR


class Ramps(NamedTuple):
    """Ramps of some columns.

    Attributes
    ----------
    rates : (ndifferences, columns) float64 [DN/s]; 0 where not usable
    usable : (ndifferences, columns) float64, 0 or 1
    noise : (columns,) float64 [DN^2], variance of one read
    photons : (columns,) float64 [DN^2/s], variance that photons add each second
    """

    rates: np.ndarray
    usable: np.ndarray
    noise: np.ndarray
    photons: np.ndarray


class Solution(NamedTuple):
    """What `solve` finds; all (ndifferences, columns) float64.

    Attributes
    ----------
    link : what a difference has in common with the one before it
    ones : K^-1 1; 0 where not usable
    values : K^-1 times the differences; 0 where not usable
    inverse : diagonal of K^-1
    """

    link: np.ndarray
    ones: np.ndarray
    values: np.ndarray
    inverse: np.ndarray


class Fit(NamedTuple):
    """Slopes of some columns; all (columns,) float64.

    Attributes
    ----------
    total : sum of K^-1, the inverse of the slope's variance
    slope : [DN/s]
    best : by how much the best omission passes its threshold; 0 if none does
    """

    total: np.ndarray
    slope: np.ndarray
    best: np.ndarray


@helper
def solve(table, ramps, solution, fit, count):
    """Solve for the slopes of the first `count` columns.

    Parameters
    ----------
    table : see `heliodor_detector.steps.ramp_fit.covariance.covariance_table`
    ramps : Ramps
    solution : Solution; filled
    fit : Fit; total and slope are filled
    count : of columns

    Notes
    -----
    K = L D L^T: elimination from the first difference to the last, substitution backwards.
    Nothing overflows however long the ramp is.
    """
    noise, photons = ramps.noise, ramps.photons
    n = ramps.rates.shape[0]
    for c in range(count):
        solution.ones[0, c] = solution.values[0, c] = solution.inverse[0, c] = 0.0
    for k in range(n):
        usable, rates = ramps.usable[k], ramps.rates[k]
        link, ones = solution.link[k], solution.ones[k]
        values, inverse = solution.values[k], solution.inverse[k]
        read, photon = table[READ, k], table[PHOTONS, k]
        read_pair, photon_pair = table[READ_PAIR, k], table[PHOTONS_PAIR, k]
        before = max(k - 1, 0)  # the first difference has no link, whatever this is
        usable_before, inverse_before = ramps.usable[before], solution.inverse[before]
        ones_before, values_before = solution.ones[before], solution.values[before]
        for c in range(count):
            link[c] = (
                (read_pair * noise[c] + photon_pair * photons[c])
                * (usable[c] * usable_before[c])
                * inverse_before[c]
            )
        for c in range(count):
            pair = (read_pair * noise[c] + photon_pair * photons[c]) * (
                usable[c] * usable_before[c]
            )
            inverse[c] = 1.0 / (read * noise[c] + photon * photons[c] - link[c] * pair)
        for c in range(count):
            ones[c] = usable[c] - link[c] * ones_before[c]
        for c in range(count):
            values[c] = rates[c] - link[c] * values_before[c]

    total, slope = fit.total, fit.slope
    for c in range(count):
        total[c] = slope[c] = 0.0
    for k in range(n - 1, -1, -1):
        rates, ones = ramps.rates[k], solution.ones[k]
        values, inverse = solution.values[k], solution.inverse[k]
        for c in range(count):
            ones[c] *= inverse[c]
        for c in range(count):
            values[c] *= inverse[c]
        if k < n - 1:
            link, inverse_after = solution.link[k + 1], solution.inverse[k + 1]
            ones_after, values_after = solution.ones[k + 1], solution.values[k + 1]
            for c in range(count):
                ones[c] -= link[c] * ones_after[c]
            for c in range(count):
                values[c] -= link[c] * values_after[c]
            for c in range(count):
                inverse[c] += link[c] * link[c] * inverse_after[c]
        for c in range(count):
            total[c] += ones[c]
        for c in range(count):
            slope[c] += rates[c] * ones[c]
    for c in range(count):
        slope[c] /= total[c]
