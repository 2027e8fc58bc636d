"""Flag saturated samples between interleaved reference pixels."""

from __future__ import annotations

import numpy as np
from heliodor.bits import NO_SAT_CHECK
from heliodor.data import Ramp
from heliodor.step import Piece, References, Step
from heliodor_detector.steps.saturation.kernel import find_saturation, flag_saturation
from heliodor_detector.steps.saturation.params import SaturationParams
from heliodor_detector.steps.saturation.step import ABOVE_CONVERTER, saturated

from heliodor_nirspec.irs2 import Layout


class Irs2Saturation(Step[SaturationParams]):
    """Flag science pixels as if no reference pixels lay between them; these are not checked."""

    Params = SaturationParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Read thresholds, which are of science pixels only, and the bias."""
        self.rows = Layout.of(ramp.keywords, ramp.shape[2]).science_rows()
        reference = refs["saturation"]
        reference.shape = (self.rows.size, ramp.shape[3])
        self.threshold = reference.plane("SCI")
        flags = reference.dq()
        flags[np.isnan(self.threshold)] |= np.uint32(NO_SAT_CHECK)
        self.unchecked = (flags & NO_SAT_CHECK) != 0
        self.threshold[self.unchecked] = ABOVE_CONVERTER
        ramp.pixeldq[self.rows] |= flags
        self.nframes = int(ramp.keywords.get("NFRAMES") or 1)
        self.bias = np.zeros_like(self.threshold)
        if "superbias" in refs:
            self.bias = refs["superbias"].plane("SCI")[self.rows]

    def flag(self, ramp: Ramp, piece: Piece) -> None:
        """Flag saturation and the converter's floor in the science rows of a piece.

        Neighbouring rows are looked at in the data, which nobody changes, and not in flags.
        """
        start, stop = np.searchsorted(self.rows, (piece.row_start, piece.row_stop))
        grow = self.params.n_pix_grow_sat
        near = slice(max(start - grow, 0), min(stop + grow, self.rows.size))
        rows = self.rows[near]
        if start == stop:
            return
        data = ramp.data[piece.integration, :, rows].swapaxes(0, 1)[np.newaxis]
        data = np.ascontiguousarray(data)
        threshold, unchecked = self.threshold[near], self.unchecked[near]
        found = np.zeros(data.shape, np.uint8)
        first = np.empty((1, *data.shape[2:]), np.uint16)
        all_rows = (0, 0, rows.size)
        find_saturation(data, found, threshold, first, *all_rows)
        if self.params.use_readpatt and data.shape[1] > 2:
            first[0][self._hidden(data[0], first[0], threshold, self.bias[near])] = 1
        hidden = np.zeros_like(first)
        flag_saturation(
            data, found, threshold, unchecked, first, hidden, np.empty(0), grow, *all_rows
        )
        kept = slice(start - near.start, stop - near.start)
        ramp.groupdq[piece.integration, :, self.rows[start:stop]] |= found[0, :, kept].swapaxes(
            0, 1
        )

    def clear_zeroframe(self, ramp: Ramp, piece: Piece) -> None:
        """Set first frames to zero where they are flagged: they have no flags of their own."""
        if ramp.zeroframe is None:
            return
        frame = ramp.zeroframe[piece.integration]
        science = frame[self.rows]
        grow = self.params.n_pix_grow_sat
        science[saturated(science, self.threshold, self.unchecked, grow)] = 0.0
        frame[self.rows] = science

    def _hidden(
        self, data: np.ndarray, first: np.ndarray, threshold: np.ndarray, bias: np.ndarray
    ) -> np.ndarray:
        """Find pixels saturated in the third group that may have been so late in the second.

        That is, the first group does not announce saturation by the third, and the step to the
        second is so large that its last frame may have been saturated.

        Returns
        -------
        (ny, nx) bool
        """
        one, two = data[0], data[1]
        # precision as in the operational pipeline: flags hang on it
        signal = (one - bias).astype(np.float64)
        expected = signal / (0.5 * (self.nframes + 1)) * (3 * self.nframes) + bias
        large = (two - one) > (threshold - one) / np.float32(self.nframes)
        return (first == 2) & large & (expected < threshold)
