"""Subtract the settling after a reset."""

from __future__ import annotations

from heliodor.data import Ramp
from heliodor.errors import ReferenceError
from heliodor.step import Piece, References, Step
from heliodor_detector.steps.dark_current.kernel import subtract_frame

from heliodor_miri.steps.reset.params import ResetParams


class Reset(Step[ResetParams]):
    """Subtract from the first groups of each integration what they have too much after a reset.

    The reference is read by rows, a group at a time: it is never held as a whole.
    """

    Params = ResetParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Find for which integrations and groups there is a correction."""
        reference = refs["reset"]
        self.correction = reference.cube("SCI")
        if len(self.correction.shape) != 4:
            raise ReferenceError(
                f"{reference.path}: SCI of a reset reference has the axes integration, group, y, "
                f"x; this one has the shape {self.correction.shape}"
            )
        nints, ngroups = self.correction.shape[:2]
        self.last = min(int(reference.header.get("NINTS") or nints), nints) - 1
        self.ngroups = min(int(reference.header.get("NGROUPS") or ngroups), ngroups, ramp.shape[1])
        # of a segment, the integrations are counted from the beginning of the exposure
        self.before = int(ramp.keywords.get("INTSTART") or 1) - 1
        ramp.pixeldq |= reference.dq()

    def subtract(self, ramp: Ramp, piece: Piece) -> None:
        """Subtract from the rows of one integration; NaN counts as zero."""
        index = min(self.before + piece.integration, self.last)
        corrections = self.correction.images(
            piece.row_start, piece.row_stop, index, slice(0, self.ngroups)
        )
        integrations = (piece.integration, piece.integration + 1)
        for group, correction in enumerate(corrections):
            subtract_frame(ramp.data, correction, *integrations, group, piece.row_start)
