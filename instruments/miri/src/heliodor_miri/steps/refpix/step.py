"""Remove bias drifts with the reference pixels, as MIRI's lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.data import Ramp
from heliodor.step import Piece, References, Skipped, Step
from heliodor_detector.steps.refpix.params import RefPixParams
from heliodor_detector.steps.refpix.step import single_mean

from heliodor_miri.detector import BORDER, OUTPUTS, SIZE
from heliodor_miri.steps.refpix.kernel import subtract_signals


class MiriRefPix(Step[RefPixParams]):
    """Subtract from each group what its reference pixels changed by since the first.

    Each of the four outputs reads every fourth column, so it has one column of reference pixels at
    the left and one at the right; the means of both are averaged.
    """

    Params = RefPixParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Find the good reference pixels of each output and parity of rows."""
        shape = ramp.shape[-2:]
        if shape != SIZE:
            return Skipped("subarrays of MIRI are not corrected")
        nx = shape[1]
        good = (ramp.pixeldq & DO_NOT_USE) == 0
        nparities = 2 if self.params.odd_even_rows else 1
        sets = [
            np.flatnonzero(good[parity::nparities, x]) * nparities * nx + parity * nx + x
            for parity in range(nparities)
            for output in range(OUTPUTS)
            for x in (output, nx - BORDER + output)
        ]
        if not all(one.size for one in sets):
            return Skipped("an output has no good reference pixels")
        self.pixels = np.concatenate(sets)
        self.ends = np.cumsum([one.size for one in sets])[:-1]
        self.single = self.params.precision != "double"
        return None

    def correct(self, ramp: Ramp, piece: Piece) -> None:
        """Correct one group; the first stays as it is."""
        if piece.group == 0:
            return
        image = ramp.data[piece.integration, piece.group]
        first = ramp.data[piece.integration, 0]
        signals = self._signals(image, first)
        # output k reads every column x with x % OUTPUTS == k
        of_column = np.tile(signals, image.shape[1] // OUTPUTS)
        subtract_signals(image, first, of_column, self.single)

    def _signals(self, image: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Average the means of both sides; zero if one has no finite value."""
        kind: Any = np.float32 if self.single else np.float64
        change = image.take(self.pixels).astype(kind) - first.take(self.pixels)
        sets = np.split(change, self.ends)
        means = np.array([single_mean(one, self.params.siglimit) for one in sets], kind)
        sides = means.reshape(-1, OUTPUTS, 2)
        signals = kind(0.5) * (sides[..., 0] + sides[..., 1])
        return np.where(np.isnan(signals), 0.0, signals).astype(np.float64)
