"""Simple improved reference subtraction: drifts of rows by optimal convolution of side pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from heliodor.errors import ReferenceError
from heliodor.references.files import Reference

from heliodor_detector.steps.refpix.readout import AMPLIFIER, BORDER

SCATTER = 1.48
"""Standard deviation of normal noise over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class SirsKernels:
    """Kernels of one detector, for the reference pixels at either side.

    Attributes
    ----------
    sides : (2, namplifiers, 2 * halfwidth + 1) float64, of the left and of the right side
    """

    sides: np.ndarray

    @classmethod
    def read(
        cls, reference: Reference, detector: str, halfwidth: int, gaussmooth: float
    ) -> SirsKernels | None:
        """Make them from the Fourier coefficients of a reference file.

        Parameters
        ----------
        reference : ``gamma`` (left) and ``zeta`` (right) for each detector, complex
            (namplifiers, n + 1)
        detector : its name
        halfwidth : of the kernels [rows]
        gaussmooth : standard deviation of the Gaussian that they are smoothed with [rows]

        Returns
        -------
        None if the file has nothing for the detector
        """
        tree = {str(name).lower(): entry for name, entry in reference.tree().items()}
        entry = tree.get(detector.lower())
        if not isinstance(entry, dict) or not {"gamma", "zeta"} <= set(entry):
            return None
        offset = np.arange(-halfwidth, halfwidth + 1)
        window = np.exp(-(offset**2) / (2 * gaussmooth**2))
        window /= np.sum(window)
        sides = []
        for coefficients in (np.asarray(entry["gamma"]), np.asarray(entry["zeta"])):
            middle = coefficients.shape[-1] - 1
            if coefficients.ndim != 2 or middle < halfwidth:
                raise ReferenceError(
                    f"{reference.path}: coefficients of {detector} have the shape "
                    f"{coefficients.shape}, too few for kernels of half width {halfwidth}"
                )
            kernels = np.fft.fftshift(np.fft.irfft(coefficients), axes=-1)
            kernels = kernels[:, middle - halfwidth : middle + halfwidth + 1]
            sides.append([np.convolve(kernel, window, mode="same") for kernel in kernels])
        return cls(np.array(sides))

    def drifts(self, left: np.ndarray, right: np.ndarray, sigreject: float) -> np.ndarray:
        """Find the drift of each row in each amplifier.

        Parameters
        ----------
        left, right : (nrows, 4) reference pixels in the order of read-out [DN]
        sigreject : those farther from the median of their side are left out [robust sigma]

        Returns
        -------
        (nrows, namplifiers) float64 [DN]

        Notes
        -----
        Rows without some of their pixels count less, and the kernel's sum is restored, instead of
        filling them; a row far from all good pixels has no drift.
        """
        drifts = np.zeros((len(left), self.sides.shape[1]))
        for kernels, side in zip(self.sides, (left, right), strict=True):
            pixels = side.astype(np.float64)
            median = np.nanmedian(pixels)
            sigma = SCATTER * np.nanmedian(np.abs(pixels - median))
            good = np.abs(pixels - median) <= sigreject * sigma
            share = np.sum(good, axis=1) / BORDER
            signal = np.sum(np.where(good, pixels, 0.0), axis=1) / BORDER
            for amplifier, kernel in enumerate(kernels):
                whole = np.convolve(np.ones(share.size), kernel, mode="same")
                there = np.convolve(share, kernel, mode="same")
                whole = np.divide(whole, there, out=np.zeros_like(whole), where=there != 0)
                drifts[:, amplifier] += np.convolve(signal, kernel, mode="same") * whole
        return drifts


def subtract_drifts(
    image: np.ndarray, drifts: np.ndarray, of_column: np.ndarray, *, keep_zeros: bool
) -> None:
    """Subtract the drifts of rows, and a signal of each column, rounding once.

    Parameters
    ----------
    image : (nrows, ncolumns) float32 of a whole detector in the order of read-out [DN], changed
    drifts : (nrows, namplifiers) float64 [DN]
    of_column : (ncolumns,) float64 [DN]
    keep_zeros : a pixel that is zero has no value and stays
    """
    for amplifier in range(drifts.shape[1]):
        columns = slice(amplifier * AMPLIFIER, (amplifier + 1) * AMPLIFIER)
        part = image[:, columns]
        new = (part - of_column[columns]) - drifts[:, amplifier, np.newaxis]
        np.copyto(part, new, casting="same_kind", where=part != 0 if keep_zeros else True)
