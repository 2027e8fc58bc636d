"""Jumps and slopes in one step."""

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED
from heliodor.data import Product
from heliodor.declare import Note, Output, Phase, RefNeed
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step


class JumpAndSlopeParams(Params):
    """Parameters of `JumpAndSlope`."""

    threshold: float = parameter(5.0, "Differences beyond it are jumps.", unit="sigma", gt=0)
    rounds: int = parameter(3, "How often jumps are looked for.", ge=1)


class JumpAndSlope(Step[JumpAndSlopeParams]):
    """Average the differences between groups, but for those that stand out of their ramp.

    The sum of neighbouring differences has the read noise of its two ends only: so the noise
    depends on how many runs without a gap there are.
    """

    Params = JumpAndSlopeParams
    status = "S_JUMPSL"
    refs = (RefNeed("gain"), RefNeed("readnoise", keys=("DETECTOR", "READPATT", "SUBARRAY")))
    phases = (
        Phase(
            "fit",
            "pixels",
            writes=("groupdq",),
            notes=(
                Note("slope", "iyx"),
                Note("poisson", "iyx"),
                Note("rnoise", "iyx"),
                Note("number", "iyx"),
                Note("flags", "iyx", "uint32"),
            ),
        ),
    )
    makes = (Output("rate"), Output("rateints", axes="iyx"))
    sets_bits = ("JUMP_DET", "DO_NOT_USE")

    def prepare(self, ramp, refs):
        """Read gain and noise."""
        if ramp.shape[1] < 2:
            return Skipped("one group has no differences")
        self.gain = refs["gain"].plane()
        self.noise = refs["readnoise"].plane() ** 2 / int(ramp.keywords["NFRAMES"])
        self.keywords = ramp.keywords.copy()
        if "GAINFACT" in refs["gain"].header:  # for gain_scale
            self.keywords["GAINFACT"] = refs["gain"].header["GAINFACT"]
        return None

    def fit(self, ramp, piece):
        """Flag jumps and average the rest, in some rows."""
        rows, time = piece.rows, float(ramp.keywords["TGROUP"])
        noise, gain = self.noise[rows], self.gain[rows]
        flags = ramp.groupdq[:, :, rows]
        usable = flags & (DO_NOT_USE | SATURATED) == 0
        good = usable[:, 1:] & usable[:, :-1] & (flags[:, 1:] & JUMP_DET == 0)
        steps = np.diff(ramp.data[:, :, rows], axis=1)
        for _ in range(self.params.rounds):
            middle = median(steps, good)
            sigma = np.sqrt(noise + np.maximum(middle, 0) / gain)
            away = np.abs(steps - middle[:, None]) > self.params.threshold * sigma[:, None]
            flags[:, 1:][good & away] |= JUMP_DET
            good &= ~away
        number = good.sum(axis=1)
        runs = good[:, 0] + (good[:, 1:] & ~good[:, :-1]).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(good, steps, 0).sum(axis=1, dtype=np.float64) / number
            self.notes.slope[:, rows] = step / time
            self.notes.poisson[:, rows] = np.maximum(step, 0) / gain / number / time**2
            self.notes.rnoise[:, rows] = noise * runs / (number * time) ** 2
        self.notes.number[:, rows] = number
        kept = np.bitwise_or.reduce(flags & (SATURATED | JUMP_DET), axis=1)
        unfit = (number == 0) | (ramp.pixeldq[rows] & DO_NOT_USE > 0) | ~np.isfinite(gain * noise)
        self.notes.flags[:, rows] = ramp.pixeldq[rows] | kept | unfit * np.uint32(DO_NOT_USE)

    def finish(self, ramp):
        """Give both products; integrations count by their differences."""
        notes = self.notes
        unfit = notes.flags & DO_NOT_USE > 0
        weight = np.where(unfit, 0, notes.number)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = weight / weight.sum(axis=0)
        means = [
            np.where(unfit, 0, plane * weight**power).sum(axis=0)
            for plane, power in ((notes.slope, 1), (notes.poisson, 2), (notes.rnoise, 2))
        ]
        dq = np.bitwise_or.reduce(notes.flags & ~np.uint32(DO_NOT_USE), axis=0)
        dq |= unfit.all(axis=0) * np.uint32(DO_NOT_USE)
        return {
            "rate": self._slopes("rate", "ImageModel", *means, dq),
            "rateints": self._slopes(
                "rateints", "CubeModel", notes.slope, notes.poisson, notes.rnoise, notes.flags
            ),
        }

    def _slopes(self, kind, model, slope, poisson, rnoise, dq):
        planes = {"data": slope, "err": np.sqrt(poisson + rnoise)}
        planes |= {"var_poisson": poisson, "var_rnoise": rnoise}
        unfit = dq & DO_NOT_USE > 0
        planes = {
            name: np.where(unfit, np.nan, plane).astype(np.float32)
            for name, plane in planes.items()
        }
        return Product(kind, model, planes | {"dq": dq}, self.keywords.copy())


def median(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Give the median of what is good along the second axis; NaN if nothing is."""
    values = np.sort(np.where(good, values, np.inf), axis=1)
    number = good.sum(axis=1, keepdims=True)
    low, high = (
        np.take_along_axis(values, np.maximum(index, 0), 1)[:, 0]
        for index in ((number - 1) // 2, np.minimum(number // 2, values.shape[1] - 1))
    )
    return np.where(number[:, 0] > 0, (low + high) / 2, np.nan)
