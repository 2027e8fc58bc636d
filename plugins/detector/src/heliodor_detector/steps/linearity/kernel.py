"""Polynomials that make ramps linear."""

import numpy as np
from heliodor.bits import SATURATED
from heliodor.kernels import helper, kernel


@helper
def polynomial(coeffs, row, values, out):
    """Evaluate a polynomial per pixel of a row by Horner's rule, in the precision of `values`."""
    last = coeffs.shape[0] - 1
    for x in range(values.size):
        out[x] = coeffs[last, row, x] * values[x] + coeffs[last - 1, row, x]
    for power in range(last - 2, -1, -1):
        for x in range(values.size):
            out[x] = out[x] * values[x] + coeffs[power, row, x]


@kernel("void(f4[:,:,:,::1], u1[:,:,:,::1], f4[:,:,::1], i8, i8)")
def correct_groups(data, groupdq, coeffs, row_start, row_stop):
    """Make ramps linear, leaving saturated groups as they are.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]; changed in place
    groupdq : (nints, ngroups, ny, nx) uint8
    coeffs : (ncoeffs, row_stop - row_start, nx) float32; ascending powers, for these rows
    row_start, row_stop : the piece
    """
    nints, ngroups, _, nx = data.shape
    ncoeffs = coeffs.shape[0]
    none = np.zeros(nx, np.float32)
    linear = np.empty(nx, np.float32)
    for integration in range(nints):
        for group in range(ngroups):
            for y in range(row_start, row_stop):
                line = y - row_start
                row = data[integration, group, y]
                dq = groupdq[integration, group, y]
                # Horner's rule, two terms in each loop: half as many loads and stores
                highest = coeffs[ncoeffs - 1, line] if ncoeffs % 2 else none
                for x in range(nx):
                    linear[x] = highest[x]
                for power in range(ncoeffs - 1 - ncoeffs % 2, 1, -2):
                    upper, lower = coeffs[power, line], coeffs[power - 1, line]
                    for x in range(nx):
                        linear[x] = (linear[x] * row[x] + upper[x]) * row[x] + lower[x]
                upper, lower = coeffs[1, line], coeffs[0, line]
                for x in range(nx):
                    corrected = (linear[x] * row[x] + upper[x]) * row[x] + lower[x]
                    row[x] = row[x] if dq[x] & SATURATED else corrected


@kernel("void(f4[:,:,::1], f4[:,:,::1], i8, i8)")
def correct_zeroframe(zeroframe, coeffs, row_start, row_stop):
    """Make first frames linear; zeros mean "no value" and stay.

    Parameters
    ----------
    zeroframe : (nints, ny, nx) float32 [DN]; changed in place
    coeffs : (ncoeffs, row_stop - row_start, nx) float32
    row_start, row_stop : the piece
    """
    nints, _, nx = zeroframe.shape
    linear = np.empty(nx, np.float32)
    for y in range(row_start, row_stop):
        for integration in range(nints):
            row = zeroframe[integration, y]
            polynomial(coeffs, y - row_start, row, linear)
            for x in range(nx):
                row[x] = 0.0 if row[x] == 0.0 else linear[x]
