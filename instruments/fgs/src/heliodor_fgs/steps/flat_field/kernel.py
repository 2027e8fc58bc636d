"""A flat made ready, and what it does to rates and errors."""

import numpy as np
from heliodor.bits import DO_NOT_USE, PIXEL

NO_FLAT_FIELD = PIXEL["NO_FLAT_FIELD"]


def make_ready(flat, dq):
    """Flag pixels without a usable flat, and let them stay as they are.

    Parameters
    ----------
    flat : (ny, nx) float32; 1 where it is NaN, zero or flagged, when done
    dq : (ny, nx) uint32, bits of PIXEL; such pixels get NO_FLAT_FIELD and DO_NOT_USE
    """
    dq[np.isnan(flat) | (flat == 0)] |= np.uint32(NO_FLAT_FIELD)
    dq[(dq & np.uint32(NO_FLAT_FIELD)) != 0] |= np.uint32(DO_NOT_USE)
    flat[(dq & np.uint32(DO_NOT_USE)) != 0] = 1.0


def divide(data, err, flat, flat_err):
    """Divide rates by a flat; its error adds to theirs.

    Parameters
    ----------
    data, err : (n, ny, nx) float32 [DN/s]; changed
    flat, flat_err : (ny, nx) float32
    """
    data /= flat
    variance = data * data
    variance /= flat * flat
    variance *= flat_err * flat_err
    err *= err
    err += variance
    np.sqrt(err, out=err)


def blank(data, err):
    """Make NaN in both what is NaN in one.

    Parameters
    ----------
    data, err : (n, ny, nx) float32; changed
    """
    missing = np.isnan(data) | np.isnan(err)
    data[missing] = np.nan
    err[missing] = np.nan
