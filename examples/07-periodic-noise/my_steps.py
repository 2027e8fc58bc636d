"""A wave of one frequency in MIRI's read-out, fitted to all groups and subtracted."""

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.params import parameter
from heliodor.step import Skipped, step

SAMPLE = 10e-6  # s
OUTPUTS = 4  # amplifiers, which read neighbouring columns at once


@step(looks="frames", writes="data", when={"instrument": "MIRI"})
def remove_periodic_noise(
    data: np.ndarray,
    groupdq: np.ndarray,
    keywords,
    *,
    frequency: Annotated[float, parameter(..., "Of the wave.", unit="Hz", gt=0)] = 390.625,
    row_clocks: Annotated[int, parameter(..., "Samples from row to row.", ge=1)] = 271,
    harmonics: Annotated[int, parameter(..., "Sines that make up the wave.", ge=1)] = 2,
    cut: Annotated[float, parameter(..., "Ramps that are not straight.", unit="sigma", gt=0)] = 5.0,
):
    """Fit a wave in the order of read-out, besides each pixel's straight ramp, and subtract it."""
    ngroups, ny, nx = data.shape
    if ngroups < 4:
        return Skipped("a wave is told from a ramp by at least 4 groups")
    # the wave is a product of what comes with the group and what comes with the pixel
    turns = 2j * np.pi * frequency * np.arange(1, harmonics + 1)
    by_group = np.exp(turns * keywords["TGROUP"] * np.arange(ngroups)[:, None])
    place = row_clocks * np.arange(ny)[:, None] + np.arange(nx) // OUTPUTS
    by_pixel = np.exp(turns * SAMPLE * place[..., None])

    bad = groupdq & (DO_NOT_USE | SATURATED | JUMP_DET)
    usable = ~bad.any(axis=0) & np.isfinite(data).all(axis=0)
    number = np.vander(np.arange(ngroups), 2)
    bend = np.eye(ngroups) - number @ np.linalg.pinv(number)  # takes away straight ramps
    off = bend @ data[:, usable]
    spread = np.sqrt((off**2).mean(axis=0))
    calm = spread < cut * np.median(spread)
    off, pixels, groups = off[:, calm], by_pixel[usable][calm], bend @ by_group

    matrix, right = np.zeros((2 * harmonics,) * 2), np.zeros(2 * harmonics)
    for group in range(ngroups):
        wave = pixels * groups[group]
        design = np.concatenate([wave.real, wave.imag], axis=1)
        design -= design.mean(axis=0)  # a drift of the whole image is no wave
        matrix += design.T @ design
        right += design.T @ off[group]
    cosine, sine = np.linalg.lstsq(matrix, right)[0].reshape(2, harmonics)
    for group in range(ngroups):
        data[group] -= (by_pixel @ (by_group[group] * (cosine - 1j * sine))).real
