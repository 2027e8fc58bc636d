"""The fixed truth of a detector's pixels.

Random numbers are drawn in tiles of the whole detector, so that any window, subarray or full frame
of one detector and seed sees the same pixels, and a small window costs little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from heliodor.bits import PIXEL

from heliodor_simulate import scene
from heliodor_simulate.arrangement import Setup

TILE = 128
WAVES = 8
"""Cosine waves per axis in a smooth field."""

HOTTEST = 65000.0
"""Largest saturation threshold [DN]: the converter ends at 65535."""


@dataclass(frozen=True)
class Truth:
    """What is true of each pixel; all arrays (ny, nx) unless said otherwise.

    Attributes
    ----------
    rate : sky and stars [electron/s], before `flat`
    stars : record array ``x, y`` (0-based pixels), ``rate`` [electron/s] of the stars on the array
    flat : relative sensitivity
    gain : [electron/DN]
    read_noise : of one read [DN]
    dark : [electron/s]
    bias : [DN]
    linearity : (3, ny, nx); with y the signal above bias, or above zero where a mode's figures
        say so, and x what it would be if the pixel
        were linear, both in DN, ``x = y + l[0] y^2 + l[1] y^3 + l[2] y^4``
    full_well : [electron]
    saturation : raw signal that counts as saturated [DN]
    mask : uint32, bits of `heliodor.bits.PIXEL`
    """

    rate: np.ndarray
    stars: np.ndarray
    flat: np.ndarray
    gain: np.ndarray
    read_noise: np.ndarray
    dark: np.ndarray
    bias: np.ndarray
    linearity: np.ndarray
    full_well: np.ndarray
    saturation: np.ndarray
    mask: np.ndarray

    def linearised(self, signal: np.ndarray) -> np.ndarray:
        """Undo the non-linearity of signals, (ny, nx) [DN]."""
        c2, c3, c4 = self.linearity
        return signal * (1 + signal * (c2 + signal * (c3 + signal * c4)))


def make_truth(setup: Setup) -> Truth:
    """Draw the pixels of an exposure's array and the light that falls on them.

    Parameters
    ----------
    setup : the arrangement; effects that are left out leave perfect pixels behind
    """
    pixels = setup.figures.pixels
    white, lottery, strength = _noise_by_tiles(setup)
    smooth = iter(smooth_fields(setup, 4))
    reference = setup.reference_pixels

    gain = setup.device.gain * (1 + 0.01 * next(smooth))
    full_well = pixels.full_well * (1 + 0.02 * next(smooth))
    flat = 1 + 0.02 * next(smooth) + 0.008 * white[0]
    bias = pixels.bias + 100.0 * next(smooth) + 30.0 * white[1] + _fixed_stripes(setup)
    read_noise = pixels.read_noise * np.maximum(1 + 0.08 * white[2], 0.3)
    dark = pixels.dark * np.exp(0.4 * white[3])
    linearity = np.array(pixels.linearity, np.float32)[:, None, None] * (1 + 0.05 * white[4])
    if not setup.has("flat"):
        flat = np.ones_like(flat)
    if not setup.has("dark"):
        dark = np.zeros_like(dark)
    if not setup.has("nonlinearity"):
        linearity = np.zeros_like(linearity)

    mask = np.zeros(setup.shape, np.uint32)
    if setup.has("bad-pixels"):
        for name, chosen in _bad_pixels(setup, lottery).items():
            mask[chosen] |= np.uint32(_flags(name))
            if name in ("dead", "low_qe"):
                flat[chosen] *= 0.0 if name == "dead" else 0.6
            if name in ("hot", "warm") and setup.has("dark"):
                low, high = (0.5, 3.0) if name == "hot" else (-1.5, 0.0)
                dark[chosen] += 10 ** (low + (high - low) * strength[chosen])
            if name == "noisy":
                read_noise[chosen] *= 4
    mask[reference] = PIXEL["REFERENCE_PIXEL"]
    flat[reference] = 1
    dark[reference] = 0
    linearity[:, reference] = 0

    bias = bias.astype(np.float32)
    if setup.has("saturation"):
        if setup.figures.linear_from == "bias":
            full = bias + pixels.saturation * show(full_well / gain, linearity)
        else:
            full = pixels.saturation * show(bias + full_well / gain, linearity)
        saturation = np.minimum(full, HOTTEST)
    else:
        full_well = np.full(setup.shape, np.inf)
        saturation = np.full(setup.shape, HOTTEST)
    saturation[reference] = HOTTEST
    rate, stars = scene.render(setup)
    rate[reference] = 0
    return Truth(
        rate=rate,
        stars=stars,
        flat=flat.astype(np.float32),
        gain=gain.astype(np.float32),
        read_noise=read_noise.astype(np.float32),
        dark=dark.astype(np.float32),
        bias=bias,
        linearity=linearity,
        full_well=full_well.astype(np.float32),
        saturation=saturation.astype(np.float32),
        mask=mask,
    )


def show(charge: np.ndarray, linearity: np.ndarray) -> np.ndarray:
    """Give the signal that pixels show for a charge: the inverse of `Truth.linearised`.

    Parameters
    ----------
    charge : (ny, nx) [DN]
    linearity : (3, ny, nx) coefficients of `Truth`

    Returns
    -------
    (ny, nx) signal above bias [DN], to the rounding of its type for corrections up to a tenth

    Notes
    -----
    Newton's iteration on the correction polynomial, which rises monotonically.
    """
    c2, c3, c4 = linearity
    signal = charge * (1 - c2 * charge)
    for _ in range(3):
        slope = 1 + signal * (2 * c2 + signal * (3 * c3 + signal * (4 * c4)))
        excess = signal * (1 + signal * (c2 + signal * (c3 + signal * c4))) - charge
        signal -= excess / slope
    return signal


def _noise_by_tiles(setup: Setup) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(5, ny, nx) normal and two (ny, nx) uniform random fields of the detector, in this window."""
    (x0, y0), (ny, nx) = (value - 1 for value in setup.corner), setup.shape
    white = np.empty((5, ny, nx), np.float32)
    uniform = np.empty((2, ny, nx), np.float32)
    for ty in range(y0 // TILE, (y0 + ny - 1) // TILE + 1):
        for tx in range(x0 // TILE, (x0 + nx - 1) // TILE + 1):
            random = setup.random(f"pixels/{setup.detector}/{ty}/{tx}")
            rows, tile_rows = _overlap(ty * TILE, y0, ny)
            columns, tile_columns = _overlap(tx * TILE, x0, nx)
            tile = random.standard_normal((5, TILE, TILE), np.float32)
            white[:, rows, columns] = tile[:, tile_rows, tile_columns]
            tile = random.random((2, TILE, TILE), np.float32)
            uniform[:, rows, columns] = tile[:, tile_rows, tile_columns]
    return white, uniform[0], uniform[1]


def _overlap(tile_start: int, start: int, length: int) -> tuple[slice, slice]:
    """Where a tile lies in the window, and the window in the tile, along one axis."""
    low, high = max(tile_start, start), min(tile_start + TILE, start + length)
    return slice(low - start, high - start), slice(low - tile_start, high - tile_start)


def smooth_fields(setup: Setup, count: int, purpose: str = "smooth") -> list[np.ndarray]:
    """Draw random fields of a few waves over the detector, mean 0 and rms about 1.

    Parameters
    ----------
    setup : the arrangement
    count : of fields
    purpose : of the random numbers

    Returns
    -------
    list of (ny, nx) float32, in this window
    """
    random = setup.random(f"{purpose}/{setup.detector}")
    waves = []
    for start, length, full in zip(setup.corner, setup.size, setup.figures.size, strict=True):
        position = (np.arange(start - 1, start - 1 + length) + 0.5) / full
        waves.append(np.cos(np.pi * position[:, None] * np.arange(WAVES)))
    along_x, along_y = waves
    fields = []
    for _ in range(count):
        amplitude = random.standard_normal((WAVES, WAVES))
        amplitude[0, 0] = 0
        weight = np.full((WAVES, WAVES), 0.25)
        weight[0] = weight[:, 0] = 0.5
        weight[0, 0] = 0
        amplitude /= np.sqrt((amplitude**2 * weight).sum())
        fields.append((along_y @ amplitude @ along_x.T).astype(np.float32))
    return fields


def _fixed_stripes(setup: Setup) -> np.ndarray:
    """Bias of amplifiers and of odd columns [DN]: varies along the fast axis only."""
    axis = abs(setup.device.axes.fast) - 1
    start, length = setup.corner[axis] - 1, setup.size[axis]
    column = np.arange(start, start + length)
    level = 40.0 * setup.random(f"amplifiers/{setup.detector}").standard_normal(4)
    if setup.figures.amplifiers == "interlaced":
        stripes = level[column % 4]
    else:
        stripes = level[column * 4 // setup.figures.size[axis]] + 40.0 * (column % 2)
    return stripes[None, :] if axis == 0 else stripes[:, None]


def _bad_pixels(setup: Setup, lottery: np.ndarray) -> dict[str, np.ndarray]:
    """Pixels (ny, nx) bool of each kind; none has two defects."""
    chosen = {}
    low = 0.0
    for name, fraction in setup.figures.bad_pixels.model_dump().items():
        chosen[name] = (lottery >= low) & (lottery < low + fraction)
        low += fraction
    return chosen


def _flags(defect: str) -> int:
    """Bits of a defect in the mask; those of other references are set there."""
    names = {
        "dead": ("DEAD", "DO_NOT_USE"),
        "low_qe": ("LOW_QE",),
        "hot": ("HOT", "DO_NOT_USE"),
        "warm": ("WARM",),
        "noisy": ("UNRELIABLE_SLOPE",),
        "unlinear": ("NO_LIN_CORR",),
        "unchecked": ("NO_SAT_CHECK",),
    }
    return sum(PIXEL[name] for name in names[defect])
