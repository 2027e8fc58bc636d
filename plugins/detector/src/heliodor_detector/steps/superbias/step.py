"""Subtract the superbias."""

from __future__ import annotations

import numpy as np
from heliodor.data import Ramp, of_integration
from heliodor.step import Piece, References, Step

from heliodor_detector.steps.superbias.kernel import subtract_bias, subtract_bias_zeroframe
from heliodor_detector.steps.superbias.params import SuperBiasParams


class SuperBias(Step[SuperBiasParams]):
    """Subtract the detector's bias image from every group and from the first frame."""

    Params = SuperBiasParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Read the bias; where it is NaN nothing is subtracted."""
        reference = refs["superbias"]
        self.bias = reference.plane("SCI")
        self.bias[np.isnan(self.bias)] = 0.0
        ramp.pixeldq |= reference.dq()

    def subtract(self, ramp: Ramp, piece: Piece) -> None:
        """Subtract from the rows of one integration."""
        rows = (piece.integration, piece.row_start, piece.row_stop)
        bias = of_integration(self.bias, piece.integration)
        subtract_bias(ramp.data, bias, *rows)
        if ramp.zeroframe is not None:
            subtract_bias_zeroframe(ramp.zeroframe, bias, *rows)
