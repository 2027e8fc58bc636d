"""A superbias that follows the level of every integration."""

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.params import parameter
from heliodor.references.files import Reference
from heliodor.step import step

Share = Annotated[
    float,
    parameter(0.25, "Part of the pixels, the faintest, that tell the level.", gt=0, le=1),
]


@step(looks="exposure", writes=["data", "pixeldq", "zeroframe"], sets_bits=["UNRELIABLE_BIAS"])
def scaled_superbias(
    data: np.ndarray,
    pixeldq: np.ndarray,
    superbias: Reference,
    zeroframe: np.ndarray | None = None,
    *,
    faintest: Share = 0.25,
):
    """Subtract the bias image, scaled to every integration.

    The scale is the median ratio of the first group to the bias in pixels that see little light:
    the reference pixels, or the faintest pixels where there are none.
    """
    bias = np.nan_to_num(superbias.plane())
    pixeldq |= superbias.dq()
    good = (pixeldq & DO_NOT_USE == 0) & (bias > 0)
    dark = good & (pixeldq & REFERENCE_PIXEL > 0)
    if not dark.any():
        signal = np.median(data[:, -1] - data[:, 0], axis=0)
        dark = good & (signal <= np.nanquantile(signal[good], faintest))
    for integration in range(len(data)):
        scale = np.float32(np.nanmedian(data[integration, 0, dark] / bias[dark]))
        data[integration] -= scale * bias
        if zeroframe is not None:
            there = zeroframe[integration] != 0  # zero stands for no frame
            zeroframe[integration] -= scale * bias * there
