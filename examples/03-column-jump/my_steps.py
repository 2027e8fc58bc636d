"""Columns of NIRISS whose level jumps between two groups: mended, and listed in a table."""

import numpy as np
from heliodor.bits import DO_NOT_USE, SATURATED
from heliodor.data import PLAIN, Product
from heliodor.declare import Match, Output, Phase
from heliodor.params import Params, parameter
from heliodor.step import Step


class ColumnJumpParams(Params):
    """Parameters of ColumnJump."""

    cut: float = parameter(6.0, "Jumps are above it.", unit="sigma", gt=0)
    neighbours: int = parameter(9, "Columns around that say what is usual.", unit="pixel", ge=3)


class ColumnJump(Step[ColumnJumpParams]):
    """Find columns whose level jumps by the same in all rows, and take the jump away."""

    Params = ColumnJumpParams
    applies = Match({"INSTRUME": ("NIRISS",)})
    status = "S_COLJMP"
    phases = (Phase("mend", looks="frames", writes=("data",)),)
    prepare_reads = ()
    makes = (Output("events", planes=0),)

    def prepare(self, ramp, refs):
        """Begin a list."""
        self.events = []

    def mend(self, ramp, piece):
        """Look at the differences of groups of one integration, by their medians of columns."""
        data = ramp.data[piece.integration]
        bad = (ramp.groupdq[piece.integration] & (DO_NOT_USE | SATURATED)) > 0
        steps = np.array([median(pair) for pair in pairs(data, bad)])
        if len(steps) < 3:
            return
        steps -= np.nanmedian(steps, axis=0)  # light that comes steadily
        steps -= running_median(steps, self.params.neighbours)  # noise of the whole group
        spread = 1.4826 * np.nanmedian(np.abs(steps))
        for before, x in np.argwhere(np.abs(steps) > self.params.cut * spread):
            size = steps[before, x]
            data[before + 1 :, :, x] -= size
            self.events.append((piece.integration + 1, before + 2, x + 1, size, size / spread))

    def finish(self, ramp):
        """Make a table of all jumps."""
        columns = [
            ("integration", "i4"), ("group", "i4"), ("column", "i4"),
            ("jump", "f4"), ("sigma", "f4"),
        ]  # fmt: skip
        table = np.array(sorted(self.events), columns)  # pieces come in any order
        ramp.keywords["NCOLJUMP"] = len(table)
        keywords = ramp.keywords.copy()
        return {"events": Product("events", PLAIN, {}, keywords, tables={"EVENTS": table})}


def pairs(data, bad):
    """Give the difference of each group and the one before; NaN where one is bad."""
    for group in range(1, len(data)):
        yield np.where(bad[group] | bad[group - 1], np.nan, data[group] - data[group - 1])


def median(image):
    """Give the median of each column, of those with enough good pixels."""
    out = np.full(image.shape[1], np.nan)
    enough = np.isfinite(image).sum(axis=0) > image.shape[0] // 4
    out[enough] = np.nanmedian(image[:, enough], axis=0)
    return out


def running_median(rows, width):
    """Give the median of the neighbourhood of each element of each row."""
    padded = np.pad(rows, ((0, 0), (width // 2, width // 2)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, width // 2 * 2 + 1, axis=1)
    empty = np.isnan(around).all(axis=-1)
    return np.nanmedian(np.where(empty[..., None], 0, around), axis=-1)
