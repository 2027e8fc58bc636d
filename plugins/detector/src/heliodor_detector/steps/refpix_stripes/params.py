"""Parameters of refpix for stripes."""

from __future__ import annotations

from typing import Literal

from heliodor.params import parameter

from heliodor_detector.steps.refpix.params import RefPixParams


class StripesRefPixParams(RefPixParams):
    """How drifts of the bias are followed by the reference pixels among stripes."""

    superstripe_flags: Literal["own", "first"] = parameter(
        "own",
        "Choose the reference pixels of a superstripe by its own flags, or, as the operational "
        "pipeline does, by those of the first.",
    )
