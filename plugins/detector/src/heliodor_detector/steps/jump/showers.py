"""Showers: faint extended hits of the mid-infrared detectors, seen only in smoothed images."""

from __future__ import annotations

import warnings

import numpy as np
from heliodor.bits import DO_NOT_USE, JUMP_DET, REFERENCE_PIXEL, SATURATED
from heliodor.data import Ramp
from heliodor.step import Piece

from heliodor_detector.medians import sorting_network
from heliodor_detector.steps.jump.ellipses import Regions, cover_widened
from heliodor_detector.steps.jump.emission import (
    FLAGGED,
    find_emission,
    measure_levels,
    undo_large,
)
from heliodor_detector.steps.jump.params import JumpParams

FEWEST_DIFFERENCES = 10
"""With fewer of them in an exposure, showers are not looked for."""

CLIPPING = 5.0
"""Differences of many integrations are clipped at this many standard deviations."""


OPERATIONAL_AMPLITUDE = 6.0
"""What operations take for `max_shower_amplitude`, whatever it says [e-/s]."""


class Showers:
    """Finds and flags the showers of an exposure, in the phases of the step.

    Parameters
    ----------
    ramp : after jumps have been flagged, or before
    params : of jump
    gain, readnoise : (ny, nx) float32 [e-/DN] and [DN]
    nframes : frames averaged in a group
    group_time : [s]

    Attributes
    ----------
    found : ellipses by group, for every integration
    """

    def __init__(
        self,
        ramp: Ramp,
        params: JumpParams,
        gain: np.ndarray,
        readnoise: np.ndarray,
        nframes: float,
        group_time: float,
    ):
        nints, ngroups, ny, nx = ramp.shape
        self.params, self.gain, self.readnoise = params, gain, readnoise
        self.nframes, self.group_time = nframes, group_time
        # as in operations, reference pixels count as such only if they have no other flag
        self.science = ramp.pixeldq != REFERENCE_PIXEL
        self.left_out = (ramp.pixeldq & FLAGGED != 0) | ~self.science
        self.first_usable = [self._first_usable(groupdq) for groupdq in ramp.groupdq]
        self.clipped = nints >= params.minimum_sigclip_groups
        levels = ngroups - 1 if self.clipped else 1
        self.level = np.empty((levels, ny, nx), np.float32)
        self.noise = np.empty((levels, ny, nx), np.float32)
        self.ring = ring_of(params.extend_inner_radius, params.extend_outer_radius)
        self.found: list[dict[int, np.ndarray]] = [{} for _ in range(nints)]

    def _first_usable(self, groupdq: np.ndarray) -> int:
        """First group in which not every pixel is DO_NOT_USE."""
        usable = ((plane[self.science] & DO_NOT_USE == 0).any() for plane in groupdq)
        return next((group for group, any_pixel in enumerate(usable) if any_pixel), 0)

    def measure(self, ramp: Ramp, piece: Piece) -> None:
        """Measure level and scatter of the differences of some rows."""
        if self.clipped:
            rows = piece.rows
            self.level[:, rows], self.noise[:, rows] = clipped_levels(
                ramp.data[:, :, rows], ramp.groupdq[:, :, rows], self.gain[rows]
            )
            return
        nints, ngroups, _, _ = ramp.shape
        measure_levels(
            ramp.data,
            ramp.groupdq,
            self.gain,
            self.readnoise,
            self.nframes,
            self.level[0],
            self.noise[0],
            sorting_network(nints * (ngroups - 1)),
            piece.row_start,
            piece.row_stop,
        )

    def search(self, ramp: Ramp, integration: int, group: int) -> None:
        """Find the showers of one group."""
        if group <= self.first_usable[integration]:
            return
        level = group - 1 if self.clipped else 0
        emission = np.empty(self.gain.shape, np.uint8)
        find_emission(
            ramp.data,
            ramp.groupdq,
            self.left_out,
            self.gain,
            self.level[level],
            self.noise[level],
            self.ring,
            self.params.extend_snr_threshold,
            integration,
            group,
            emission,
        )
        regions = Regions(emission, self.params.extend_min_area)
        self.found[integration][group] = regions.to_draw(np.ones(len(regions.ellipses), bool))

    def flag(self, data: np.ndarray, groupdq: np.ndarray, integration: int) -> None:
        """Flag the showers of one integration and the groups after them, where it makes sense.

        Parameters
        ----------
        data, groupdq : (ngroups, ny, nx) of the integration; GROUPDQ is changed in place
        integration : index
        """
        params, shape = self.params, self.gain.shape
        after = int(params.time_masked_after_shower // self.group_time)
        touched = np.zeros(shape, bool)
        covers = []
        for group, ellipses in self.found[integration].items():
            for ellipse in ellipses:
                rows, columns, inside = cover_widened(
                    ellipse, params.extend_ellipse_expand_ratio, params.max_extended_radius, shape
                )
                inside &= self.science[rows, columns]
                touched[rows, columns] |= inside
                covers.append((groupdq[group : group + after + 1, rows, columns], inside))
        y, x = np.nonzero(touched)
        before = np.ascontiguousarray(groupdq[:, y, x].T)
        for flags, inside in covers:
            saturated = np.logical_or.accumulate(flags & SATURATED != 0, axis=0)
            flags[inside & ~saturated] |= np.uint8(JUMP_DET)
        largest = np.float32(params.max_shower_amplitude * self.group_time) * self.gain[y, x]
        if params.large_events_as_jwst:
            largest[:] = OPERATIONAL_AMPLITUDE * self.group_time
        undo_large(data, groupdq, before, y, x, self.gain, largest)

    def count(self) -> int:
        """Count all that were found."""
        return sum(len(ellipses) for groups in self.found for ellipses in groups.values())


def clipped_levels(
    data: np.ndarray, groupdq: np.ndarray, gain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measure median and scatter of every difference over many integrations, clipped.

    Parameters
    ----------
    data : (nints, ngroups, n, nx) float32 [DN], some rows
    groupdq : (nints, ngroups, n, nx) uint8
    gain : (n, nx) float32 [e-/DN]

    Returns
    -------
    level, noise : (ngroups - 1, n, nx) float32 [e-]
    """
    from astropy.stats import sigma_clipped_stats

    electrons = data * gain
    electrons[groupdq & FLAGGED != 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pixels without any difference
        _, level, noise = sigma_clipped_stats(np.diff(electrons, axis=1), sigma=CLIPPING, axis=0)
    return level, noise


def ring_of(inner: float, width: float) -> np.ndarray:
    """Give the pixels of a ring about a pixel.

    Parameters
    ----------
    inner : inner radius [pixels]
    width : of the ring [pixels]

    Returns
    -------
    (n, 2) int64 : (dy, dx)
    """
    from astropy.convolution import Ring2DKernel

    kernel = Ring2DKernel(inner, width).array
    return np.ascontiguousarray(np.argwhere(kernel > 0) - np.array(kernel.shape) // 2)
