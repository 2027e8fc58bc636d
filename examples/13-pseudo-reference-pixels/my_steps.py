"""Reference pixels for subarrays that have none."""

import numpy as np
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.declare import Phase
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step


class PseudoReferenceParams(Params):
    """Parameters of `PseudoReferencePixels`."""

    width: int = parameter(4, "Width of the frame that serves as reference.", unit="pixel", ge=1)


class PseudoReferencePixels(Step[PseudoReferenceParams]):
    """Let the margin of the array serve as reference pixels.

    These pixels see light.  What they see on average of all integrations is set aside before, and
    put back afterwards: only what drifts from one integration to the next is left to be found.
    """

    Params = PseudoReferenceParams
    status = "S_PSEUDO"
    phases = (
        Phase("lend", "exposure", writes=("data", "pixeldq", "zeroframe")),
        Phase("give_back", "exposure", writes=("data", "pixeldq", "zeroframe"), after=True),
    )

    def prepare(self, ramp, refs):
        """Find the margin."""
        if (ramp.pixeldq & REFERENCE_PIXEL).any():
            return Skipped("it has reference pixels")
        if ramp.shape[0] < 2:
            return Skipped("one integration does not tell drifts from light")
        width = self.params.width
        self.margin = ramp.pixeldq & DO_NOT_USE == 0
        self.margin[width:-width, width:-width] = False
        return None

    def lend(self, ramp, piece):
        """Flag the margin, and take away what it sees."""
        cubes = [cube for cube in (ramp.data, ramp.zeroframe) if cube is not None]
        self.seen = [cube[..., self.margin].mean(axis=0) for cube in cubes]
        for cube, seen in zip(cubes, self.seen, strict=True):
            cube[..., self.margin] -= seen
        ramp.pixeldq[self.margin] |= REFERENCE_PIXEL

    def give_back(self, ramp, piece):
        """Undo it, but for the drifts."""
        cubes = [cube for cube in (ramp.data, ramp.zeroframe) if cube is not None]
        for cube, seen in zip(cubes, self.seen, strict=True):
            cube[..., self.margin] += seen
        ramp.pixeldq[self.margin] &= ~np.uint32(REFERENCE_PIXEL)
