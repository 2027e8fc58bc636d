"""Flag saturated samples."""

from __future__ import annotations

import numpy as np
from heliodor.bits import NO_SAT_CHECK
from heliodor.data import Ramp, of_integration
from heliodor.step import Piece, References, Step

from heliodor_detector.steps.saturation.kernel import (
    find_saturation,
    flag_hidden_saturation,
    flag_saturation,
)
from heliodor_detector.steps.saturation.params import SaturationParams

ABOVE_CONVERTER = 65536.0
"""Threshold [DN] of pixels that are not checked: one more than 16 bits hold."""


class Saturation(Step[SaturationParams]):
    """Flag samples above the saturation threshold, and everything after them."""

    Params = SaturationParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Read thresholds, and for groups of several frames the bias."""
        reference = refs["saturation"]
        self.threshold = reference.plane("SCI")
        flags = reference.dq()
        flags[np.isnan(self.threshold)] |= np.uint32(NO_SAT_CHECK)
        self.unchecked = (flags & NO_SAT_CHECK) != 0
        self.threshold[self.unchecked] = ABOVE_CONVERTER
        ramp.pixeldq |= flags

        self.nframes = int(ramp.keywords.get("NFRAMES") or 1)
        averaged = self.params.use_readpatt and self.nframes > 1
        if not averaged:
            self.idle += ("flag_hidden",)
        if ramp.zeroframe is None:
            self.idle += ("clear_zeroframe",)
        last = self.nframes * np.arange(1, ramp.shape[1] + 1 if averaged else 1)
        self.dilution = (last - (self.nframes - 1) / 2) / last
        if averaged and "superbias" in refs:
            self.bias = refs["superbias"].plane("SCI")
        else:
            self.bias = np.zeros_like(self.threshold)

    def find(self, ramp: Ramp, piece: Piece) -> None:
        """Note since when each pixel is saturated; flag the converter's floor."""
        threshold = of_integration(self.threshold, piece.integration)
        find_saturation(ramp.data, ramp.groupdq, threshold, self.notes.first, *_rows(piece))

    def flag(self, ramp: Ramp, piece: Piece) -> None:
        """Flag saturated pixels and neighbours, to the end of the ramp."""
        flag_saturation(
            ramp.data,
            ramp.groupdq,
            of_integration(self.threshold, piece.integration),
            of_integration(self.unchecked, piece.integration),
            self.notes.first,
            self.notes.hidden,
            self.dilution,
            self.params.n_pix_grow_sat,
            *_rows(piece),
        )

    def flag_hidden(self, ramp: Ramp, piece: Piece) -> None:
        """Reject groups whose average hides saturation of their last frames."""
        flag_hidden_saturation(
            ramp.data,
            ramp.groupdq,
            of_integration(self.threshold, piece.integration),
            of_integration(self.bias, piece.integration),
            self.notes.hidden,
            self.nframes,
            self.params.n_pix_grow_sat,
            *_rows(piece),
        )

    def clear_zeroframe(self, ramp: Ramp, piece: Piece) -> None:
        """Set first frames to zero where they are flagged: they have no flags of their own."""
        assert ramp.zeroframe is not None
        frame = ramp.zeroframe[piece.integration]
        threshold = of_integration(self.threshold, piece.integration)
        unchecked = of_integration(self.unchecked, piece.integration)
        frame[saturated(frame, threshold, unchecked, self.params.n_pix_grow_sat)] = 0.0


def saturated(
    frame: np.ndarray, threshold: np.ndarray, unchecked: np.ndarray, grow: int
) -> np.ndarray:
    """Find saturated pixels of one frame, their neighbours, and those at the converter's floor.

    Parameters
    ----------
    frame, threshold : (ny, nx) float32 [DN]
    unchecked : (ny, nx) bool; pixels without a threshold of their own
    grow : how far neighbours are flagged [pixel]

    Returns
    -------
    (ny, nx) bool
    """
    cube = frame[np.newaxis, np.newaxis]
    flags = np.zeros(cube.shape, np.uint8)
    first = np.empty((1, *frame.shape), np.uint16)
    rows = (0, 0, frame.shape[0])
    find_saturation(cube, flags, threshold, first, *rows)
    hidden = np.zeros_like(first)
    flag_saturation(cube, flags, threshold, unchecked, first, hidden, np.empty(0), grow, *rows)
    return flags[0, 0] != 0


def _rows(piece: Piece) -> tuple[int, int, int]:
    return piece.integration, piece.row_start, piece.row_stop
