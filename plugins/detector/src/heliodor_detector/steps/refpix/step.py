"""Remove bias drifts with the reference pixels."""

from __future__ import annotations

import numpy as np
from heliodor.data import Ramp
from heliodor.errors import NotYetError
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.steps.refpix.kernel import clipped_means, running_medians, subtract
from heliodor_detector.steps.refpix.params import RefPixParams
from heliodor_detector.steps.refpix.readout import (
    BORDER,
    DETECTOR,
    MeanPixels,
    Readout,
    SidePixels,
)
from heliodor_detector.steps.refpix.sirs import SirsKernels, subtract_drifts

Precision = type[np.floating]


class RefPix(Step[RefPixParams]):
    """Subtract what the reference pixels of a near-infrared detector say about its drifts.

    Means of the first and last rows correct each amplifier's columns; then smoothed values of the
    columns at the sides correct each row.  A subarray read by one amplifier has one mean.
    """

    Params = RefPixParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Find the reference pixels."""
        ny, nx = ramp.data.shape[-2:]
        flags = self.reference_flags(ramp)
        readout = Readout.of(ramp.keywords, (ny, nx))
        if not readout.on_detector():
            return Skipped("the subarray reaches beyond the detector")
        amplifiers = readout.is_full() or ramp.keywords.get("NOUTPUTS") == 4
        self.means = MeanPixels.of(
            readout,
            flags,
            amplifiers=amplifiers,
            odd_even=self.params.odd_even_columns,
        )
        self.sides: list[SidePixels] = []
        if amplifiers and self.params.use_side_ref_pixels:
            self.sides = SidePixels.both(readout, flags)
        self.kernels = self._kernels(ramp, readout, refs) if self.sides else None
        if not self.means.any() and not self.sides:
            return Skipped("no amplifier and no side has good reference pixels")
        self.readout = readout
        # the operational pipeline's work array becomes double with the first side correction
        self.becomes_double = amplifiers and self.params.use_side_ref_pixels
        self.order = np.argsort(readout.rows)
        return None

    def _kernels(self, ramp: Ramp, readout: Readout, refs: References) -> SirsKernels | None:
        """Make the kernels of SIRS; without them running medians are taken."""
        params = self.params
        if params.refpix_algorithm != "sirs" or not readout.is_full():
            return None
        kernels, detector = None, str(ramp.keywords.get("DETECTOR"))
        if "sirskernel" in refs:
            file = refs["sirskernel"]
            kernels = SirsKernels.read(file, detector, params.halfwidth, params.gaussmooth)
        if kernels is None:
            self.log.warning("there is no sirskernel for %s: running medians are taken", detector)
        return kernels

    def reference_flags(self, ramp: Ramp) -> np.ndarray:
        """Give PIXELDQ as it tells the reference pixels; what is not written is an error."""
        if max(ramp.shape[-2:]) > DETECTOR:
            raise NotYetError("refpix for IRS2 comes with the package heliodor-nirspec")
        return ramp.pixeldq

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Correct one group, and the first frame along with the first group."""
        image = ramp.data[piece.integration, piece.group]
        first = piece.integration == 0 and piece.group == 0
        self._correct(image, self.means, self._precision(first), keep_zeros=False)
        if ramp.zeroframe is not None and piece.group == 0:
            image = ramp.zeroframe[piece.integration]
            self._correct(image, self.means, self._precision(False), keep_zeros=True)

    def _precision(self, first: bool) -> Precision:
        double = self.params.precision == "double" or (self.becomes_double and not first)
        return np.float64 if double else np.float32

    def _correct(
        self, image: np.ndarray, pixels: MeanPixels, precision: Precision, *, keep_zeros: bool
    ) -> None:
        of_column = amplifier_signals(self._means(image, pixels, precision))[pixels.kinds]
        of_row = np.zeros(self.readout.rows.size)
        if self.sides:
            if precision is np.float32:
                self._subtract(image, of_row, of_column, keep_zeros)  # rounds in between
                of_column[:] = 0
            if self.kernels is not None:
                self._subtract_sirs(image, of_column, keep_zeros)
                return
            signal = self._side_signal(image, of_column, precision)
            of_row[self.order] = self.params.side_gain * signal
        self._subtract(image, of_row, of_column, keep_zeros)

    def _subtract_sirs(self, image: np.ndarray, of_column: np.ndarray, keep_zeros: bool) -> None:
        """Find and subtract the drifts of rows, and the signals of columns."""
        assert self.kernels is not None
        # in the order of read-out, a whole detector is turned over at most
        rows, columns = (
            slice(None, None, -1 if line[0] else 1)
            for line in (self.readout.rows, self.readout.columns)
        )
        turned = self.readout.by_rows(image)[rows, columns]
        of_column = of_column[columns]
        left = turned[:, :BORDER] - of_column[:BORDER]
        right = turned[:, -BORDER:] - of_column[-BORDER:]
        drifts = self.kernels.drifts(left, right, self.params.sigreject)
        subtract_drifts(turned, drifts, of_column, keep_zeros=keep_zeros)

    def _subtract(
        self, image: np.ndarray, of_row: np.ndarray, of_column: np.ndarray, keep_zeros: bool
    ) -> None:
        if self.readout.fast_is_x:
            subtract(image, of_row, of_column, False, keep_zeros)
        else:  # columns of the read-out are rows of the image
            subtract(image, of_column, of_row, True, keep_zeros)

    def _means(self, image: np.ndarray, pixels: MeanPixels, precision: Precision) -> np.ndarray:
        """Average each set of reference pixels."""
        means = np.empty(pixels.shape, precision)
        flat, limit = image.reshape(-1), self.params.siglimit
        if precision is np.float32:
            for each, indices in enumerate(pixels.sets()):
                means.reshape(-1)[each] = single_mean(flat[indices], limit)
        else:
            clipped_means(flat, pixels.pixels, pixels.bounds, limit, means.reshape(-1))
        return means

    def _side_signal(
        self, image: np.ndarray, of_column: np.ndarray, precision: Precision
    ) -> np.ndarray:
        """Smooth the pixels of both sides; the signal of each row, in the order of read-out."""
        medians = np.empty((2, self.order.size))
        first = self.readout.rows[self.order[0]]
        for side, out in zip(self.sides, medians, strict=True):
            running_medians(
                image.reshape(-1),
                side.pixels,
                of_column[side.columns],
                self.params.side_smoothing_length,
                first,
                DETECTOR,
                out,
            )
        return np.nan_to_num(average(*medians.astype(precision).astype(np.float64)), nan=0.0)


def single_mean(values: np.ndarray, limit: float) -> float:
    """Average float32 values without outliers, in single precision.

    As `kernel.clipped_means`, but the sums are NumPy's: rounding depends on their order.
    """
    finite = np.isfinite(values)
    if not finite.all():
        values = values[finite]
    if values.size and values[0] == values[-1] and values.min() == values.max():
        return values[0]  # a rounded sum might not give it back
    before = 0
    while values.size not in (0, before):
        before = values.size
        mean = np.add.reduce(values) / np.float32(before)
        difference = values - mean
        variance = np.add.reduce(difference * difference) / np.float32(before)
        spread = limit * np.sqrt(variance)
        values = values[(values >= mean - spread) & (values <= mean + spread)]
    return mean if values.size else np.nan


def amplifier_signals(means: np.ndarray) -> np.ndarray:
    """Combine both edges; an amplifier that lacks one of its means is not corrected.

    Parameters
    ----------
    means : (edges, amplifiers, parities) float32 or float64 [DN], NaN where there is none; the
        precision in which they are averaged

    Returns
    -------
    (amplifiers * parities,) float64 [DN]
    """
    signals = average(means[0], means[-1])
    signals[np.isnan(signals).any(axis=-1)] = 0.0
    return signals.reshape(-1).astype(np.float64)


def average(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Average two arrays; where one is NaN take the other."""
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, 0.5 * (a + b)))
