"""Fit the slopes of MIRI's ramps."""

from __future__ import annotations

import numpy as np
from heliodor.data import Ramp
from heliodor_detector.steps.ramp_fit.step import RampFit


class MiriRampFit(RampFit):
    """Fit a slope to every ramp, without the groups that lastframe and rscd rejected."""

    def existing_groups(self, ramp: Ramp) -> tuple[int, int]:
        """Leave out groups at both ends that are unusable in every pixel.

        Any number at the beginning, but only one at the end.
        """
        ngroups = ramp.shape[1]
        if ngroups == 1:
            return 0, 1
        usable = ~np.all(ramp.unusable_groups(), axis=0)
        if not usable.any():
            return 0, 0
        return int(usable.argmax()), ngroups if usable[-1] else ngroups - 1

    def image_model(self, ramp: Ramp) -> str:
        """Name the model of the rate product; the spectrometer is an integral field unit."""
        mrs = ramp.keywords.get("EXP_TYPE") == "MIR_MRS"
        return "IFUImageModel" if mrs else "ImageModel"
