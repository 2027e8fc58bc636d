"""Set the flags of the bad pixel mask."""

from __future__ import annotations

import numpy as np
from astropy.io import fits
from heliodor.bits import DO_NOT_USE
from heliodor.data import Ramp, of_integration
from heliodor.errors import UsageError
from heliodor.step import Piece, References, Step

from heliodor_detector.steps.dq_init.params import DQInitParams


class DQInit(Step[DQInitParams]):
    """Flag bad pixels in PIXELDQ, and in every group those that no slope shall be fitted to."""

    Params = DQInitParams

    def prepare(self, ramp: Ramp, refs: References) -> None:
        """Read the mask, and the user's own if there is one."""
        mask = refs["mask"].dq()
        if self.params.user_supplied_dq is not None:
            mask |= read_user_dq(self.params.user_supplied_dq, mask.shape)
        ramp.pixeldq |= mask
        self.rejected = (mask & DO_NOT_USE).astype(np.uint8)

    def reject(self, ramp: Ramp, piece: Piece) -> None:
        """Flag every group in the rows of one integration."""
        rejected = of_integration(self.rejected, piece.integration)
        ramp.groupdq[piece.integration, :, piece.rows] |= rejected[piece.rows]


def read_user_dq(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Read data quality from the first image of any FITS file.

    Parameters
    ----------
    path : the file
    shape : what its shape must be

    Returns
    -------
    (ny, nx) uint32

    Raises
    ------
    heliodor.errors.UsageError
        It cannot be read or has another shape.
    """
    try:
        flags = fits.getdata(path)
    except (OSError, IndexError) as error:
        raise UsageError(f"user_supplied_dq: {path} cannot be read: {error}") from error
    if flags.shape != shape:
        raise UsageError(f"user_supplied_dq: {path} has shape {flags.shape}, the mask {shape}")
    return flags.astype(np.uint32)
