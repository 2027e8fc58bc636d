"""The sky on the detector: a background, and stars or spectra."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from heliodor_simulate.arrangement import Setup
from heliodor_simulate.figures import Spectra

STAR = np.dtype([("x", "f8"), ("y", "f8"), ("rate", "f8")])
SQRT2 = 2**0.5
WING = (0.15, 4.0)
"""Part of a star's light in the wings of its image, and their width relative to the core."""


def render(setup: Setup) -> tuple[np.ndarray, np.ndarray]:
    """Make the image of sky and stars, or of spectra instead.

    Parameters
    ----------
    setup : the arrangement

    Returns
    -------
    image : (ny, nx) float32 [electron/s]
    stars : record array ``x, y, rate`` of the stars whose centre is on the array; pixels count
        from 0
    """
    ny, nx = setup.shape
    image = np.zeros((ny, nx))
    if setup.has("sky"):
        first, last = setup.sky
        image += first if first == last else np.geomspace(first, last, nx)
    stars = np.zeros(0, STAR)
    if setup.has("sources"):
        if setup.figures.spectra is None:
            stars = _draw_stars(setup)
        else:
            image += _spectra(setup, setup.figures.spectra)
    reach = 45
    near = (np.abs(stars["x"] - (nx - 1) / 2) < nx / 2 + reach) & (
        np.abs(stars["y"] - (ny - 1) / 2) < ny / 2 + reach
    )
    for star in stars[near]:
        _add_star(image, star, setup.optics.fwhm / 2.3548)
    inside = (
        (stars["x"] >= -0.5)
        & (stars["x"] < nx - 0.5)
        & (stars["y"] >= -0.5)
        & (stars["y"] < ny - 0.5)
    )
    array = setup.figures.subarrays.get(setup.subarray)
    unlit = array.unlit if array else 0
    image[:, :unlit] = image[:, nx - unlit :] = 0
    return image.astype(np.float32), stars[inside]


def _draw_stars(setup: Setup) -> np.ndarray:
    """Stars of the whole detector, in pixels of this exposure's array."""
    figures = setup.figures.stars
    random = setup.random(f"stars/{setup.detector}")
    stars = np.zeros(figures.number, STAR)
    for axis, start, full in zip("xy", setup.corner, setup.figures.size, strict=True):
        stars[axis] = random.uniform(-0.5, full - 0.5, figures.number) - (start - 1)
    rate = figures.faintest * (1 - random.random(figures.number)) ** (-1 / figures.slope)
    stars["rate"] = np.minimum(rate, figures.brightest)
    return stars


def _spectra(setup: Setup, figures: Spectra) -> np.ndarray:
    """Draw the detector's spectra, straight lines along an axis, (ny, nx) [electron/s].

    Each brightens or fades along the axis by up to a factor of two either way.
    """
    random = setup.random(f"spectra/{setup.detector}")
    along = "xy".index(figures.axis)
    full = setup.figures.size[1 - along]
    centre = random.uniform(0, full, figures.number)
    rate = figures.faintest * (1 - random.random(figures.number)) ** (-1 / figures.slope)
    tilt = random.uniform(-1, 1, figures.number)
    across, position = (
        np.arange(setup.size[axis]) + setup.corner[axis] - 1.0 for axis in (1 - along, along)
    )
    sigma = figures.fwhm / 2.3548
    profile = np.exp(-0.5 * ((across[:, None] - centre) / sigma) ** 2)
    bright = np.minimum(rate, figures.brightest)
    colour = bright[:, None] * 2.0 ** np.outer(tilt, 2 * position / setup.figures.size[along] - 1)
    image: np.ndarray = profile @ colour
    return image if along == 0 else image.T


def _add_star(image: np.ndarray, star: np.ndarray, sigma: float) -> None:
    """Add a star, a core and wider wings, both Gaussian, integrated over the pixels."""
    ny, nx = image.shape
    reach = 40 if star["rate"] > 2000 else 15
    x0, y0 = round(float(star["x"])), round(float(star["y"]))
    rows = slice(max(0, y0 - reach), min(ny, y0 + reach + 1))
    columns = slice(max(0, x0 - reach), min(nx, x0 + reach + 1))
    dy = np.arange(ny)[rows] - star["y"]
    dx = np.arange(nx)[columns] - star["x"]
    share, wider = WING
    for part, width in ((1 - share, sigma), (share, wider * sigma)):
        in_rows, in_columns = (
            0.5 * (erf((d + 0.5) / (width * SQRT2)) - erf((d - 0.5) / (width * SQRT2)))
            for d in (dy, dx)
        )
        image[rows, columns] += star["rate"] * part * in_rows[:, None] * in_columns
