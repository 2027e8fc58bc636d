"""Counting data quality bits, for tables and receipts."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from heliodor import bits
from heliodor.data import Ramp
from heliodor.declare import StepSpec
from heliodor.kernels import helper, kernel
from heliodor.step import Piece

PLANES = ("groupdq", "pixeldq")

NAMES = tuple({**bits.GROUP, **bits.PIXEL})
"""What is counted: samples (one pixel in one group) for bits of GROUPDQ, pixels for others."""


PLANE = np.array(["groupdq" if name in bits.GROUP else "pixeldq" for name in NAMES])
"""Where each is counted."""

PART = 256
"""Elements looked at together."""

WORDS = 64
"""Words of eight samples looked at together: counts of up to 255 fit into a byte."""

ONES = np.uint64(0x0101010101010101)
EVEN = np.uint64(0x00FF00FF00FF00FF)
FOUR = np.uint64(0x0001000100010001)
"""One in every byte; every other byte; one in every pair of bytes."""


@helper
def add_bits(row, counts):
    """Add up elements with each bit, part by part: most parts have few bits."""
    for start in range(0, row.size, PART):
        part = row[start : start + PART]
        union = part[0]
        for value in part:
            union |= value
        bit = 0
        while union:
            if union & 1:
                this = 0
                for value in part:
                    this += (value >> bit) & 1
                counts[bit] += this
            union >>= 1
            bit += 1


@kernel("void(u4[:,::1], i8[::1])")
def count_pixel_bits(pixeldq, counts):
    """Add up pixels with each bit.

    Parameters
    ----------
    pixeldq : (ny, nx) uint32
    counts : (32,) int64; added to
    """
    for y in range(pixeldq.shape[0]):
        add_bits(pixeldq[y], counts)


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
    for i in range(first, last):
        for g in range(groupdq.shape[1]):
            for y in range(row_start, row_stop):
                add_bits(groupdq[i, g, y], counts)


@kernel("void(u8[::1], i8[::1])")
def count_words(words, counts):
    """Add up samples with each bit, eight samples in a word.

    Parameters
    ----------
    words : (n,) uint64, flags of eight samples each
    counts : (at least 8,) int64; added to
    """
    for start in range(0, words.size, WORDS):
        part = words[start : start + WORDS]
        union = np.uint64(0)
        for word in part:
            union |= word
        for bit in range(8):
            if union & (ONES << np.uint64(bit)) == 0:
                continue
            # a count in each byte, these in pairs, and all four pairs
            sums = np.uint64(0)
            for word in part:
                sums += (word >> np.uint64(bit)) & ONES
            pairs = (sums & EVEN) + ((sums >> np.uint64(8)) & EVEN)
            counts[bit] += np.int64((pairs * FOUR) >> np.uint64(48))


def count_all(groupdq: np.ndarray, counts: np.ndarray) -> None:
    """Add up the samples of a contiguous array with each bit; see `count_words`."""
    words, rest = np.split(groupdq.reshape(-1), [groupdq.size // 8 * 8])
    count_words(words.view(np.uint64), counts)
    count_words(np.pad(rest, (0, 8 - rest.size)).view(np.uint64), counts)


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
    counts = {plane: np.zeros(32, np.int64) for plane in PLANES}
    where = piece or Piece(None, None, 0, ny)
    if "groupdq" in planes and piece is None:
        count_all(ramp.groupdq, counts["groupdq"])
    elif "groupdq" in planes:
        whole = where.integration is None
        first, last = (0, nints) if whole else (where.integration, where.integration + 1)
        rows = where.row_start, where.row_stop
        count_bits(ramp.groupdq, first, last, *rows, counts["groupdq"])
    if "pixeldq" in planes:
        # of superstripes that are not joined, all planes
        pixels = ramp.pixeldq[..., where.rows, :].reshape(-1, ramp.shape[3])
        count_pixel_bits(pixels, counts["pixeldq"])
    return np.array(
        [
            counts[plane][bits.PIXEL[name].bit_length() - 1]
            for name, plane in zip(NAMES, PLANE, strict=True)
        ]
    )


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

    An array is counted again only after a step that says it sets some of its bits.

    Parameters
    ----------
    ramp : the exposure, before its first step
    planes : those that may have bits already
    """

    def __init__(self, ramp: Ramp, planes: Collection[str] = PLANES):
        self._counts = count(ramp, planes=planes)

    def added(self, ramp: Ramp, spec: StepSpec) -> dict[str, int]:
        """Count what has been added since the last call, by bit name."""
        planes = {plane for name, plane in zip(NAMES, PLANE, strict=True) if name in spec.sets_bits}
        if spec.reshapes:
            planes = set(PLANES)
        before = self._counts
        self._counts = np.where(np.isin(PLANE, list(planes)), count(ramp, planes=planes), before)
        return named(self._counts - before, spec)
