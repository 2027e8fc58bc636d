"""What noise theory expects of a weighted line fit to a ramp."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtr

from heliodor_simulate.recovery import EDGES, Bin, groups_used, true_slope

CLASSES = ((0.0, 0.0), (5.0, 0.4), (10.0, 1.0), (20.0, 3.0), (50.0, 6.0), (100.0, 10.0))
"""Signal-to-noise ratio from which on the weights have a power (Fixsen et al. 2000)."""


def scatter(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Propagate photon and read noise through the fit that operations use.

    Parameters
    ----------
    truth : of an exposure, see `heliodor_simulate.exposure.write_truth`; ramps that saturate or
        are hit are taken as if they were not

    Returns
    -------
    (ny, nx) float64 standard deviation of slopes [DN/s]

    Notes
    -----
    A slope is a sum of the ramp's frames, ``a @ frames``, so its variance is ``a @ C @ a``, where
    the covariance of two frames is the charge collected until the earlier one, plus read noise
    for a frame with itself.  The weights follow from the expected signal-to-noise ratio, where
    the fit can only see a noisy one.
    """
    mode = json.loads(str(truth["mode"]))
    times, average = _frames(mode)
    group_times = average @ times
    charge = truth["rate_e"] * truth["flat"] + truth["dark"].astype(float)
    read_variance = (truth["readnoise"] * truth["gain"].astype(float)) ** 2
    signal = charge * (group_times[-1] - group_times[0])
    ratio = signal / np.sqrt(read_variance / mode["nframes"] + signal)
    variance = np.zeros(charge.shape)
    for least, power in CLASSES:
        x = group_times - group_times.mean()
        weight = np.abs(x / x[-1]) ** power
        a = (weight * x / (weight * x**2).sum()) @ average
        photons = a @ np.minimum.outer(times, times) @ a
        here = ratio >= least
        variance[here] = (charge * photons + read_variance * (a @ a))[here]
    return np.sqrt(variance) / truth["gain"]


def quoted(truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give the error that operations quote for a ramp without flags, from its true signal.

    Parameters
    ----------
    truth : see `scatter`

    Returns
    -------
    (ny, nx) float64 [DN/s]

    Notes
    -----
    The sum of the variance of a fit with equal weights to read noise alone and that of the
    difference of the last and first group from photon noise alone: the least that each of the
    two could do, while no single set of weights does both; and groups count as single reads.
    Photon noise of the dark current is no part of it: a dark without AVDRKCUR tells none.
    """
    mode = json.loads(str(truth["mode"]))
    start, stop = groups_used(mode)
    n, tgroup = stop - start, mode["tgroup"]
    charge = truth["rate_e"] * truth["flat"].astype(float)
    read_variance = (truth["readnoise"] * truth["gain"].astype(float)) ** 2 / mode["nframes"]
    from_reads = 12 * read_variance / ((n**3 - n) * tgroup**2)
    return np.sqrt(from_reads + charge / ((n - 1) * tgroup)) / truth["gain"]


def expected(truth: Mapping[str, np.ndarray], edges: tuple[float, ...] = EDGES) -> list[Bin]:
    """Give the pulls to be expected with the quoted errors, in bins of the true signal.

    Parameters
    ----------
    truth : see `scatter`
    edges : of the bins [DN/s]
    """
    ratio = scatter(truth) / quoted(truth)
    slope = true_slope(truth)
    # the dark current of bad pixels is in no quoted error
    good = ~truth["refpix"] & (truth.get("mask", np.uint32(0)) == 0)
    bins = []
    for low, high in pairwise(edges):
        here = (slope >= low) & (slope < high) & good
        if here.any():
            width = float(np.sqrt((ratio[here] ** 2).mean()))
            bins.append(Bin(low, high, int(here.sum()), 0.0, width, 2 * float(ndtr(-5 / width))))
    return bins


def _frames(mode: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Give the times of frames [s], and the (ngroups, frames) matrix that averages them.

    Of the groups that slopes are fitted to; how much charge there was before does not matter.
    """
    nframes = int(mode["nframes"])
    start, stop = groups_used(mode)
    ngroups = stop - start
    frame = np.arange(nframes) + 1.0
    times = mode["tframe"] * frame + mode["tgroup"] * np.arange(ngroups)[:, None]
    average = np.kron(np.eye(ngroups), np.full(nframes, 1 / nframes))
    return times.ravel(), average
