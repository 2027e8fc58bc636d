"""The mean of the integrations' slopes, for fits by likelihood."""

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.medians import sort_columns
from heliodor_detector.steps.ramp_fit.rows import ERR, SLOPE, VAR_POISSON, VAR_RNOISE


@helper
def combine_integrations(rateints, y, x, network, samples, results):
    """Average the slopes of a block of columns over the integrations.

    Parameters
    ----------
    rateints : (nints, at least 4, ny, nx) float32 [DN/s], [(DN/s)^2]; slope, err, var_poisson,
        var_rnoise
    y, x : row, first column of the block
    network : sorting network for as many values as there are integrations
    samples : (nints, columns) float64; scratch
    results : (4, columns) float32; filled like rateints, NaN where no slope is valid

    Notes
    -----
    The weight of an integration is the inverse of its variance if its photon noise were that of
    the mean slope; at first the median stands for the mean, then the weighted mean.  In single
    precision, as in the operational pipeline.
    """
    nints = rateints.shape[0]
    for i in range(nints):
        for c in range(samples.shape[1]):
            rate = rateints[i, SLOPE, y, x + c]
            samples[i, c] = np.inf if np.isnan(rate) else rate
    sort_columns(samples, network)
    for c in range(samples.shape[1]):
        count = 0
        for i in range(nints):
            count += samples[i, c] < np.inf
        count = max(count, 1)
        slope = np.float32(samples[(count - 1) // 2, c] + samples[count // 2, c]) / np.float32(2)
        total = variance_p = variance_r = np.float32(0)
        for _ in range(2):
            mean = total = variance_p = variance_r = np.float32(0)
            for i in range(nints):
                photons = photon_variance(rateints, i, y, x + c, slope)
                total += or_zero(np.float32(1) / (photons + rateints[i, VAR_RNOISE, y, x + c]))
            for i in range(nints):
                photons = photon_variance(rateints, i, y, x + c, slope)
                reads = rateints[i, VAR_RNOISE, y, x + c]
                weight = np.float32(1) / (photons + reads) / total
                mean += or_zero(rateints[i, SLOPE, y, x + c] * weight)
                variance_p += or_zero(photons * (weight * weight))
                variance_r += or_zero(reads * (weight * weight))
            slope = mean
        known = total > np.float32(0)
        results[SLOPE, c] = slope if known else np.nan
        results[ERR, c] = np.sqrt(variance_p + variance_r) if known else np.nan
        results[VAR_POISSON, c] = variance_p if known else np.nan
        results[VAR_RNOISE, c] = variance_r if known else np.nan


@helper
def photon_variance(rateints, i, y, x, slope):
    """Give the photons' part in the variance of an integration if its slope were another."""
    ratio = slope / rateints[i, SLOPE, y, x]
    sensible = (ratio >= np.float32(0)) & (ratio < np.inf)
    return rateints[i, VAR_POISSON, y, x] * (ratio if sensible else np.float32(0))


@helper
def or_zero(value):
    """Give a value, or 0 for NaN."""
    return np.float32(0) if np.isnan(value) else value
