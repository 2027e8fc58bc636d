"""Differences of groups, and their errors."""

import numpy as np

AVERAGED = 4
"""Groups that fine guiding averages at either end of an integration."""


def rise_of_averages(data):
    """Subtract the average of the first groups of each integration from that of the last.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]

    Returns
    -------
    (nints, ny, nx) float32 [DN]
    """
    return data[:, -AVERAGED:].mean(axis=1) - data[:, :AVERAGED].mean(axis=1)


def rise(data):
    """Subtract the first group of each integration from the second.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]; of at least two groups

    Returns
    -------
    (nints, ny, nx) float32 [DN]
    """
    return data[:, 1] - data[:, 0]


def smallest_rise(data):
    """Take the smaller of the rises of the first two integrations: a particle hits only one.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]; of at least two groups

    Returns
    -------
    (1, ny, nx) float32 [DN]
    """
    return rise(data[:2]).min(axis=0, keepdims=True)


def error(rise, tgroup, gain, readnoise):
    """Find the error of a rate from the noise of two reads and that of the light.

    Parameters
    ----------
    rise : (..., ny, nx) float32 [DN]; a negative one has no noise of light
    tgroup : time between groups [s]
    gain : (ny, nx) float32 [electron/DN]
    readnoise : (ny, nx) float32 [DN]

    Returns
    -------
    (..., ny, nx) float32 [DN/s]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = rise / (gain * tgroup)
    variance[variance < 0] = 0.0
    variance += 2 * (readnoise / tgroup) ** 2
    return np.sqrt(variance, out=variance)
