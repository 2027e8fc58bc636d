"""From what was measured to the figures that are told: ratios, slopes, times the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Record = Mapping[str, Any]


def line(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """Fit a straight line by least squares.

    Returns
    -------
    cost of one more, cost of none
    """
    slope, start = np.polyfit(sizes, costs, 1)
    return float(slope), float(start)


def ratio(theirs: float | None, ours: float | None) -> str:
    """Say how many times less we take; nothing where one is missing."""
    if not theirs or not ours:
        return ""
    times = theirs / ours
    return f"{times:.1f}" if times < 99.95 else f"{times:.0f}"


def seconds(value: float | None) -> str:
    """Write a time with three digits."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def parts(record: Record) -> dict[str, float]:
    """Give the processor time of each part of a run; ``rest`` is what no part holds."""
    named = {name: cpu for name, cpu in record["parts"].items() if name != "rest"}
    return {**named, "rest": record["cpu"] - sum(named.values())}


def last(program: Record | None) -> Record | None:
    """Give the record of the last run in a process; None if there is none."""
    return program["runs"][-1] if program and program["runs"] else None
