"""What is done to time sequences in Fourier space, in single precision as the operations do."""

from __future__ import annotations

import numpy as np
from heliodor.errors import ReferenceError
from heliodor.references.files import Reference
from scipy.fft import irfft, rfft

from heliodor_nirspec.irs2 import BLOCK, FIRST, INTERLEAVED, PERIOD, SECTOR, SECTORS, SLOT, SLOTS
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

_BLOCKS = CYCLE * np.arange(SECTOR // PERIOD)[:, np.newaxis]
# around a block (slots 9 to 12 of a cycle): both reads of both pixels, twice each
SPREAD_FROM = (_BLOCKS + FIRST + 1 + [0, 2, 0, 2, 1, 3, 1, 3]).reshape(-1)
SPREAD_TO = (_BLOCKS + FIRST + 1 - BLOCK // 2 + np.arange(2 * BLOCK)).reshape(-1)
"""(256,) slots to which the reads of reference pixels are spread."""


class Weights:
    """The weights of the reference file, for transforms of real sequences.

    Only the real part of a corrected sequence counts, and a real sequence filtered by weights w(f)
    has the real part that the Hermitian weights (w(f) + conj w(-f)) / 2 give.

    Attributes
    ----------
    of_pixels : (4, n / 2 + 1) complex64, for each amplifier's own reference pixels
    of_output : the same for the reference output
    """

    def __init__(self, reference: Reference, nlines: int):
        # what the file calls alpha belongs to the reference output
        kinds = [[f"{kind}_{k}" for k in range(SECTORS - 1)] for kind in ("alpha", "beta")]
        all_names = [name for names in kinds for name in names]
        columns = reference.columns("IRS2", all_names)
        length = len(columns["alpha_0"])
        if length != 2 * SLOTS * nlines:
            raise ReferenceError(
                f"{reference.path}: IRS2 has {length} rows; there must be a real and an "
                f"imaginary part for {SLOTS} x {nlines} frequencies"
            )
        for name in all_names:
            if not np.isfinite(columns[name]).all():
                raise ReferenceError(f"{reference.path}: weights {name} of IRS2 must be finite")
        self.of_output, self.of_pixels = (
            np.stack([_hermitian(columns[name]) for name in names]) for names in kinds
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
    series : (nlines, 712) float32, zero in gaps; changed in place
    """
    border = series[BORDER]
    time = np.arange(series.size, dtype=np.float32) - np.float32(0.5 * (series.size - 1))
    time = time.reshape(series.shape)[BORDER][border != 0]
    values = border[border != 0]
    if values.size == 0:
        return
    # single precision as in the operational pipeline: the line stays subtracted
    count = float(values.size)
    mean_time, mean = time.mean(), values.mean()
    covariance = (time * values).sum() - count * mean_time * mean
    slope = covariance / ((time**2).sum() - count * mean_time**2)
    subtract_line(series.reshape(-1), np.float32(mean - slope * mean_time), np.float32(slope))


def fill_gaps(series: np.ndarray, filter: np.ndarray) -> np.ndarray:
    """Replace what is not a science pixel's place in the reference output by smooth values.

    Parameters
    ----------
    series : (nlines, 712) float32, zero in gaps
    filter : of `low_pass`

    Returns
    -------
    (nlines, 712) float32
    """
    filled = np.empty_like(series)
    interpolate(series.reshape(-1), GAP_WEIGHTS, filled.reshape(-1))
    for _ in range(PASSES):
        spectrum = rfft(filled.reshape(-1))
        spectrum *= filter
        smooth = irfft(spectrum, series.size).reshape(series.shape)
        filled[:, GAPS] = smooth[:, GAPS]
    return filled


def drift_of_sector(
    series: np.ndarray, of_pixels: np.ndarray, of_output: np.ndarray, output: np.ndarray
) -> np.ndarray:
    """Estimate a sector's drift from its reference pixels and the reference output.

    Parameters
    ----------
    series : (nlines, 712) float32 of the sector
    of_pixels, of_output : (n / 2 + 1,) complex64 weights
    output : (n / 2 + 1,) complex64, spectrum of the reference output

    Returns
    -------
    (nlines, 712) float32
    """
    pixels = np.zeros_like(series)
    pixels[:, SPREAD_TO] = series[:, SPREAD_FROM]
    spectrum = rfft(pixels.reshape(-1))
    spectrum *= of_pixels
    spectrum += of_output * output
    return irfft(spectrum, series.size).reshape(series.shape)
