"""Regions that somebody has drawn by hand, flagged: shutters stuck open, ghosts, bad pixels."""

import re
from typing import Annotated, Literal, get_args

import numpy as np
from heliodor.bits import PIXEL
from heliodor.params import File, parameter
from heliodor.step import Skipped, step

Flag = Literal["OTHER_BAD_PIXEL", "MSA_FAILED_OPEN", "OUTLIER", "PERSISTENCE"]
SHAPE = re.compile(r"^\s*(point|circle|box)\s*\(([^)]*)\)", re.IGNORECASE | re.MULTILINE)


@step(takes="image", writes="dq", sets_bits=["DO_NOT_USE", *get_args(Flag)])
def flag_regions(
    dq: np.ndarray,
    keywords,
    *,
    regions: Annotated[File | None, parameter(..., "Regions of DS9, in image coordinates.")] = None,
    flag: Annotated[Flag, parameter(..., "Is set beside DO_NOT_USE.")] = "OTHER_BAD_PIXEL",
):
    """Flag all pixels inside of regions of a file."""
    if regions is None:
        return Skipped("no file of regions is given")
    inside = drawn(regions.read_text(), dq.shape[-2:])
    dq[..., inside] |= np.uint32(PIXEL["DO_NOT_USE"] | PIXEL[flag])
    keywords["NREGPIX"] = int(inside.sum())
    return dq


def drawn(text, shape):
    """Give where regions lie: point(x, y), circle(x, y, radius), box(x, y, width, height).

    The first pixel is 1, as in DS9; angles of boxes are not understood.
    """
    y, x = np.indices(shape) + 1
    inside = np.zeros(shape, bool)
    for name, numbers in SHAPE.findall(text):
        column, row, *size = (float(number) for number in numbers.split(","))
        dx, dy = np.abs(x - column), np.abs(y - row)
        if name.lower() == "circle":
            inside |= np.hypot(dx, dy) <= size[0]
        else:
            width, height = size[:2] or (1, 1)
            inside |= (dx <= width / 2) & (dy <= height / 2)
    return inside
