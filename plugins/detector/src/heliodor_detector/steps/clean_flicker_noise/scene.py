"""The mask of the scene, and the median of integrations, from draft slopes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from heliodor.errors import ExposureError, UsageError
from heliodor.references.files import Reference

from heliodor_detector.steps.clean_flicker_noise import background
from heliodor_detector.steps.clean_flicker_noise.background import clip, sorted_values


def scene_mask(rate: np.ndarray, hidden: np.ndarray, n_sigma: float, histogram: bool) -> np.ndarray:
    """Mask one image of slopes.

    Parameters
    ----------
    rate : (ny, nx) float32
    hidden : (ny, nx) bool, true where there is no background in any case
    n_sigma : brighter pixels are signal; 0: none are
    histogram : see `heliodor_detector.steps.clean_flicker_noise.background.clip`

    Returns
    -------
    (ny, nx) bool, true where there is background
    """
    mask = ~(hidden | np.isnan(rate) | (rate == 0))
    if n_sigma > 0:
        clip(rate, mask, sorted_values(rate, mask), 3.0, n_sigma, histogram=histogram)
    return mask


def read_mask(path: Path) -> np.ndarray:
    """Read a user's mask; (ny, nx) or (nints, ny, nx) bool.

    Raises
    ------
    heliodor.errors.UsageError
        There is no such file, or no image in it.
    """
    try:
        with fits.open(path) as hdus:
            stored = hdus["SCI"].data if "SCI" in hdus else hdus[0].data
            return np.array(stored, dtype=bool, ndmin=2)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path}: holds no mask: {error}") from error


def read_flat(reference: Reference) -> np.ndarray:
    """Read a flat; zeros and what is not finite become a smooth local value.

    Returns
    -------
    (ny, nx) float32
    """
    flat = reference.plane("SCI")
    good = (flat != 0) & np.isfinite(flat)
    if not good.all():
        known = good.copy()
        clip(flat, known, sorted_values(flat, known), 3.0, 3.0, lower_half=True)
        smooth = np.broadcast_to(background.model(flat, known), flat.shape)
        flat[~good] = smooth[~good]
    return flat


def brightness(rateints: np.ndarray) -> np.ndarray:
    """Compare the integrations' brightness.

    Parameters
    ----------
    rateints : (nints, ny, nx) float32

    Returns
    -------
    (nints,) float32, median of each integration over the median of all

    Raises
    ------
    heliodor.errors.ExposureError
        No integration has a usable value.
    """
    medians = np.array(
        [background.level(np.sort(rate[~np.isnan(rate)])) for rate in rateints], np.float32
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = medians / background.level(np.sort(medians[~np.isnan(medians)]))
    known = np.isfinite(relative)
    if not known.any():
        raise ExposureError("no integration has a usable brightness: no median image can be made.")
    relative[~known] = np.median(relative[known])
    return relative
