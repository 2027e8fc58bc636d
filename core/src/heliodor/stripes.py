"""Stripes: arrays made of lines from several places of a detector.

A line is what is read while the slow axis stands still: a row of the array, or a column, as
SLOWAXIS says.  A frame begins with MSTR_RD1 lines at the subarray's start, skips MSTR_SK1, and
reads MSTR_RD2; stripes of MSTR_RD2 lines follow, each MSTR_SK2 lines after the one before
(MSTR_RPT = 0), or each after a return to the start (MSTR_RPT = 1): then to the same lines again, or
to the next ones (MSTR_ILV = 1).  Superstripes move on by SSTR_STP lines from one integration to the
next, and begin anew after SSTR_NST of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from heliodor.declare import Layout
from heliodor.errors import ExposureError

KEYWORDS = (
    "MSTR_RD1", "MSTR_SK1", "MSTR_RD2", "MSTR_SK2", "MSTR_RPT", "MSTR_ILV", "SSTR_STP", "SSTR_NST",
)  # fmt: skip
"""What describes stripes in a header; gone when they have been joined."""


@dataclass(frozen=True, slots=True)
class Stripes:
    """Which lines of the detector the lines of an array are.

    Attributes
    ----------
    axis : of the array, along which its lines follow each other: -2 or -1
    lines : (nstripes, n) int64, lines of the detector, counted from 0 along the same axis of its
        whole image; one row if all integrations read the same
    repeats : (n,) int64, number of the stripe in its frame that a line belongs to, from 0; -1 for
        the lines that are read first each time, reference pixels as a rule
    superstripes : the integrations take turns with `lines`; PIXELDQ has one plane for each
    extent : the first line and the number of lines of an array that superstripes are joined to
    """

    axis: int
    lines: np.ndarray
    repeats: np.ndarray
    superstripes: bool
    extent: tuple[int, int]

    @classmethod
    def of(cls, keywords: Mapping[str, Any], layout: Layout | None = None) -> Stripes | None:
        """Find the stripes of an exposure by its keywords.

        Parameters
        ----------
        keywords : of the exposure
        layout : of its mode, where it says anything particular

        Returns
        -------
        None if its array is one piece of the detector (no MSTR_RD1)

        Raises
        ------
        heliodor.errors.ExposureError
            Keywords are missing, or contradict each other.
        """
        if keywords.get("MSTR_RD1") is None:
            return None
        layout = layout or Layout()
        value = {name: _whole_number(keywords, name) for name in (*KEYWORDS, "SLOWAXIS")}
        slow = value["SLOWAXIS"]
        if abs(slow) not in (1, 2):
            raise ExposureError(f"SLOWAXIS = {slow} is none of 1, -1, 2, -2.")
        full = layout.full[abs(slow) - 1]
        length, start = (_whole_number(keywords, f"{n}{abs(slow)}") for n in ("SUBSIZE", "SUBSTRT"))
        # along a mirrored axis early files say 1 for what is read first
        first = start - 1 if slow > 0 or start == 1 else full - start
        if keywords.get("SUBARRAY") in layout.striped_from_edge:
            first = 0

        repeats = _repeats(value, length)
        number = max(value["SSTR_NST"], 1)
        lines = first + np.array([_lines(value, repeats, stripe) for stripe in range(number)])
        if lines.min() < 0 or lines.max() >= full:
            raise ExposureError(
                f"Its stripes reach from line {lines.min()} to {lines.max()} of a detector of "
                f"{full} (SUBSTRT{abs(slow)} = {start}, MSTR_* and SSTR_*)."
            )
        if slow < 0:
            lines, repeats = full - 1 - lines[:, ::-1], repeats[::-1]
        extent = (0, full)
        if keywords.get("SUBARRAY") not in layout.joined_to_full:
            held = lines[:, repeats >= 0]
            extent = (int(held.min()), int(np.ptp(held)) + 1)
        return cls(-abs(slow), lines, repeats, value["SSTR_NST"] > 0, extent)

    def planes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape of what is one image for ordinary exposures of `shape` (ny, nx)."""
        return (len(self.lines), *shape) if self.superstripes else shape

    def index(self) -> np.ndarray:
        """Give `lines` as an index along `axis`: (n,), or (nstripes, n) for superstripes."""
        return self.lines if self.superstripes else self.lines[0]


def _whole_number(keywords: Mapping[str, Any], name: str) -> int:
    value = keywords.get(name)
    if not isinstance(value, int):
        raise ExposureError(f"Stripes (MSTR_RD1) need a whole number in {name}, not {value!r}.")
    return int(value)


def _width(value: Mapping[str, int]) -> int:
    """Lines of a stripe; superstripes may leave them to their step."""
    return value["MSTR_RD2"] or (value["SSTR_STP"] if value["SSTR_NST"] > 0 else 0)


def _repeats(value: Mapping[str, int], length: int) -> np.ndarray:
    """Tell lines of each stripe of a frame from those that are read first, in order of time."""
    head, width = value["MSTR_RD1"], _width(value)
    if width <= 0 or head < 0:
        raise ExposureError(f"MSTR_RD1 = {head} and MSTR_RD2 = {width} lines cannot be read.")
    again = head if value["MSTR_RPT"] else 0
    number, rest = divmod(length - head - width, again + width)
    if rest or number < 0:
        raise ExposureError(
            f"An array of {length} lines is not made of stripes of {width} with {head} before them."
        )
    kinds = [np.full(head, -1), np.full(width, 0)]
    for repeat in range(1, number + 1):
        kinds += [np.full(again, -1), np.full(width, repeat)]
    return np.concatenate(kinds)


def _lines(value: Mapping[str, int], repeats: np.ndarray, stripe: int) -> np.ndarray:
    """Give the lines of a frame, counted from the first, in order of time."""
    lines = np.arange(repeats.size)
    head, width = value["MSTR_RD1"], _width(value)
    same = value["MSTR_RPT"] and not value["MSTR_ILV"]
    first = head + value["MSTR_SK1"] + value["SSTR_STP"] * stripe
    for repeat in range(-1, int(repeats.max()) + 1):
        chosen = repeats == repeat
        if repeat < 0:
            lines[chosen] = np.arange(chosen.sum()) % max(head, 1)
        else:
            begin = first if same else first + repeat * (width + value["MSTR_SK2"])
            lines[chosen] = begin + np.arange(width)
    return lines
