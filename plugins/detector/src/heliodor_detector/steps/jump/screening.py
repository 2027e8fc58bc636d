"""Which pixels of a row may have a jump: few, and only those are sorted.

A pixel has none if even its most extreme difference is not far from the median, and for that the
median need not be known, only where it must be: counting the differences below a guess says on
which side of the guess the median is.
"""

from __future__ import annotations

import numpy as np
from heliodor.kernels import helper

from heliodor_detector.steps.jump.differences import UNUSABLE

COLUMNS = 1024
"""Most pixels looked at together: many, but all their differences in a core's cache."""

CAUTION = np.float32(0.999)
"""Limits are taken sharper than they are by this, far more than rounding."""

CLOSE = 3.0
"""Half of the interval in which a median is looked for [standard errors of a mean]."""


@helper
def columns_at_once(nx):
    """Give the number of pixels to look at together: equal parts of a row."""
    parts = (nx + COLUMNS - 1) // COLUMNS
    return (nx + parts - 1) // parts


@helper
def take_differences(
    data, groupdq, gain, usual, first, last, y, start, stop, absolute, differences, odd
):
    """Fetch the usual differences of a run of pixels; mark pixels that have others.

    Parameters
    ----------
    data, groupdq, gain : of the ramp
    usual : (nints, ngroups) bool, groups that most pixels can use
    first, last : the groups ``first <= group < last``, ``first`` at least 1
    y, start, stop : the pixels ``start <= x < stop`` of row `y`
    absolute : give absolute values
    differences : (n, at least stop - start) float32 [e-]; set
    odd : (stop - start,) bool; set where other groups than the usual can be used
    """
    electrons = gain[y, start:stop]
    odd[:] = False
    row = 0
    for integration in range(data.shape[0]):
        for group in range(first - 1, last):
            expected = usual[integration, group]
            flags = groupdq[integration, group, y, start:stop]
            for column in range(odd.size):
                odd[column] |= (flags[column] & UNUSABLE == 0) != expected
            if group >= first and expected and usual[integration, group - 1]:
                now = data[integration, group, y, start:stop]
                before = data[integration, group - 1, y, start:stop]
                out = differences[row]
                for column in range(odd.size):
                    step = now[column] * electrons[column] - before[column] * electrons[column]
                    out[column] = abs(step) if absolute else step
                row += 1


@helper
def find_extremes(samples, mean, smallest, largest):
    """Take mean, minimum, and maximum of every column.

    Parameters
    ----------
    samples : (n, width) float32
    mean : (width,) float32, set to the mean of what is more than the first sample: small numbers,
        so that single precision is enough
    smallest, largest : (width,) float32; set.  Only if the mean is NaN can a sample be NaN
    """
    first = samples[0]
    for column in range(mean.size):
        mean[column] = 0.0
        smallest[column] = largest[column] = first[column]
    for row in range(samples.shape[0]):
        values = samples[row]
        for column in range(mean.size):
            value = values[column]
            mean[column] += value - first[column]
            smallest[column] = min(value, smallest[column])
            largest[column] = max(value, largest[column])
    for column in range(mean.size):
        mean[column] /= np.float32(samples.shape[0])


@helper
def count_below(samples, bound, count):
    """Count the samples of every column that are less than `bound`.

    Parameters
    ----------
    samples : (n, width) float32
    bound : (width,) float32
    count : (width,) int32; set
    """
    count[:] = 0
    for row in range(samples.shape[0]):
        values = samples[row]
        for column in range(count.size):
            count[column] += values[column] < bound[column]
