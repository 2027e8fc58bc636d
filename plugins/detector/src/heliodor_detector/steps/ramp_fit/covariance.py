"""The covariance of the differences between neighbouring groups, made once for an exposure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SPACING, READ, PHOTONS, READ_PAIR, PHOTONS_PAIR, AVERAGED = range(6)
"""Rows of the table, see `covariance_table`."""


def even_read_times(ngroups: int, nframes: int, gap: int, frame_time: float) -> list[np.ndarray]:
    """Give the times at which the reads of every group were made.

    Parameters
    ----------
    ngroups : groups of the ramp
    nframes, gap : frames averaged into a group, and left out between groups
    frame_time : between frames [s]

    Returns
    -------
    as many arrays as there are groups, of (nframes,) float64 [s]
    """
    frames = np.arange(1, nframes + 1)
    return [(frames + group * (nframes + gap)) * frame_time for group in range(ngroups)]


def covariance_table(read_times: Sequence[np.ndarray]) -> np.ndarray:
    """Give what the covariance of a ramp's differences is made of.

    A difference is that of two neighbouring groups, divided by the time between them.  With V the
    variance of one read [DN^2] and P the variance that photons add each second [DN^2/s], its own
    variance is ``READ * V + PHOTONS * P``, and its covariance with the difference before it is
    ``READ_PAIR * V + PHOTONS_PAIR * P``; others are independent.

    Parameters
    ----------
    read_times : for every group, the times of the reads it is the average of [s]

    Returns
    -------
    (6, ngroups - 1) float64: time between the two groups [s]; READ [1/s^2]; PHOTONS [1/s];
    READ_PAIR and PHOTONS_PAIR, 0 for the first difference; AVERAGED, 1 if the group shared with
    the difference before is the average of several reads

    Notes
    -----
    Equations 4, 11, 28 and 29 of Brandt (2024), PASP 136, 045004.
    """
    reads = np.array([len(times) for times in read_times])
    mean = np.array([np.mean(times) for times in read_times])
    # earlier reads share their photons with more of the others
    shared = np.array(
        [np.sum((2 * len(t) - 1 - 2 * np.arange(len(t))) * t) / len(t) ** 2 for t in read_times]
    )
    table = np.zeros((6, len(read_times) - 1))
    spacing = table[SPACING] = np.diff(mean)
    table[READ] = (1 / reads[:-1] + 1 / reads[1:]) / spacing**2
    table[PHOTONS] = (shared[:-1] + shared[1:] - 2 * mean[:-1]) / spacing**2
    pairs = spacing[1:] * spacing[:-1]
    table[READ_PAIR, 1:] = -1 / (reads[1:-1] * pairs)
    table[PHOTONS_PAIR, 1:] = (mean - shared)[1:-1] / pairs
    table[AVERAGED, 1:] = reads[1:-1] > 1
    return table
