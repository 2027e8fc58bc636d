"""Counting data quality bits, for tables and receipts."""

from __future__ import annotations

import numpy as np

from heliodor import bits
from heliodor.data import Ramp
from heliodor.declare import StepSpec
from heliodor.kernels import kernel

TOGETHER = 256
"""Flags that are looked at at once: most are zero."""


@kernel(["void(u1[::1], i8[::1])", "void(u4[::1], i8[::1])"])
def count_bits(flags, counts):
    """Count elements with each bit.

    Parameters
    ----------
    flags : (n,) uint8 or uint32
    counts : (32,) int64; set
    """
    counts[:] = 0
    for start in range(0, flags.size, TOGETHER):
        part = flags[start : start + TOGETHER]
        union = 0
        for value in part:
            union |= value
        if union == 0:
            continue
        bit = 0
        while union >> bit:
            if (union >> bit) & 1:
                for value in part:
                    counts[bit] += (value >> bit) & 1
            bit += 1


class FlagCounter:
    """What each step adds to the data quality arrays of a ramp.

    An array is counted again only after a step that says it sets some of its bits.

    Parameters
    ----------
    ramp : the exposure, before its first step
    """

    def __init__(self, ramp: Ramp):
        self._counts = _of_groups(ramp) | _of_pixels(ramp)

    def added(self, ramp: Ramp, spec: StepSpec) -> dict[str, int]:
        """Count what has been added since the last call, by bit name.

        Samples (one pixel in one group) for bits of GROUPDQ, pixels for others; nothing for a step
        that reshapes, since what it drops had flags as well.
        """
        if spec.reshapes:
            self._counts = _of_groups(ramp) | _of_pixels(ramp)
            return {}
        now: dict[str, int] = {}
        if any(name in bits.GROUP for name in spec.sets_bits):
            now |= _of_groups(ramp)
        if any(name not in bits.GROUP for name in spec.sets_bits):
            now |= _of_pixels(ramp)
        new = {name: now[name] - self._counts[name] for name in spec.sets_bits}
        self._counts |= now
        return {name: count for name, count in new.items() if count}


def _of_groups(ramp: Ramp) -> dict[str, int]:
    return _count(ramp.groupdq, bits.GROUP)


def _of_pixels(ramp: Ramp) -> dict[str, int]:
    return _count(ramp.pixeldq, {n: v for n, v in bits.PIXEL.items() if n not in bits.GROUP})


def _count(flags: np.ndarray, named: dict[str, int]) -> dict[str, int]:
    counts = np.zeros(32, np.int64)
    count_bits(flags.reshape(-1), counts)
    return {name: int(counts[value.bit_length() - 1]) for name, value in named.items()}
