"""Make count rates of guide stars."""

from __future__ import annotations

import numpy as np
from heliodor.data import Product, Ramp
from heliodor.errors import ExposureError, ReferenceError
from heliodor.references.files import Reference
from heliodor.step import Piece, References, Step

from heliodor_fgs.steps.guider_cds.kernel import error, rise, rise_of_averages, smallest_rise
from heliodor_fgs.steps.guider_cds.params import GuiderCDSParams

DIFFERENCES = {
    "FGS_ID-IMAGE": smallest_rise,
    "FGS_ID-STACK": smallest_rise,
    "FGS_ACQ1": rise,
    "FGS_ACQ2": rise,
    "FGS_TRACK": rise,
    "FGS_FINEGUIDE": rise_of_averages,
}
"""How groups are subtracted, by EXP_TYPE."""


class GuiderCDS(Step[GuiderCDSParams]):
    """Divide the difference of two groups, or of two averages, by the time of a group."""

    Params = GuiderCDSParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Look at the kind of exposure and read gain and read noise."""
        self.subtract = DIFFERENCES[str(ramp.keywords["EXP_TYPE"])]
        if self.subtract is not rise_of_averages and ramp.shape[1] < 2:
            raise ExposureError("a rate needs two groups; there is one")
        self.tgroup = float(ramp.keywords["TGROUP"])
        stacked = ramp.keywords["EXP_TYPE"] == "FGS_ID-STACK"
        self.gain = _plane(refs["gain"], stacked)
        self.readnoise = _plane(refs["readnoise"], stacked)
        # a rate for each integration, or one for the first two
        nints, together = ramp.shape[0], self.subtract is smallest_rise
        self.parts = [slice(0, 2)] if together else [slice(i, i + 1) for i in range(nints)]
        shape = (len(self.parts), *ramp.shape[-2:])
        self.rate, self.err = self.workspace.empty(shape), self.workspace.empty(shape)

    def difference(self, ramp: Ramp, piece: Piece) -> None:
        """Make rates and their errors."""
        for number, part in enumerate(self.parts):
            (difference,) = self.subtract(ramp.data[part])
            self.err[number] = error(difference, self.tgroup, self.gain, self.readnoise)
            np.divide(difference, np.float32(self.tgroup), out=self.rate[number])

    def finish(self, ramp: Ramp) -> dict[str, Product]:
        """Give the images of all integrations."""
        planes = {"data": self.rate, "err": self.err, "dq": ramp.pixeldq}
        keywords = ramp.keywords.copy()
        return {"cal": Product("cal", "GuiderCalModel", planes, keywords, "DN/s", ramp.source)}


def _plane(reference: Reference, stacked: bool) -> np.ndarray:
    """Read a reference; strips that were stacked are no part of the detector: they get its mean."""
    try:
        return reference.plane()
    except ReferenceError:
        if not stacked:
            raise
        return np.full(reference.shape, reference.whole().mean(), np.float32)
