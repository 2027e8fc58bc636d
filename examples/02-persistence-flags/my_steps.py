"""Persistence of bright sources in the exposures that follow."""

import numpy as np
from heliodor.bits import DO_NOT_USE, PERSISTENCE, SATURATED
from heliodor.declare import Phase
from heliodor.params import Params, parameter
from heliodor.step import Step


class PersistenceFlagsParams(Params):
    """Parameters of `PersistenceFlags`."""

    duration: float = parameter(1.0, "How long charge stays after saturation.", unit="h", gt=0)
    reject: bool = parameter(False, "Whether flagged pixels are not to be used.")


class PersistenceFlags(Step[PersistenceFlagsParams]):
    """Flag slopes of pixels that were saturated in an exposure shortly before.

    The ramps as they were after `jump` tell where; all exposures of a detector are compared.
    """

    Params = PersistenceFlagsParams
    status = "S_PERFLG"
    takes = "image"
    scope = "association"
    reads = ("ramp",)
    phases = (Phase("flag", "association", writes=("dq",)),)
    sets_bits = ("PERSISTENCE", "DO_NOT_USE")

    def flag(self, members):
        """Write flags into each exposure."""
        bits = np.uint32(PERSISTENCE | (DO_NOT_USE if self.params.reject else 0))
        for earlier in members:
            ramp = earlier.inputs["ramp"]
            saturated = (ramp.groupdq & SATURATED > 0).any(axis=(0, 1))
            for member in members:
                keywords = member.data.keywords
                hours = 24 * (keywords["EXPSTART"] - ramp.keywords["EXPEND"])
                same = keywords["DETECTOR"] == ramp.keywords["DETECTOR"]
                if same and 0 <= hours <= self.params.duration:
                    member.data.planes["dq"][saturated] |= bits
