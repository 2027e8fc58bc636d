"""The wave in what ramps leave: seen by phase, and compared with the wave of the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from astropy.stats import sigma_clipped_stats
from heliodor_detector.medians import sorting_network

from heliodor_miri.steps.emicorr.phased import count_by_phase, sort_by_phase, take_away_ramps

Each = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], list[Any]]
"""Calls a function for each item, in threads, and gives the results."""

MOST_BINS = 501


def leave_out_ramps(data: np.ndarray, each: Each) -> np.ndarray:
    """Give what is left of some integrations without slopes and fixed patterns.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]

    Returns
    -------
    (nints, ngroups, ny, nx // 4) float32 [DN], means of the pixels read at once
    """
    nints, ngroups, ny, nx = data.shape
    rest = np.empty((nints, ngroups, ny, nx // 4), np.float32)
    network = sorting_network(ngroups - 2)
    strips = [(i, y, min(y + 64, ny)) for i in range(nints) for y in range(0, ny, 64)]
    each(lambda *piece: take_away_ramps(data, network, rest, *piece), strips)
    return rest


def wave_seen(
    rest: np.ndarray, times: np.ndarray, starts: np.ndarray, period: float, nbins: int, each: Each
) -> np.ndarray:
    """Average what is left in bins of phase, without outliers.

    Parameters
    ----------
    rest : (n, ngroups, ny, ntimes) float32 [DN]
    times : (ny, ntimes) float64, of the pixels of a group [samples]
    starts : (n, ngroups) float64, of the groups [samples]
    period : [samples]
    nbins : number of bins

    Returns
    -------
    (nbins,) float64 [DN], about a median of zero; NaN if a bin is empty
    """
    edges = np.array([k / nbins for k in range(nbins + 1)])
    groups = [(i, g) for i in range(rest.shape[0]) for g in range(rest.shape[1])]
    counts = np.zeros((len(groups), nbins), np.int64)
    each(
        lambda n, i, g: count_by_phase(rest[i, g], times, starts[i, g], period, edges, counts[n]),
        [(n, *which) for n, which in enumerate(groups)],
    )
    ends = np.cumsum(counts.T.reshape(-1)).reshape(nbins, -1)
    places = np.ascontiguousarray((ends - counts.T).T)
    values = np.empty(ends[-1, -1], np.float32)

    def sort(n: int, i: int, g: int) -> None:
        level = np.nanmedian(rest[i, g])
        sort_by_phase(rest[i, g], times, starts[i, g], period, edges, level, places[n], values)

    each(sort, [(n, *which) for n, which in enumerate(groups)])
    bounds = [0, *ends[:, -1]]

    def mean(start: int, stop: int) -> float:
        if start == stop:
            return np.nan
        return sigma_clipped_stats(values[start:stop].astype(np.float64))[0]

    wave = np.array(each(mean, pairwise(bounds)))
    return wave - np.median(wave)


def matched(seen: np.ndarray, shape: np.ndarray, period: float, scale: bool) -> np.ndarray:
    """Bring the wave of the reference to the phase, and to the amplitude, of the wave seen.

    Parameters
    ----------
    seen : (nbins,) float64 [DN]
    shape : (n,) float64 [DN], of the reference
    period : [samples]
    scale : to the amplitude as well

    Returns
    -------
    (period,) float64 [DN]
    """
    n = shape.size
    shifted = shape[(np.arange(n) - np.arange(n)[:, np.newaxis]) % n]
    target = resampled(seen, n)
    shifts = (shifted - shape.mean()) @ (target - target.mean())
    table = resampled(shifted[np.argmax(shifts)], period)
    if scale:
        measured = resampled(seen, period)
        common = min(table.size, measured.size)
        table *= np.polyfit(table[:common], measured[:common], 1)[0]
    return table


def resampled(wave: np.ndarray, length: float) -> np.ndarray:
    """Take `length` samples of a wave, each the one before."""
    step = wave.size / length
    places = (np.arange(math.ceil(wave.size / step)) * step).astype(np.int64)
    return wave[np.minimum(places, wave.size - 1)]
