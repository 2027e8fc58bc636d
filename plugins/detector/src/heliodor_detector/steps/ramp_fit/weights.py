"""Tables of weights for the fit, made once for an exposure."""

from __future__ import annotations

import numpy as np

POWERS = np.array([0.0, 0.4, 1.0, 3.0, 6.0, 10.0], np.float32)
"""Power of the weights, by class of the signal-to-noise ratio."""

LIMITS = (5.0, 10.0, 20.0, 50.0, 100.0)
"""Signal-to-noise ratios at which the next class begins."""


def weight_table(ngroups: int) -> np.ndarray:
    """Give the relative weight of every group in segments of every length.

    Parameters
    ----------
    ngroups : of the longest segment

    Returns
    -------
    (ngroups + 1, 6, ngroups) float32 array: length of the segment, class, group in the segment;
    zero beyond the segment's end and for lengths below 3

    Notes
    -----
    The weight is ``|(k - m) / m| ** P`` with ``m`` the middle of the segment and the power P of
    the class (Fixsen et al. 2000, PASP 112, 1350): photon noise, which is correlated between
    groups, makes the ends worth more than the middle as the signal grows.
    """
    table = np.zeros((ngroups + 1, POWERS.size, ngroups), np.float32)
    for length in range(3, ngroups + 1):
        middle = (length - 1) / 2
        distance = np.abs((np.arange(length) - middle) / middle).astype(np.float32)
        table[length, :, :length] = np.power(distance.astype(float), POWERS[:, None].astype(float))
    return table


def pair_table(weights: np.ndarray, length: int) -> np.ndarray:
    """Turn a weighted fit to a ramp without flags into a sum over pairs of groups.

    The weights are symmetric about the middle of the ramp, so the slope is a sum of differences
    between the groups that lie equally far from it.

    Parameters
    ----------
    weights : of `weight_table`
    length : groups of the ramp

    Returns
    -------
    (length // 2, 6) float64 array: the pair of groups ``k`` and ``length - 1 - k``, class;
    multiplied with the difference, later group minus earlier, and summed it gives the slope per
    group; no rows for lengths below 2
    """
    if length < 2:
        return np.empty((0, POWERS.size))
    k = np.arange(length)
    x = k - (length - 1) / 2
    w = weights[length, :, :length].astype(float) if length > 2 else np.ones((POWERS.size, 2))
    coefficients = w * x / (w * x**2).sum(axis=1, keepdims=True)
    return np.ascontiguousarray(coefficients[:, ::-1].T[: length // 2])


def pair_tables(weights: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Give the table of pairs for the ramps of every integration.

    Parameters
    ----------
    weights : of `weight_table`
    spans : (nints, 2) int64; first and last group of an integration's ramps

    Returns
    -------
    (nints, longest // 2, 6) float64 array, see `pair_table`; zero where ramps are shorter
    """
    lengths = spans[:, 1] - spans[:, 0] + 1
    tables = np.zeros((lengths.size, lengths.max() // 2, POWERS.size))
    for length in set(lengths.tolist()):
        tables[lengths == length, : length // 2] = pair_table(weights, length)
    return tables
