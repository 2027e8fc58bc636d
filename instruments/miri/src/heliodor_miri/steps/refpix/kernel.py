"""Subtraction of what the reference pixels say."""

import numpy as np
from heliodor.kernels import kernel


@kernel("void(f4[:,::1], f4[:,::1], f8[:,::1], b1)")
def subtract_signals(image, first, signals, rounded):
    """Subtract one signal for each column and parity of rows from a group.

    Parameters
    ----------
    image : (ny, nx) float32 [DN]; changed in place
    first : (ny, nx) float32 [DN], the first group of the integration
    signals : (nparities, nx) float64 [DN]
    rounded : take the first group away and give it back around the subtraction, each in single
        precision
    """
    ny, nx = image.shape
    nparities = signals.shape[0]
    for y in range(ny):
        row = image[y]
        start = first[y]
        signal = signals[y % nparities]
        if rounded:
            for x in range(nx):
                row[x] = ((row[x] - start[x]) - np.float32(signal[x])) + start[x]
        else:
            for x in range(nx):
                row[x] = row[x] - signal[x]
