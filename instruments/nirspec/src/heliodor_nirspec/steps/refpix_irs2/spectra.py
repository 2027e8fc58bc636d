"""What is done to time sequences in Fourier space, in single precision as the operations do.

A frame of an amplifier is one sequence of 712 x nlines samples, and is transformed in two steps:
along the lines, then along the slots of a line.  That is fast, for each step stays in the
processor's cache; and the first treats slots apart, so that only those which are known or wanted
take part.  Between the two, slots are turned in phase (`Transform`).
"""

from __future__ import annotations

import numpy as np
from heliodor.errors import ReferenceError
from heliodor.references.files import Reference
from scipy.fft import fft, ifft, irfft, rfft

from heliodor_nirspec.irs2 import BLOCK, INTERLEAVED, PERIOD, SECTOR, SLOT, SLOTS
from heliodor_nirspec.steps.refpix_irs2.kernel import interpolate, subtract_line

CYCLE = PERIOD + 2
"""Slots from one block of reference pixels to the next."""

GAP_WEIGHTS = np.sin(np.arange(1, 32, dtype=np.float32) / 32.0 * np.pi).astype(np.float64)
"""Of 31 neighbours, when a gap is filled for a start."""

BORDER = [0, 1, 2, 3, -4, -3, -2, -1]
"""Lines that see no light; slopes are fitted there."""

PASSES = 3

_SET = SLOT[~INTERLEAVED[:SECTOR]]
GAPS = np.setdiff1d(np.arange(SLOTS), _SET)
"""(200,) slots of a line in which no science pixel is read."""

READS = np.flatnonzero(INTERLEAVED[:SECTOR])
"""(128,) places of reference pixels in a sector."""

# both reads of both pixels of a block, twice each
SPREAD = BLOCK * np.arange(READS.size // BLOCK)[:, np.newaxis] + [0, 2, 0, 2, 1, 3, 1, 3]
SPREAD_TO = SLOT[READS[::BLOCK], np.newaxis] - BLOCK // 2 + np.arange(2 * BLOCK)
"""(32, 8) slots to which reads are spread, around those of their block."""


class Transform:
    """Transforms of sequences of 712 x nlines samples, in two steps.

    Attributes
    ----------
    nlines : number of lines
    turn : (712, nlines / 2 + 1) complex64, between the steps
    """

    def __init__(self, nlines: int):
        self.nlines = nlines
        cycles = np.arange(SLOTS)[:, np.newaxis] * np.arange(nlines // 2 + 1) / (SLOTS * nlines)
        self.turn = np.exp(-2j * np.pi * cycles).astype(np.complex64)

    def along_lines(self, series: np.ndarray, slots: np.ndarray | slice) -> np.ndarray:
        """Do the first step for some slots.

        Parameters
        ----------
        series : (n, nlines) float32
        slots : n of them

        Returns
        -------
        (n, nlines / 2 + 1) complex64
        """
        lines = rfft(series, axis=1)
        lines *= self.turn[slots]
        return lines

    def back(self, lines: np.ndarray, slots: np.ndarray | slice) -> np.ndarray:
        """Undo it: (n, nlines) float32."""
        return irfft(lines * self.turn[slots].conj(), self.nlines, axis=1)

    def ordered(self, half: np.ndarray) -> np.ndarray:
        """Order what is known of the frequencies of real sequences as they come here.

        Parameters
        ----------
        half : (n / 2 + 1,) from zero to the highest frequency

        Returns
        -------
        (712, nlines / 2 + 1); [j, k] belongs to the frequency nlines * j + k
        """
        whole = np.concatenate([half, half[-2:0:-1].conj()]).reshape(SLOTS, self.nlines)
        return np.ascontiguousarray(whole[:, : self.nlines // 2 + 1])


class Weights:
    """The weights of the reference file, for transforms of real sequences.

    Only the real part of a corrected sequence counts, and a real sequence filtered by weights w(f)
    has the real part that the Hermitian weights (w(f) + conj w(-f)) / 2 give.

    Attributes
    ----------
    of_pixels : (4, 712, nlines / 2 + 1) complex64, for each amplifier's own reference pixels
    of_output : the same for the reference output
    """

    def __init__(self, reference: Reference, transform: Transform):
        nlines = transform.nlines
        table = reference.table("IRS2")
        names = {name.lower(): name for name in table.dtype.names or ()}
        if len(table) != 2 * SLOTS * nlines:
            raise ReferenceError(
                f"{reference.path}: IRS2 has {len(table)} rows; there must be a real and an "
                f"imaginary part for {SLOTS} x {nlines} frequencies"
            )
        # what the file calls alpha belongs to the reference output
        self.of_output, self.of_pixels = (
            np.stack([transform.ordered(_hermitian(table[names[f"{kind}_{k}"]])) for k in range(4)])
            for kind in ("alpha", "beta")
        )


def _hermitian(pairs: np.ndarray) -> np.ndarray:
    weights = np.ascontiguousarray(pairs, np.float32).view(np.complex64)
    half = weights.size // 2 + 1
    mirrored = np.concatenate([weights[:1], weights[: half - 2 : -1]])
    return (weights[:half] + mirrored.conj()) / np.float32(2)


def low_pass(nlines: int) -> np.ndarray:
    """Make the filter that smooths over gaps: it lets pass what changes slowly from cycle to cycle.

    Returns
    -------
    (n / 2 + 1,) float32, at the frequencies of a real transform
    """
    edge = 110_000 // CYCLE
    flat = SLOTS // CYCLE * nlines // 2 - edge // 2
    fall = 0.5 * (np.cos(np.arange(edge) * np.pi / edge) + 1.0)
    # the highest frequencies, which alternate between odd and even slots, pass too
    filter = np.zeros(SLOTS * nlines // 2 + 1, np.float32)
    filter[:flat] = 1.0
    filter[flat : flat + edge] = fall
    filter[-1 - flat - edge : -1 - flat] = fall[::-1]
    filter[-1 - flat :] = 1.0
    return filter


def remove_drift(series: np.ndarray) -> None:
    """Subtract a straight line through the border lines of a frame.

    Parameters
    ----------
    series : (640, nlines) float32, pixels in the order of read-out; changed in place
    """
    nlines = series.shape[1]
    border = np.ascontiguousarray(series[:, BORDER].T)
    time = SLOTS * np.arange(nlines)[BORDER, np.newaxis] + SLOT - 0.5 * (SLOTS * nlines - 1)
    time = time.astype(np.float32)[border != 0]
    values = border[border != 0]
    if values.size == 0:
        return
    # single precision as in the operational pipeline: the line stays subtracted
    count = float(values.size)
    mean_time, mean = time.mean(), values.mean()
    covariance = (time * values).sum() - count * mean_time * mean
    slope = covariance / ((time**2).sum() - count * mean_time**2)
    intercept = mean - slope * mean_time
    subtract_line(series, SLOT, SLOTS, np.float32(intercept), np.float32(slope))


def fill_gaps(
    series: np.ndarray, transform: Transform, filter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put smooth values where the reference output has none at the time of a science pixel.

    Parameters
    ----------
    series : (640, nlines) float32, pixels in the order of read-out
    filter : of `low_pass`, ordered

    Returns
    -------
    (712, nlines) float32, after interpolation, and its transform along lines with smooth values:
    (712, nlines / 2 + 1) complex64
    """
    nlines = transform.nlines
    known = np.zeros((SLOTS, nlines), np.float32)
    known[SLOT] = series
    filled = np.empty_like(known)
    interpolate(known, GAP_WEIGHTS, np.empty((2, nlines)), filled)
    lines = transform.along_lines(filled, slice(None))
    for _ in range(PASSES):
        spectrum = fft(lines, axis=0)
        spectrum *= filter
        lines[GAPS] = ifft(spectrum, axis=0, overwrite_x=True)[GAPS]
    return filled, lines


def spectrum_of_pixels(series: np.ndarray, transform: Transform) -> np.ndarray:
    """Transform a sector's reference pixels, spread in time to where science pixels are read.

    Parameters
    ----------
    series : (640, nlines) float32, pixels in the order of read-out

    Returns
    -------
    (712, nlines / 2 + 1) complex64
    """
    lines = np.zeros_like(transform.turn)
    lines[SPREAD_TO] = rfft(series[READS], axis=1)[SPREAD] * transform.turn[SPREAD_TO]
    return fft(lines, axis=0, overwrite_x=True)
