"""Find interleaved reference pixels that are bad from time to time, and what to put there.

Each reference pixel is read twice in a row: a pair.  What is found bad is bad in all integrations,
groups and lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from astropy.stats import sigma_clipped_stats

from heliodor_nirspec.irs2 import BLOCK, COLUMNS, FIRST, INTERLEAVED, PERIOD, SECTOR, SECTORS

PAIRS = np.flatnonzero(INTERLEAVED)[::2]
"""The first of each pair."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A row to be overwritten by the average of others; by zeros if there are none."""

    row: int
    donors: tuple[int, ...]

    def apply(self, image: np.ndarray) -> None:
        """Overwrite the row of an image, (3200, nx) float32, in place."""
        if len(self.donors) == 2:
            image[self.row] = (image[self.donors[0]] + image[self.donors[1]]) / np.float32(2)
        else:
            image[self.row] = image[self.donors[0]] if self.donors else 0.0


def clipped(data: np.ndarray, limit: float, known: np.ndarray, threads: int = 1) -> np.ndarray:
    """Find pairs that stand out of their sector in any integration.

    By the mean difference between the two reads, the mean, or the standard deviation; stands out
    what exceeds the clipped mean over the sector by `limit` clipped standard deviations.

    Parameters
    ----------
    data : (nints, ngroups, 3200, nx) float32 [DN]
    limit : [sigma]
    known : (3200,) bool, rows that are bad already
    threads : integrations worked on at once

    Returns
    -------
    (3200,) bool, with those of `known`
    """
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda ramp: _clipped(ramp, limit, known), data))
    return np.logical_or.reduce([known, *found])


def _clipped(ramp: np.ndarray, limit: float, known: np.ndarray) -> np.ndarray:
    bad = np.zeros(COLUMNS, bool)
    for sector in range(SECTORS):
        pairs = PAIRS[sector * PAIRS.size // SECTORS : (sector + 1) * PAIRS.size // SECTORS]
        pairs = pairs[~(known[pairs] | known[pairs + 1])]
        if pairs.size == 0:
            continue
        # single precision as in the operational pipeline: flags hang on it
        statistics = np.array([
            (
                np.mean(np.abs(ramp[:, row + 1] - ramp[:, row])),
                np.mean(ramp[:, row : row + 2]),
                np.std(ramp[:, row : row + 2]),
            )
            for row in pairs
        ])  # fmt: skip
        for values in np.ascontiguousarray(statistics.T):
            mean, _, spread = sigma_clipped_stats(values, sigma=limit)
            high = pairs[values - mean > limit * spread]
            bad[high] = bad[high + 1] = True
    return bad


def by_factor(image: np.ndarray, factor: float) -> np.ndarray:
    """Find reads whose difference to their pair, mean or scatter is `factor` times the average.

    Averages are over a sector; rows of zeros take no part.

    Parameters
    ----------
    image : (3200, nx) float32 [DN], the last group of the last integration
    factor : times the average over the sector

    Returns
    -------
    (3200,) bool
    """
    bad = np.zeros(COLUMNS, bool)
    means = image.mean(axis=1, dtype=np.float64)
    scatter = image.std(axis=1, dtype=np.float64)
    for start in range(0, COLUMNS, SECTOR):
        rows = start + np.flatnonzero(INTERLEAVED[:SECTOR])
        rows = rows[means[rows] != 0]
        pairs = rows[(rows % 2 == 0) & np.isin(rows + 1, rows)]
        difference = np.abs(means[pairs + 1] - means[pairs])
        if rows.size:
            bad[rows[means[rows] > factor * means[rows].mean()]] = True
            bad[rows[scatter[rows] > factor * scatter[rows].mean()]] = True
        if pairs.size:
            high = pairs[difference > factor * difference.mean()]
            bad[high] = bad[high + 1] = True
    return bad


def patch(row: int, bad: np.ndarray) -> Patch:
    """Choose what replaces a bad row.

    The same read one block before and after, those that are good; else the other pair of its block.
    """
    start = row - row % SECTOR
    stop = start + SECTOR
    near = [each for each in (row - PERIOD, row + PERIOD) if start <= each < stop and not bad[each]]
    beside = [each for each in (row - 2, row + 2) if INTERLEAVED[each] and not bad[each]]
    return Patch(row, tuple(near or beside[:1]))


def nearest_patch(row: int, bad: np.ndarray) -> Patch | None:
    """Choose the nearest good row of the same sector and parity, if there is any."""
    start = row - row % SECTOR
    rows = start + np.flatnonzero(INTERLEAVED[:SECTOR] & ~bad[start : start + SECTOR])
    rows = rows[rows % 2 == row % 2]
    return Patch(row, (int(rows[np.abs(rows - row).argmin()]),)) if rows.size else None


LISTED = ("output", "odd_even", "mask")
"""Columns of the table in which a reference file lists bad pixels."""


def listed(table: Mapping[str, np.ndarray]) -> Iterator[list[int]]:
    """Read which columns the reference file lists as bad.

    Parameters
    ----------
    table : ``output`` (amplifier, 1 to 4), ``odd_even`` (1 or 2, first or second pair in the order
        of read-out) and ``mask``, whose bits are the blocks from left to right

    Yields
    ------
    columns of one line of the table, both reads of each pair
    """
    for line in zip(*(table[name] for name in LISTED), strict=True):
        output, pair, mask = map(int, line)
        second = (pair == 2) != (output % 2 == 0)  # even outputs are read backwards
        start = output * SECTOR + FIRST + (BLOCK // 2 if second else 0)
        blocks = [block for block in range(32) if mask >> block & 1]
        yield [start + PERIOD * block + read for block in blocks for read in (0, 1)]
