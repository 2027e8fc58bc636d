"""Correct for the detector's nonlinear response."""

from __future__ import annotations

import numpy as np
from heliodor.bits import NO_LIN_CORR
from heliodor.data import Ramp
from heliodor.step import Piece, References, Step

from heliodor_detector.steps.linearity.kernel import correct_groups, correct_zeroframe
from heliodor_detector.steps.linearity.params import LinearityParams


class Linearity(Step[LinearityParams]):
    """Apply each pixel's polynomial to its groups that are not saturated."""

    Params = LinearityParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Open the coefficients; they are read by rows, once for all integrations."""
        reference = refs["linearity"]
        self.coeffs = reference.cube("COEFFS")
        self.nframes = int(ramp.keywords.get("NFRAMES") or 1)
        # repeats of a stripe are groups of their own: frames of one no longer follow each other
        by_frame = self.nframes > 1 and ramp.shape[1] > 1 and ramp.read_times is None
        by_frame = by_frame and (ramp.stripes is None or self.params.frames_of_stripes)
        by_frame = by_frame and reference.has("INV_COEFFS")
        self.inverse = reference.cube("INV_COEFFS") if by_frame else None
        flags = reference.dq()
        ramp.pixeldq |= flags
        self.uncorrected = (flags & NO_LIN_CORR) != 0

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Correct all integrations of some rows."""
        rows = (piece.row_start, piece.row_stop)
        uncorrected = self.uncorrected[piece.rows]
        pixeldq = ramp.pixeldq[piece.rows]
        coeffs = self.coeffs.rows(*rows)
        pixeldq[make_neutral(coeffs, uncorrected)] |= np.uint32(NO_LIN_CORR)
        if self.inverse is None:
            correct_groups(ramp.data, ramp.groupdq, coeffs, *rows)
        else:
            from heliodor_detector.steps.linearity.frames import correct_frames

            inverse = self.inverse.rows(*rows)
            pixeldq[make_neutral(inverse, uncorrected)] |= np.uint32(NO_LIN_CORR)
            # dropped frames are not counted between groups, as in the operational pipeline
            pattern = (self.nframes, self.nframes)
            correct_frames(ramp.data, ramp.groupdq, coeffs, inverse, *pattern, *rows)
        if ramp.zeroframe is not None:
            correct_zeroframe(ramp.zeroframe, coeffs, *rows)


def make_neutral(coeffs: np.ndarray, uncorrected: np.ndarray) -> np.ndarray:
    """Replace useless polynomials by the identity.

    Parameters
    ----------
    coeffs : (ncoeffs, ny, nx) float32; changed in place
    uncorrected : (ny, nx) bool; pixels that the reference file excludes

    Returns
    -------
    (ny, nx) bool; those, pixels with a NaN among their coefficients, and pixels whose linear
    term is zero
    """
    useless = uncorrected | (coeffs[1] == 0)
    for term in coeffs:
        useless |= np.isnan(term)
    for power, term in enumerate(coeffs):
        term[useless] = power == 1
    return useless
