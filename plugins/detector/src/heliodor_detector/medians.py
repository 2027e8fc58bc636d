"""Order statistics of many columns at once, by sorting networks.

A sorting network is a fixed list of compare-and-exchange operations that sorts any ``count``
values.  Samples lie as ``(count, n)`` with the columns innermost, so that one operation is a
minimum and a maximum of two rows: it has no branch, and the compiler makes it SIMD.  The
network is data, not code: nothing is compiled for a new count.

Columns with fewer than ``count`` usable samples are filled up with infinity: those sort to the
end, and the first ``m`` rows of a column are its ``m`` usable samples in order.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from heliodor.kernels import helper


@lru_cache(maxsize=64)
def sorting_network(count: int) -> np.ndarray:
    """Make the odd-even merge sorting network of `count` values.

    Parameters
    ----------
    count : number of samples in a column

    Returns
    -------
    (n_comparators, 2) int32: rows (a, b), a < b, to be put in order one after another.  It is
    shared between callers and must not be changed.

    Notes
    -----
    Batcher (1968), in the form for counts that are not powers of two (Knuth, The Art of Computer
    Programming, vol. 3, algorithm 5.2.2M).  About ``count * log2(count)**2 / 4`` comparators.

    Examples
    --------
    >>> sorting_network(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    stages = []
    block = 1
    while block < count:
        distance = block
        while distance:
            # within runs of 2 * block, compare samples that are `distance` apart
            lower = np.arange(distance % block, count - distance)
            upper = lower + distance
            chosen = (lower - distance % block) // distance % 2 == 0
            chosen &= lower // (2 * block) == upper // (2 * block)
            stages.append(np.stack([lower[chosen], upper[chosen]], axis=1))
            distance //= 2
        block *= 2
    if not stages:
        return np.empty((0, 2), np.int32)
    return np.concatenate(stages).astype(np.int32)


@lru_cache(maxsize=64)
def median_network(count: int) -> np.ndarray:
    """Make the part of `sorting_network` on which the samples in the middle depend.

    Parameters
    ----------
    count : number of samples in a column

    Returns
    -------
    (n_comparators, 2) int32, about a fifth fewer than of `sorting_network`.  They put the samples
    ``(count - 1) // 2`` and ``count // 2`` in place, and leave the others in no order.  It is
    shared between callers and must not be changed.

    Examples
    --------
    >>> len(sorting_network(39)), len(median_network(39))
    (299, 242)
    """
    needed = {(count - 1) // 2, count // 2}
    network = []
    for lower, upper in reversed(sorting_network(count).tolist()):
        if lower in needed or upper in needed:
            needed |= {lower, upper}
            network.append((lower, upper))
    return np.array(network[::-1], np.int32).reshape(-1, 2)


@helper
def sort_columns(samples, network):
    """Sort every column of `samples` in place.

    Parameters
    ----------
    samples : (count, n) float32, without NaN; rows beyond `count` are left alone
    network : of `sorting_network` (count); or of `median_network` (count) to have only the
        middle of every column in place
    """
    for comparator in range(network.shape[0]):
        lower = samples[network[comparator, 0]]
        upper = samples[network[comparator, 1]]
        for x in range(lower.size):
            a = lower[x]
            b = upper[x]
            lower[x] = a if a < b else b
            upper[x] = b if a < b else a


@helper
def columns_at_once(count):
    """Give the number of columns to sort together: many, but all samples in a core's cache."""
    return min(512, max(128, 4096 // max(count, 1)))
