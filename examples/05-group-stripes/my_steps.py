"""Stripes of 1/f noise, taken out of every group."""

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.declare import Phase
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step


class GroupStripesParams(Params):
    """Parameters of `GroupStripes`."""

    threshold: float = parameter(3.0, "Slopes above it are sources.", unit="sigma", gt=0)


class GroupStripes(Step[GroupStripesParams]):
    """Subtract the stripes by which each group differs from the first.

    A draft of the slopes tells sources, which take no part, and the background, a plane, whose
    growth is no stripe.  What is left of a line along the fast axis is its noise.
    """

    Params = GroupStripesParams
    calls = ("ramp_fit",)
    phases = (Phase("subtract", "frames", writes=("data",)),)

    def prepare(self, ramp, refs):
        """Fit a draft, and find sources and background in it."""
        if ramp.shape[1] < 2:
            return Skipped("there is one group only")
        draft = self.call("ramp_fit", ramp)["rate"].planes
        rate = draft["data"].astype(np.float64)
        self.usable = np.isfinite(rate) & (draft["dq"] & DO_NOT_USE == 0)
        y, x = np.indices(rate.shape)
        for _ in range(5):
            terms = np.stack([np.ones(rate.shape), y, x], axis=-1)
            plane = np.linalg.lstsq(terms[self.usable], rate[self.usable], rcond=None)[0]
            self.background = terms @ plane
            above = rate - self.background
            sigma = 1.4826 * np.median(np.abs(above[self.usable]))
            self.usable &= above < self.params.threshold * sigma
        self.time = float(ramp.keywords["TGROUP"]) * np.arange(ramp.shape[1])
        self.along = 1 if abs(ramp.keywords["FASTAXIS"]) == 1 else 0
        return None

    def subtract(self, ramp, piece):
        """Clean the groups of one integration."""
        groups = ramp.data[piece.integration]
        usable = self.usable & (ramp.groupdq[piece.integration] == 0).all(axis=0)
        for group in range(1, len(groups)):
            grown = groups[group] - groups[0] - self.time[group] * self.background
            stripes = np.ma.median(np.ma.array(grown, mask=~usable), axis=self.along)
            groups[group] -= np.expand_dims(np.ma.filled(stripes, 0), self.along)
