"""Noise as a few Fourier components of the lines, for NIRSpec.

Rauscher (2024, PASP 136, 015001), "NSClean".  Components are fitted by weighted least squares to
the background, weights being the inverse of its local density.  The matrices of the normal
equations have constant diagonals, which are Fourier transforms of the squared weights: no basis
is ever written down.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from heliodor.errors import StepError

FULL = (2048, 2048)

CUT = 1 / 256
"""Frequency of half gain, full frame [1/pixel]."""

ROLL_OFF = CUT / 4
"""Over which the gain falls from one to zero [1/pixel]."""

REJECT = 3.0
"""Values of a line further from its median are replaced by it [standard deviations]."""

DENSITY_SIGMA = 32.0
"""Of the Gaussian that measures the density of background along a line [pixel]."""

SMOOTH_SIGMA = 1.5
"""Of the Gaussian that smooths the noise across lines [pixel]."""

LINES = 128
"""Lines that are worked on together: memory is for so many only."""

SAME: Literal["same_kind"] = "same_kind"

EDGE = 4
"""Lines of reference pixels, without noise to fit."""

DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


def subtract_noise(image: np.ndarray, mask: np.ndarray, detector: str, subarray: str) -> None:
    """Subtract the noise fitted to the background of an image.

    Parameters
    ----------
    image : (ny, nx) float32, without NaN; changed in place
    mask : (ny, nx) bool, true where there is background
    detector : NRS1 or NRS2
    subarray : value of SUBARRAY

    Raises
    ------
    heliodor.errors.StepError
        The background is too small to fit anything to.
    """
    # as it is read: slow along the first axis, fast along the second
    image, mask = image.T, mask.T
    if detector != "NRS1":
        image, mask = image[::-1], mask[::-1]
    if image.shape == FULL:
        nlines, n = image.shape
        components = smooth_lines(line_components(image, mask), n)
        for start in range(0, nlines, LINES):
            lines = slice(start, start + LINES)
            np.subtract(image[lines], waves(components[lines], n), out=image[lines], casting=SAME)
    else:
        from heliodor_detector.steps.clean_flicker_noise.ticks import tick_noise

        np.subtract(image, tick_noise(image, mask, subarray), out=image, casting=SAME)


def line_components(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fit low frequencies to the background of a full frame, line by line.

    Parameters
    ----------
    image : (nlines, n) float32
    mask : (nlines, n) bool, true where there is background

    Returns
    -------
    (nlines, ncomponents) complex128, from frequency 0 upwards; 0 in lines without background
    """
    nlines, n = image.shape
    gain = low_pass(n)
    fitted = np.zeros((nlines, gain.size), complex)
    with_background = EDGE + np.flatnonzero(mask[EDGE : nlines - EDGE].any(axis=1))
    for start in range(0, with_background.size, LINES):
        lines = with_background[start : start + LINES]
        squares = line_weights(mask[lines], mask[lines - 1]) ** 2
        values = without_outliers(image[lines], mask[lines])
        moments = np.fft.rfft(squares, axis=1)[:, : gain.size]
        shares = np.fft.rfft(squares * values, axis=1)[:, : gain.size]
        fitted[lines] = solve(toeplitz(moments), shares) * gain
    return fitted


def waves(components: np.ndarray, n: int) -> np.ndarray:
    """Add up components to lines of n pixels, (nlines, n) float64."""
    return n * np.fft.irfft(components, n, axis=1)


def low_pass(n: int) -> np.ndarray:
    """Give the gain of the frequencies of a line that are fitted at all."""
    frequency = np.fft.rfftfreq(n)
    falling = (1 + np.cos(np.pi * (frequency - CUT) / ROLL_OFF + np.pi / 2)) / 2
    gain = np.where(frequency <= CUT - ROLL_OFF / 2, 1.0, falling)
    gain[frequency > CUT + ROLL_OFF / 2] = 0.0
    return gain[gain > 0]


def line_weights(mask: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Give weights: the inverse of the density of background nearby on the line before.

    That it is the line, and the pixel, before follows operations.  The density is at least that
    of one pixel alone, so that a first line of background does not outweigh all others.

    Parameters
    ----------
    mask, before : (nlines, n) bool, of some lines and of those before them

    Returns
    -------
    (nlines, n) float64
    """
    n = mask.shape[1]
    nearby = np.fft.rfft(one_further(gaussian(centred(n), DENSITY_SIGMA)))
    density = np.fft.irfft(np.fft.rfft(before, axis=1) * nearby, n, axis=1)
    return mask / np.maximum(density, gaussian(np.zeros(1), DENSITY_SIGMA))


def centred(n: int) -> np.ndarray:
    """Give distances from the middle of n pixels."""
    return np.arange(n) - n // 2


def one_further(kernel: np.ndarray) -> np.ndarray:
    """Order a kernel about the middle for transforms; it moves what it smooths by one pixel."""
    return np.roll(np.fft.ifftshift(kernel), 1)


def gaussian(x: np.ndarray, sigma: float) -> np.ndarray:
    """Give the normal distribution."""
    return np.exp(-0.5 * (x / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def without_outliers(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Replace what is far from the median of its line's background by it."""
    from heliodor_detector.steps.clean_flicker_noise.stripes import line_medians

    median = line_medians(image, mask)[:, np.newaxis]
    away = np.abs(image - median)
    sigma = DEVIATION * line_medians(away, mask)[:, np.newaxis]
    return np.where(away <= REJECT * sigma, image, median)


def toeplitz(moments: np.ndarray) -> np.ndarray:
    """Make the Hermitian matrices whose first columns are given.

    Parameters
    ----------
    moments : (..., n) complex

    Returns
    -------
    (..., n, n) complex
    """
    places = np.arange(moments.shape[-1])
    apart = places[:, np.newaxis] - places
    entries = moments[..., np.abs(apart)]
    return np.where(apart >= 0, entries, entries.conj())


def solve(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve normal equations, (..., n, n) and (..., n)."""
    try:
        return np.linalg.solve(matrices, right[..., np.newaxis])[..., 0]
    except np.linalg.LinAlgError as error:
        raise StepError(
            f"the mask leaves too little background to fit noise to ({error}): "
            "use a mask with more, or fit_method=median."
        ) from error


def smooth_lines(components: np.ndarray, n: int) -> np.ndarray:
    """Smooth noise across lines; the result stands one line and pixel further, as operations'.

    Parameters
    ----------
    components : (nlines, ncomponents) complex128
    n : pixels of a line

    Returns
    -------
    the same of the smoothed noise
    """
    nlines, ncomponents = components.shape
    across = np.fft.fft(one_further(gaussian(centred(nlines), SMOOTH_SIGMA)))[:, np.newaxis]
    smoothed = np.fft.ifft(np.fft.fft(components, axis=0) * across, axis=0)
    return smoothed * np.exp(-2j * np.pi * np.arange(ncomponents) / n)
