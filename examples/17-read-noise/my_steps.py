"""Errors that are what the sky shows: read noise is scaled, and the factor recorded."""

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.params import parameter
from heliodor.step import Skipped, step


@step(writes=["err", "var_rnoise"])
def scale_read_noise(
    data: np.ndarray,
    err: np.ndarray,
    dq: np.ndarray,
    var_poisson: np.ndarray,
    var_rnoise: np.ndarray,
    keywords,
    *,
    limit: Annotated[float, parameter(..., "Largest factor; its inverse is the least.", gt=1)] = 25,
    rounds: Annotated[int, parameter(..., "How often the factor is improved.", ge=1)] = 10,
):
    """Scale the variance of read noise until neighbours differ by as much as their errors say."""
    good = ((dq & DO_NOT_USE) == 0) & np.isfinite(data) & (var_rnoise > 0) & (var_poisson >= 0)
    pairs = good[..., 1:] & good[..., :-1]
    if pairs.sum() < 1000:
        return Skipped(f"only {pairs.sum()} pairs of pixels are good")

    def sums(plane):
        return (plane[..., 1:] + plane[..., :-1])[pairs].astype(np.float64)

    apart = np.abs(data[..., 1:] - data[..., :-1])[pairs]
    light, noise = sums(var_poisson), sums(var_rnoise)
    factor = 1.0
    for _ in range(rounds):  # a median: stars count for little
        total = light + factor * noise
        excess = (1.4826 * np.median(apart / np.sqrt(total))) ** 2 - 1
        factor += excess * np.median(total) / np.median(noise)
        factor = float(np.clip(factor, 1 / limit, limit))
    keywords["RNSCALE"] = factor
    return {
        "err": np.sqrt(err**2 + np.float32(factor - 1) * var_rnoise),
        "var_rnoise": np.float32(factor) * var_rnoise,
    }
