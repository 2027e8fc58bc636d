"""What disturbs exposures only when asked for: waves of other electronics, and a warm frame."""

from __future__ import annotations

import numpy as np

from heliodor_simulate.arrangement import Setup

SAMPLE = 10e-6
"""Time of one sample of a pixel [s]."""

SKIPPED_ROW = 7.0
"""Samples that a row outside of the window takes."""

REACH = 60.0
"""Distance from the edge in which the glow falls by a factor e [pixel]."""


class Waves:
    """A wave in the order of read-out, through all groups of an exposure.

    Parameters
    ----------
    setup : the arrangement
    integration : index
    """

    def __init__(self, setup: Setup, integration: int):
        self._figures = setup.figures.interference if setup.has("interference") else None
        if self._figures is None:
            return
        ny, nx = setup.shape
        row, self._frame = clocks(setup)
        quartet = np.arange(nx) // setup.outputs * setup.pattern.nsamples
        self._pixels = np.arange(ny)[:, None] * float(row) + quartet
        # patterns that end in R1 reset the detector once more between integrations
        pause = ny * row if setup.readpatt.endswith("R1") else 0
        self._start = integration * (setup.ngroups * self._frame + pause)

    def now(self) -> np.ndarray | float:
        """Give the wave in this group, (ny, nx) float32 [DN]."""
        if self._figures is None:
            return 0.0
        phase = (self._start + self._pixels) * SAMPLE * self._figures.frequency
        return self._figures.amplitude * wave(phase % 1).astype(np.float32)

    def next_group(self) -> None:
        """Let a frame's time pass."""
        if self._figures is not None:
            self._start += self._frame


def wave(phase: np.ndarray) -> np.ndarray:
    """Give the shape of a wave of amplitude 1, by its phase from 0 to 1."""
    return np.sin(2 * np.pi * phase) + 0.3 * np.sin(4 * np.pi * phase + 0.4)


def clocks(setup: Setup) -> tuple[int, float]:
    """Give the time from row to row and from frame to frame [samples]."""
    array = setup.figures.subarrays.get(setup.subarray, setup.figures.subarrays["FULL"])
    row = array.rowclocks
    if setup.pattern.tframe:
        row = round(setup.pattern.tframe / SAMPLE / setup.figures.size[1])
    ny = setup.shape[0]
    return row, ny * row + (setup.figures.size[1] - ny) * SKIPPED_ROW


class Glow:
    """A warm frame around the detector that drifts from group to group.

    Parameters
    ----------
    setup : the arrangement
    integration : index
    """

    def __init__(self, setup: Setup, integration: int):
        self._random = setup.random(f"glow/{integration}")
        self._strength = 0.0
        self._shape = frame(setup) if setup.has("glow") and setup.figures.glow else None
        self._step = setup.figures.glow

    def now(self) -> np.ndarray | float:
        """Give the glow in this group, (ny, nx) float32 [DN]."""
        return 0.0 if self._shape is None else np.float32(self._strength) * self._shape

    def next_group(self) -> None:
        """Let it grow or fade."""
        self._strength += self._step * self._random.standard_normal()


def frame(setup: Setup) -> np.ndarray:
    """Give the shape of the glow, (ny, nx) float32: 1 at the edge of the detector."""
    falls = []
    for start, length, full in zip(setup.corner, setup.size, setup.figures.size, strict=True):
        position = np.arange(start - 1, start - 1 + length)
        falls.append(np.exp(-np.minimum(position, full - 1 - position) / REACH))
    along_x, along_y = falls
    shape = np.maximum(along_y[:, None], along_x).astype(np.float32)
    shape[setup.reference_pixels] = 0
    return shape
