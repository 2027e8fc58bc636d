"""How well slopes recover the truth that an exposure was simulated from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from heliodor.bits import PIXEL
from scipy import ndimage

from heliodor_simulate.ramps import NEVER

EDGES = (0.0, 1.0, 10.0, 100.0, 1000.0)
"""Limits of the bins of signal [DN/s]."""

CLEAR = 8.0
"""Charge of a particle that has to be found, in sigma of the difference of two groups."""

USELESS = PIXEL["DO_NOT_USE"]
JUMP = PIXEL["JUMP_DET"]
FULL = PIXEL["SATURATED"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Bin:
    """Pulls, (slope - truth) / error, of pixels with a signal between two limits.

    Attributes
    ----------
    low, high : limits of the true signal [DN/s]
    number : of pixels
    median : of their pulls, 0 if slopes have no bias
    width : of their pulls, 1 if errors are right: 1.4826 times the median distance from the
        median, which is sigma for a normal distribution
    beyond : part of the pixels whose pull is greater than 5
    """

    low: float
    high: float
    number: int
    median: float
    width: float
    beyond: float


@dataclass(frozen=True)
class Found:
    """Things to be flagged.

    Attributes
    ----------
    number : of pixels that have them
    caught : part of these that are flagged
    clean : pixels that have none, nor does a neighbour
    false : part of these that are flagged
    """

    number: int
    caught: float
    clean: int
    false: float


def read_truth(path: str | Path) -> dict[str, np.ndarray]:
    """Read the truth of an exposure into memory, see `heliodor_simulate.exposure.write_truth`."""
    with np.load(path) as file:
        return dict(file)


def true_slope(truth: Arrays) -> np.ndarray:
    """Give the slope to be found, (ny, nx) [DN/s]: light alone, dark current subtracted."""
    return truth["rate_e"] * truth["flat"] / truth["gain"]


def pulls(slope: np.ndarray, error: np.ndarray, dq: np.ndarray, truth: Arrays) -> np.ndarray:
    """Compare slopes with the truth, in units of their errors.

    Parameters
    ----------
    slope, error : (ny, nx) [DN/s]
    dq : (ny, nx) uint32
    truth : of the exposure

    Returns
    -------
    (ny, nx) float64; NaN for reference pixels and those flagged as not usable
    """
    usable = (dq & USELESS == 0) & ~truth["refpix"] & (error > 0)
    found = np.full(slope.shape, np.nan)
    np.divide(slope - true_slope(truth).astype(float), error, out=found, where=usable)
    return found


def by_signal(
    found: np.ndarray, truth: Arrays, edges: tuple[float, ...] = EDGES, fewest: int = 50
) -> list[Bin]:
    """Describe pulls in bins of the true signal.

    Parameters
    ----------
    found : (ny, nx) of `pulls`; NaN does not count
    truth : of the exposure
    edges : of the bins [DN/s]
    fewest : pixels of a bin that says anything
    """
    signal = true_slope(truth)
    bins = []
    for low, high in pairwise(edges):
        here = found[(signal >= low) & (signal < high) & np.isfinite(found)]
        if here.size < fewest:
            continue
        median = float(np.median(here))
        width = 1.4826 * float(np.median(np.abs(here - median)))
        beyond = float((np.abs(here) > 5).mean())
        bins.append(Bin(low, high, here.size, median, width, beyond))
    return bins


def jumps(dq: np.ndarray, truth: Arrays, clear: float = CLEAR) -> Found:
    """Tell whether particles were found, and flags set without one.

    A ramp counts as hit if a particle adds at least `clear` sigma to one of its differences
    between groups, before it saturates; and as clean if none left charge within two pixels.

    Parameters
    ----------
    dq : (nints, ny, nx) uint32, of each integration
    truth : of the exposure
    clear : in sigma of a difference, from photon and read noise
    """
    strongest = _strongest_steps(truth)
    mode = json.loads(str(truth["mode"]))
    read_noise = truth["readnoise"] * truth["gain"]
    photons = (truth["rate_e"] * truth["flat"] + truth["dark"]) * mode["tgroup"]
    sigma = np.sqrt(2 * read_noise**2 / mode["nframes"] + photons)
    usable = (dq & USELESS == 0) & ~truth["refpix"]
    hit = usable & (strongest > clear * sigma)
    return _found(dq & JUMP != 0, hit, usable & ~_near_particles(dq.shape, truth))


def snowballs(dq: np.ndarray, truth: Arrays) -> Found:
    """Tell how much of snowballs is flagged, faint outskirts and all, and how much of the rest.

    Pixels count in which a snowball left any charge, and as clean those that no particle came
    near.  Snowballs that come before the second group do not count.

    Parameters
    ----------
    dq : (nints, ny, nx) uint32, of each integration
    truth : of the exposure
    """
    start, stop = groups_used(json.loads(str(truth["mode"])))
    usable = (dq & USELESS == 0) & ~truth["refpix"]
    inside = np.zeros(dq.shape, bool)
    y, x = np.mgrid[: dq.shape[1], : dq.shape[2]]
    for ball in truth["events"][truth["events"]["radius"] > 0]:
        if start < ball["group"] < stop:
            distance = np.hypot(y - int(ball["y"]), x - int(ball["x"]))
            inside[ball["integ"]] |= distance < 4 * ball["radius"]
    flagged = dq & (JUMP | FULL) != 0
    return _found(flagged, usable & inside, usable & ~_near_particles(dq.shape, truth))


def _near_particles(shape: tuple[int, ...], truth: Arrays) -> np.ndarray:
    """Find pixels in which particles left charge, and those within two pixels of one."""
    touched = np.zeros(shape, bool)
    hits = truth["hits"]
    touched[hits["integ"], hits["y"], hits["x"]] = True
    around = ndimage.generate_binary_structure(2, 1)
    near: np.ndarray = ndimage.binary_dilation(touched, around[None], iterations=2)
    return near


def saturation(dq: np.ndarray, truth: Arrays) -> Found:
    """Tell whether saturated ramps were flagged, and others were not.

    Parameters
    ----------
    dq : (nints, ny, nx) uint32, of each integration
    truth : of the exposure
    """
    full = truth["first_saturated_group"] != NEVER
    checked = (truth["mask"] & PIXEL["NO_SAT_CHECK"] == 0) & ~truth["refpix"]
    near = ndimage.binary_dilation(full, np.ones((1, 3, 3), bool))
    return _found(dq & FULL != 0, full & checked, checked & ~near)


def groups_used(mode: Mapping[str, Any]) -> tuple[int, int]:
    """Give the first group that slopes are fitted to, and the one after the last."""
    start, stop = mode.get("groups_used", (0, mode["ngroups"]))
    return start, stop


def _found(flagged: np.ndarray, true: np.ndarray, clean: np.ndarray) -> Found:
    return Found(
        number=int(true.sum()),
        caught=float(flagged[true].mean()) if true.any() else np.nan,
        clean=int(clean.sum()),
        false=float(flagged[clean].mean()) if clean.any() else np.nan,
    )


def _strongest_steps(truth: Arrays) -> np.ndarray:
    """Give the largest step that particles make in each ramp, (nints, ny, nx) [electron].

    Where frames are averaged, a particle that arrives between them makes two smaller steps.
    """
    mode = json.loads(str(truth["mode"]))
    nframes, ngroups = mode["nframes"], mode["ngroups"]
    hits, first_full = truth["hits"], truth["first_saturated_group"]
    steps = np.zeros((ngroups, *first_full.shape), np.float32)
    ramp = (hits["integ"], hits["y"], hits["x"])
    late = hits["frame"] / nframes
    np.add.at(steps, (hits["group"], *ramp), hits["electrons"] * (1 - late))
    next_group = hits["group"] + 1
    within = next_group < ngroups
    later = (next_group[within], *(index[within] for index in ramp))
    np.add.at(steps, later, (hits["electrons"] * late)[within])
    # what is there from the start is no step, nor is what comes in groups that are left out
    start, stop = groups_used(mode)
    steps[: start + 1] = steps[stop:] = 0
    # saturation takes neighbours with it
    first_full = ndimage.minimum_filter(first_full, (1, 3, 3))
    lost = np.arange(ngroups)[:, None, None, None] >= first_full
    steps[lost] = 0
    return steps.max(axis=0)
