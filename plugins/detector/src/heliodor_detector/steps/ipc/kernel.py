"""Convolution of one image in place."""

import numpy as np
from heliodor.kernels import helper, kernel


@helper
def _hold(image, held, y, bottom, top, left, right, margin, extend):
    """Copy the science pixels of row `y`, with a margin at both ends."""
    if not extend and (y < bottom or y >= top):
        held[:] = np.float32(0)
        return
    science = image[min(max(y, bottom), top - 1), left:right]
    held[:margin] = science[0] if extend else np.float32(0)
    middle = held[margin : margin + science.size]
    for x in range(science.size):
        middle[x] = science[x]
    held[margin + science.size :] = science[-1] if extend else np.float32(0)


@helper
def _convolve_row(out, above, here, below, weights):
    """Add up the terms of three rows with a kernel of 3 x 3, in one loop."""
    a, b, c = weights[0, 0], weights[0, 1], weights[0, 2]
    d, middle, e = weights[1, 0], weights[1, 1], weights[1, 2]
    f, g, h = weights[2, 0], weights[2, 1], weights[2, 2]
    for x in range(out.size):
        total = np.float32(0) + a * above[x + 2] + b * above[x + 1] + c * above[x]
        total = total + d * here[x + 2] + e * here[x]
        out[x] = total + f * below[x + 2] + g * below[x + 1] + h * below[x] + middle * here[x + 1]


@kernel("void(f4[:,::1], f4[:,:,:,::1], i8[::1], b1)")
def convolve(image, weights, border, extend):
    """Convolve the science pixels of an image with a small kernel.

    Reference pixels neither change nor contribute.  The terms are added in single precision, along
    the rows of the kernel and its middle last: the order fixes the rounding.

    Parameters
    ----------
    image : (ny, nx) float32 [DN]; changed in place
    weights : (height, width, ny, nx) float32, a kernel for each pixel, or (height, width, 1, 1),
        one for all; height and width are odd
    border : (4,) int64, rows and columns of reference pixels at the bottom, top, left and right
    extend : beyond the science pixels assume the nearest one's value instead of zero
    """
    height, width = weights.shape[:2]
    one_for_all = weights.shape[3] == 1
    bottom, left = border[0], border[2]
    top, right = image.shape[0] - border[1], image.shape[1] - border[3]
    if top <= bottom or right <= left:
        return
    reach, margin = height // 2, width // 2
    terms = height * width

    # row y as it was before it is overwritten is held[y % height]
    held = np.empty((height, right - left + 2 * margin), np.float32)
    for newest in range(bottom - reach, top + reach):
        _hold(image, held[newest % height], newest, bottom, top, left, right, margin, extend)
        y = newest - reach
        if y < bottom:
            continue
        out = image[y, left:right]
        if one_for_all and height == 3 and width == 3:
            above, here, below = held[newest % 3], held[y % 3], held[(y - 1) % 3]
            _convolve_row(out, above, here, below, weights[:, :, 0, 0])
            continue
        out[:] = np.float32(0)
        for term in range(terms + 1):
            if term == terms // 2:
                continue
            j, i = divmod(terms // 2 if term == terms else term, width)
            source = held[(newest - j) % height, width - 1 - i :]
            if one_for_all:
                weight = weights[j, i, 0, 0]
                for x in range(out.size):
                    out[x] += weight * source[x]
            else:
                weights_row = weights[j, i, y, left:right]
                for x in range(out.size):
                    out[x] += weights_row[x] * source[x]
