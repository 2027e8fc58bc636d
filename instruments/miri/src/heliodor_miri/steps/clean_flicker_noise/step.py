"""Remove the flicker of the columns of MIRI's imager."""

from __future__ import annotations

import numpy as np
from heliodor.bits import PIXEL
from heliodor.data import Ramp
from heliodor.errors import NotYetError
from heliodor.step import References, Skipped
from heliodor_detector.steps.clean_flicker_noise.step import CleanFlickerNoise

from heliodor_miri.steps.ramp_fit.step import MiriRampFit

NO_FLAT = PIXEL["DO_NOT_USE"] | PIXEL["NO_FLAT_FIELD"]
OUTSIDE = PIXEL["DO_NOT_USE"] | PIXEL["NON_SCIENCE"]


class MiriCleanFlickerNoise(CleanFlickerNoise):
    """Clean images; there is no 1/f noise, but columns flicker."""

    Draft = MiriRampFit

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Look up which pixels see the sky, if asked."""
        exp_type = ramp.keywords.get("EXP_TYPE")
        if exp_type != "MIR_IMAGE":
            return Skipped(f"{exp_type} is not cleaned", failed=True)
        self.flat_dq = np.zeros(ramp.shape[-2:], np.uint32)
        if self.params.mask_science_regions and "flat" in refs:
            self.flat_dq = refs["flat"].dq()
            flat = refs["flat"].plane("SCI")
            no_flat = (self.flat_dq & PIXEL["NO_FLAT_FIELD"]) != 0
            self.flat_dq[np.isnan(flat) | (flat == 0) | no_flat] |= np.uint32(NO_FLAT)
        return super().prepare(ramp, refs)

    def find_slow_axis(self, ramp: Ramp) -> int:
        """Columns are cleaned, whatever the order of read-out."""
        return 1

    def refuse(self, ramp: Ramp) -> None:
        """Raise for time series, whose brightness is measured by photometry."""
        nints = int(ramp.keywords.get("NINTS") or ramp.shape[0])
        series = ramp.keywords.get("TSOVISIT") is True and nints > 1
        if self.params.background_method == "median_image" and series:
            raise NotYetError("background_method median_image is not there yet for time series.")

    def hidden(self, dq: np.ndarray) -> np.ndarray:
        """Find what is not of the imager's field, or not usable."""
        if not self.params.mask_science_regions:
            return super().hidden(dq)
        return ((dq | self.flat_dq) & OUTSIDE) != 0
