"""Remove bias drifts from stripes, and join superstripes."""

from __future__ import annotations

import numpy as np
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.data import Ramp
from heliodor.step import Piece, References

from heliodor_detector.steps.refpix.readout import (
    AMPLIFIER,
    DETECTOR,
    MeanPixels,
    Readout,
    SidePixels,
)
from heliodor_detector.steps.refpix.step import RefPix
from heliodor_detector.steps.refpix_stripes.join import join_stripes
from heliodor_detector.steps.refpix_stripes.params import StripesRefPixParams


class StripesRefPix(RefPix):
    """Subtract means of the reference pixels that are read with every frame of stripes.

    They lie among the array's lines and at their ends, and are told by their flags.  Each amplifier
    has its own means.  Rows are not followed: too few reference pixels lie at their ends.
    """

    Params = StripesRefPixParams
    params: StripesRefPixParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Find the reference pixels of every stripe."""
        ny, nx = ramp.shape[-2:]
        self.readout = Readout.of(ramp.keywords, (ny, nx))
        self.sides: list[SidePixels] = []
        self.becomes_double = False
        flags = ramp.pixeldq.reshape(-1, ny, nx)
        if self.params.superstripe_flags == "first":
            flags = flags[:1]
        self.means_of = [self._flagged(each) for each in flags]

    def _flagged(self, pixeldq: np.ndarray) -> MeanPixels:
        readout = self.readout
        dq = readout.by_rows(pixeldq)
        good = (dq & (REFERENCE_PIXEL | DO_NOT_USE)) == REFERENCE_PIXEL
        parities = 2 if self.params.odd_even_columns else 1
        kinds = readout.columns // AMPLIFIER * parities + readout.columns % parities
        everywhere = [np.ones(readout.rows.size, bool)]
        shape = (1, DETECTOR // AMPLIFIER, parities)
        return MeanPixels.collect(readout, good, everywhere, kinds, shape)

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Correct one group, and the first frame along with the first group."""
        pixels = self.means_of[piece.integration % len(self.means_of)]
        precision = self._precision(first=True)
        image = ramp.data[piece.integration, piece.group]
        self._correct(image, pixels, precision, keep_zeros=False)
        if ramp.zeroframe is not None and piece.group == 0:
            image = ramp.zeroframe[piece.integration]
            self._correct(image, pixels, precision, keep_zeros=True)

    def finish(self, ramp: Ramp) -> None:
        """Join superstripes."""
        if ramp.stripes is not None and ramp.stripes.superstripes:
            join_stripes(ramp, self.workspace)
