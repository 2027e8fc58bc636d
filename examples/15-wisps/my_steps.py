"""Wisps of stray light in NIRCam: a template of one's own, fitted and subtracted."""

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.declare import RefNeed
from heliodor.params import parameter
from heliodor.step import Skipped, step

TEMPLATE = RefNeed("wisp", keys=("DETECTOR", "FILTER", "PUPIL"))


@step(
    takes="image",
    writes="data",
    references=TEMPLATE,
    when={
        "instrument": "NIRCAM",
        "detector": ["NRCA3", "NRCA4", "NRCB3", "NRCB4"],
        "filter": ["F150W", "F150W2", "F200W", "F210M"],
    },
)
def subtract_wisps(
    data: np.ndarray,
    err: np.ndarray,
    dq: np.ndarray,
    wisp: np.ndarray,
    keywords,
    *,
    cut: Annotated[float, parameter(..., "Farther off is a source.", unit="sigma", gt=0)] = 3.0,
    rounds: Annotated[int, parameter(..., "How often sources are left out anew.", ge=1)] = 8,
):
    """Subtract a template of wisps, scaled to fit the sky."""
    good = ((dq & DO_NOT_USE) == 0) & np.isfinite(data) & np.isfinite(wisp) & (err > 0)
    if not good.any():
        return Skipped("there is no good pixel")
    sky, design = good, np.stack([wisp, np.ones_like(wisp)], axis=-1)
    for _ in range(rounds):
        weighted = design[sky] / err[sky, None]
        (scale, level), *_ = np.linalg.lstsq(weighted, data[sky] / err[sky])
        off = (data - scale * wisp - level) / err
        spread = 1.4826 * np.median(np.abs(off[good]))
        sky = good & (np.abs(off) < cut * spread)
    if scale <= 0:
        return Skipped(f"no wisp was found: it would have to be {scale:.3f} of the template")
    keywords["WISPSCAL"] = float(scale)
    return data - np.float32(scale) * np.nan_to_num(wisp)
