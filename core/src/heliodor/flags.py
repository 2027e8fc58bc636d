"""Counting data quality bits, for tables and receipts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from heliodor import bits
from heliodor.data import Ramp
from heliodor.declare import StepSpec
from heliodor.kernels import kernel
from heliodor.step import Piece

PLANES = ("groupdq", "pixeldq")

NAMES = tuple({**bits.GROUP, **bits.PIXEL})
"""What is counted: samples (one pixel in one group) for bits of GROUPDQ, pixels for others."""


@kernel("void(u1[:,:,:,::1], i8, i8, i8, i8, i8[::1])")
def count_bits(groupdq, first, last, row_start, row_stop, counts):
    """Add up samples with each bit.

    Parameters
    ----------
    groupdq : (nints, ngroups, ny, nx) uint8
    first, last : integrations ``first <= i < last``
    row_start, row_stop : rows ``row_start <= y < row_stop``
    counts : (8,) int64; added to
    """
    _, ngroups, _, nx = groupdq.shape
    for i in range(first, last):
        for g in range(ngroups):
            for y in range(row_start, row_stop):
                union = 0
                for x in range(nx):
                    union |= groupdq[i, g, y, x]
                for bit in range(8):
                    if not (union >> bit) & 1:
                        continue
                    total = 0
                    for x in range(nx):
                        total += (groupdq[i, g, y, x] >> bit) & 1
                    counts[bit] += total


def count(ramp: Ramp, piece: Piece | None = None, planes: Collection[str] = PLANES) -> np.ndarray:
    """Count the bits that are set.

    Parameters
    ----------
    ramp : the exposure
    piece : where; everywhere if None
    planes : of ``groupdq`` and ``pixeldq``, those looked at; bits of others count as 0

    Returns
    -------
    (len(NAMES),) int64
    """
    nints, _, ny, _ = ramp.shape
    piece = piece or Piece(None, None, 0, ny)
    found = np.zeros(len(NAMES), np.int64)
    if "groupdq" in planes:
        whole = piece.integration is None
        first, last = (0, nints) if whole else (piece.integration, piece.integration + 1)
        of_groups = np.zeros(8, np.int64)
        count_bits(ramp.groupdq, first, last, piece.row_start, piece.row_stop, of_groups)
        for number, name in enumerate(NAMES):
            if name in bits.GROUP:
                found[number] = of_groups[bits.GROUP[name].bit_length() - 1]
    if "pixeldq" in planes:
        flags = ramp.pixeldq[piece.rows]
        union = np.bitwise_or.reduce(flags, axis=None)
        for number, name in enumerate(NAMES):
            if name not in bits.GROUP and union & np.uint32(bits.PIXEL[name]):
                found[number] = np.count_nonzero(flags & np.uint32(bits.PIXEL[name]))
    return found


def named(counts: np.ndarray, spec: StepSpec) -> dict[str, int]:
    """Give what a step has flagged by bit name: of its own bits those that it has set.

    Nothing for a step that reshapes, since what it drops had flags as well.
    """
    if spec.reshapes:
        return {}
    new = {name: int(counts[NAMES.index(name)]) for name in spec.sets_bits}
    return {name: number for name, number in new.items() if number}


class FlagCounter:
    """What each step adds to the data quality arrays of a ramp.

    Arrays are counted again only after a step that says it sets bits.

    Parameters
    ----------
    ramp : the exposure, before its first step
    """

    def __init__(self, ramp: Ramp):
        self._counts = count(ramp)

    def added(self, ramp: Ramp, spec: StepSpec) -> dict[str, int]:
        """Count what has been added since the last call, by bit name."""
        if not spec.sets_bits and not spec.reshapes:
            return {}
        now = count(ramp)
        new, self._counts = now - self._counts, now
        return named(new, spec)
