"""Stripes of 1/f noise in time series, against a deep stack of all segments."""

import numpy as np
from heliodor.bits import DO_NOT_USE, SATURATED
from heliodor.declare import Phase
from heliodor.params import Params
from heliodor.step import Step


class StackedStripes(Step[Params]):
    """Subtract the stripes by which each group differs from the median of all integrations.

    The median is scaled to each image, as the star's light may vary.  Few integrations make
    a shallow stack; so those of all segments of an exposure take part.
    """

    scope = "segments"
    phases = (Phase("subtract", "association", writes=("data",)),)

    def subtract(self, members):
        """Clean group after group of all integrations."""
        first = members[0].data
        along = 1 if abs(first.keywords["FASTAXIS"]) == 1 else 0
        good = np.logical_and.reduce([each.data.pixeldq & DO_NOT_USE == 0 for each in members])
        for group in range(first.shape[1]):
            images = [image for each in members for image in each.data.data[:, group]]
            flags = [plane for each in members for plane in each.data.groupdq[:, group]]
            deep = np.median(images, axis=0)
            for image, dq in zip(images, flags, strict=True):
                usable = good & (dq & (DO_NOT_USE | SATURATED) == 0) & np.isfinite(image + deep)
                image[:] -= stripes(image, deep, usable, along)


def stripes(image: np.ndarray, deep: np.ndarray, usable: np.ndarray, along: int) -> np.ndarray:
    """Give the median of each line along an axis, of an image less a deep one scaled to it."""
    scale = (image * deep)[usable].sum() / (deep * deep)[usable].sum()
    rest = np.ma.array(image - scale * deep, mask=~usable)
    return np.expand_dims(np.ma.filled(np.ma.median(rest, axis=along), 0), along)
