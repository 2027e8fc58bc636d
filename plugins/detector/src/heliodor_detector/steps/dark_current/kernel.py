"""Frames of a dark made into groups, and their subtraction."""

import numpy as np
from heliodor.kernels import kernel

SIGNATURE = "void(f4[:,:,:,::1], {}[:,::1], i8, i8, i8, i8)"


@kernel([SIGNATURE.format("f4"), SIGNATURE.format("f8")])
def subtract_frame(data, frame, int_start, int_stop, group, row_start):
    """Subtract a frame from one group of some integrations; NaN counts as zero.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]; changed in place
    frame : (nrows, nx) float32 or float64 [DN]
    int_start, int_stop : the integrations
    group : its index
    row_start : where the frame's first row lies in the data
    """
    for integration in range(int_start, int_stop):
        for y in range(frame.shape[0]):
            row = data[integration, group, row_start + y]
            dark = frame[y]
            for x in range(row.size):
                row[x] = row[x] if np.isnan(dark[x]) else row[x] - dark[x]


def extrapolate(frames, tail, ahead, count):
    """Go on linearly after the last frame of a dark.

    Parameters
    ----------
    frames : (n, ny, nx) float32 [DN]; those of the wanted frames that the dark has
    tail : (2, ny, nx) float32 [DN]; the last two frames of the dark
    ahead : number of the first wanted frame, counted from the first that the dark lacks
    count : how many frames are wanted

    Returns
    -------
    (count, ny, nx) float64 [DN]
    """
    steps = np.arange(max(ahead, 0) + 1, ahead + count + 1)[:, np.newaxis, np.newaxis]
    return np.concatenate((frames, steps * (tail[1] - tail[0]) + tail[1]))


def average(frames):
    """Average frames in their own precision.

    Parameters
    ----------
    frames : (n, ny, nx) float32 or float64 [DN]

    Returns
    -------
    (ny, nx) float32 [DN]
    """
    return frames.mean(axis=0).astype(np.float32)
