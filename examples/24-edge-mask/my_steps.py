"""A mask for the margin of coronagraphic images."""

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.step import step


@step(looks="exposure", writes="pixeldq", sets_bits=["DO_NOT_USE"])
def edge_mask(pixeldq: np.ndarray, *, width: int = 5):
    """Flag the margin, which lies in the shadow of the mask's holder.

    Parameters
    ----------
    width : int [pixel]
        How far it reaches into the image.
    """
    margin = np.ones(pixeldq.shape, bool)
    margin[width:-width, width:-width] = False
    pixeldq[margin] |= DO_NOT_USE
