"""Noise of the read-out electronics, in the order in which pixels are read."""

from __future__ import annotations

import numpy as np
from scipy import fft

from heliodor_simulate.arrangement import Setup

OVERHEAD = 12
"""Pixel times between two rows."""

COMMON = 0.8
"""Part of the flicker noise's rms that all amplifiers share; the rest is each one's own."""


def flicker(setup: Setup, random: np.random.Generator) -> np.ndarray:
    """1/f noise of one frame.

    Returns
    -------
    (ny, nx) float32 [DN], in the science orientation
    """
    nslow, nfast = _readout_shape(setup)
    width = nfast // setup.outputs
    times = nslow * (width + OVERHEAD)
    rms = setup.figures.noise.flicker
    common = pink(random, times, rms * COMMON)
    frame = np.empty((nslow, nfast), np.float32)
    for output in range(setup.outputs):
        own = pink(random, times, rms * (1 - COMMON**2) ** 0.5)
        rows = (common + own).reshape(nslow, width + OVERHEAD)[:, :width]
        if setup.figures.amplifiers == "interlaced":
            frame[:, output :: setup.outputs] = rows
        else:
            # neighbouring amplifiers read towards each other
            frame[:, output * width : (output + 1) * width] = rows[:, ::-1] if output % 2 else rows
    return to_science(setup, frame)


def pink(random: np.random.Generator, length: int, rms: float | np.floating) -> np.ndarray:
    """Draw noise with a power spectrum of 1/f.

    Parameters
    ----------
    random : generator
    length : number of samples
    rms : expected of each sample

    Returns
    -------
    (length,) float32
    """
    period = fft.next_fast_len(max(length, 16), real=True)
    frequency = np.arange(1, period // 2 + 1, dtype=np.float32)
    parts = random.standard_normal((frequency.size, 2), np.float32)
    spectrum = np.zeros(frequency.size + 1, np.complex64)
    spectrum[1:] = parts.view(np.complex64)[:, 0] / np.sqrt(frequency)
    # each frequency adds 2 |c|^2 to the variance, and |c|^2 is 2/f on average
    expected = np.sqrt(4 * (1 / frequency.astype(np.float64)).sum()) / period
    return fft.irfft(spectrum, period)[:length] * np.float32(rms / expected)


class Drifts:
    """Offsets of amplifiers, and of odd and even columns or rows, that wander from group to group.

    Parameters
    ----------
    setup : the arrangement
    integration : index; each starts anew
    """

    def __init__(self, setup: Setup, integration: int):
        self.setup = setup
        self._random = setup.random(f"drifts/{integration}")
        figures = setup.figures.noise
        self._amplifier = np.zeros(setup.outputs)
        self._parity = np.zeros((setup.outputs, 2))
        if setup.has("amplifiers"):
            self._amplifier = figures.amplifier * self._random.standard_normal(setup.outputs)
        if setup.has("odd-even"):
            self._parity = figures.odd_even * self._random.standard_normal((setup.outputs, 2))

    def walk(self) -> None:
        """Go on to the next group."""
        figures, outputs = self.setup.figures, self.setup.outputs
        if self.setup.has("amplifiers"):
            step = self._random.standard_normal(outputs)
            self._amplifier = self._amplifier + figures.noise.amplifier_walk * step
        # rows wander, while columns are told apart by the bias
        if self.setup.has("odd-even") and figures.amplifiers == "interlaced":
            step = self._random.standard_normal((outputs, 2))
            self._parity = self._parity + figures.noise.amplifier_walk * step

    def offsets(self) -> np.ndarray:
        """Offsets now, (ny, nx) float32 [DN] in the science orientation."""
        nslow, nfast = _readout_shape(self.setup)
        column = np.arange(nfast)
        if self.setup.figures.amplifiers == "interlaced":
            output, row = column % self.setup.outputs, np.arange(nslow)
            frame = self._amplifier[output] + self._parity[:, row % 2].T[:, output]
        else:
            output = column * self.setup.outputs // nfast
            line = self._amplifier[output] + self._parity[output, column % 2]
            frame = np.broadcast_to(line, (nslow, nfast))
        return np.ascontiguousarray(to_science(self.setup, frame), np.float32)

    def of_amplifiers(self) -> np.ndarray:
        """Offsets of the amplifiers alone now, (outputs,) float32 [DN]."""
        return self._amplifier.astype(np.float32)


def to_science(setup: Setup, frame: np.ndarray) -> np.ndarray:
    """Turn a frame as it is read, (slow, fast), into the science orientation, (ny, nx)."""
    axes = setup.device.axes
    if axes.fast < 0:
        frame = frame[:, ::-1]
    if axes.slow < 0:
        frame = frame[::-1]
    return frame if abs(axes.fast) == 1 else frame.T


def from_science(setup: Setup, image: np.ndarray) -> np.ndarray:
    """Turn an image (ny, nx) into a frame as it is read, (slow, fast)."""
    axes = setup.device.axes
    frame = image if abs(axes.fast) == 1 else image.T
    if axes.fast < 0:
        frame = frame[:, ::-1]
    return frame[::-1] if axes.slow < 0 else frame


def _readout_shape(setup: Setup) -> tuple[int, int]:
    ny, nx = setup.shape
    return (ny, nx) if abs(setup.device.axes.fast) == 1 else (nx, ny)
