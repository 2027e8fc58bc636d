"""What the reference tells of the waves and of the clock by which pixels are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heliodor_miri.detector import OUTPUTS, SIZE

CLOCK = 10.0e-6
"""Time of one sample [s]."""

ROW_OVERHEAD = 4 + 3.0
"""Samples that a row outside of a subarray takes, in which it is skipped."""


ROW_AND_FRAME = {
    "BRIGHTSKY": (162, 86528),
    "FULL_FAST": (271, 277504),
    "FULL_SLOW": (2333, 2388992),
    "MASK1065": (82, 23968),
    "MASK1140": (82, 23968),
    "MASK1550": (82, 23968),
    "MASKLYOT": (90, 32400),
    "SLITLESSPRISM": (28, 15904),
    "SUB64": (28, 8512),
    "SUB128": (44, 11904),
    "SUB256": (96, 29952),
}
"""Clocks of read-outs, for exposures without a reference [samples]."""


@dataclass(frozen=True)
class Wave:
    """One frequency.

    Attributes
    ----------
    name : in the reference
    period : [samples]
    shape : (n,) float64 [DN], amplitudes at the middles of n equal parts of the period; of size 0
        if it is to be found in the data
    """

    name: str
    period: float
    shape: np.ndarray


@dataclass(frozen=True)
class Clock:
    """When the pixels of an array are read, in samples.

    Attributes
    ----------
    row, frame : from row to row, and of a whole frame with its reset
    waves : those that disturb this read-out
    """

    row: int
    frame: int
    waves: tuple[Wave, ...]

    @classmethod
    def of(cls, tree: Mapping[str, Any], keywords: Mapping[str, Any]) -> Clock | None:
        """Look up the read-out of an exposure in a reference; None if it is not there."""
        readout, speed = _readout(keywords)
        case = tree["subarray_cases"].get(readout)
        names = (case or {}).get("freqs", {}).get(speed)
        if isinstance(names, Mapping):
            names = names.get(keywords.get("DETECTOR"))
        if not names:
            return None
        waves = []
        for name in names:
            found = tree["frequencies"][name]
            period = (1.0 / float(found["frequency"])) / CLOCK
            waves.append(Wave(name, period, np.array(found["phase_amplitudes"], np.float64)))
        return cls(int(case["rowclocks"]), int(case["frameclocks"]), tuple(waves))

    @classmethod
    def without_reference(
        cls, frequencies: Iterable[float], keywords: Mapping[str, Any]
    ) -> Clock | None:
        """Make one of known frequencies [Hz] and unknown waves; None for an unknown read-out."""
        clocks = ROW_AND_FRAME.get(_readout(keywords)[0])
        waves = [Wave(f"{each} Hz", (1.0 / each) / CLOCK, np.empty(0)) for each in frequencies]
        return cls(*clocks, tuple(waves)) if clocks and waves else None

    def times(self, shape: tuple[int, int], nsamples: int) -> np.ndarray:
        """Give when the pixels of a frame are read.

        Parameters
        ----------
        shape : (ny, nx)
        nsamples : samples taken of each pixel

        Returns
        -------
        (ny, nx // outputs) float64 [samples]
        """
        rows = np.arange(shape[0], dtype=np.float64)[:, np.newaxis] * self.row
        return rows + np.arange(shape[1] // OUTPUTS) * nsamples

    def frame_time(self, ny: int) -> float:
        """Give the time from frame to frame [samples]."""
        return ny * self.row + (SIZE[0] - ny) * ROW_OVERHEAD


def _readout(keywords: Mapping[str, Any]) -> tuple[str, str]:
    """Name a read-out as the reference does, and its speed."""
    speed = "SLOW" if "SLOW" in str(keywords.get("READPATT", "")).upper() else "FAST"
    subarray = str(keywords.get("SUBARRAY", ""))
    return f"{subarray}_{speed}" if "FULL" in subarray else subarray, speed


def spline(shape: np.ndarray) -> np.ndarray:
    """Make the cubic spline through a wave, which is continued by one point at each end.

    Parameters
    ----------
    shape : (n,) float64, at phases ``(k + 0.5) / n``

    Returns
    -------
    (2, n + 2) float64: values, and second derivatives for points at a distance of one; the third
    derivative is continuous at the second point and at the last but one ("not a knot")
    """
    values = np.concatenate((shape[-1:], shape, shape[:1]))
    n = values.size
    matrix = np.zeros((n, n))
    right = np.zeros(n)
    inner = np.arange(1, n - 1)
    matrix[inner, inner - 1] = matrix[inner, inner + 1] = 1.0
    matrix[inner, inner] = 4.0
    right[1:-1] = 6.0 * (values[:-2] - 2.0 * values[1:-1] + values[2:])
    matrix[0, :3] = matrix[-1, -3:] = (1.0, -2.0, 1.0)
    return np.stack((values, np.linalg.solve(matrix, right)))
