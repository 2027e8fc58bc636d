"""Snowballs: large round hits, with more around them than stands out in single pixels."""

from __future__ import annotations

import numpy as np
from heliodor.bits import JUMP_DET, SATURATED

from heliodor_detector.steps.jump.ellipses import (
    Cover,
    Regions,
    contain,
    cover,
    cover_widened,
)
from heliodor_detector.steps.jump.params import JumpParams


def flag_snowballs(groupdq: np.ndarray, params: JumpParams) -> tuple[int, list[Cover]]:
    """Find the snowballs of one integration; make them and their saturated cores larger.

    Parameters
    ----------
    groupdq : (ngroups, ny, nx) uint8; changed in place
    params : of jump

    Returns
    -------
    number of snowballs, and what their large saturated cores covered before they grew
    """
    shape = groupdq.shape[1:]
    count = 0
    cores: list[Cover] = []
    following = None
    for group in range(1, len(groupdq)):
        jumps = Regions(groupdq[group] & np.uint8(JUMP_DET), params.min_jump_area)
        wanted = np.ones(len(jumps.ellipses), bool)
        if params.sat_required_snowball:
            now = following or new_cores(groupdq, group, params)
            following = new_cores(groupdq, group + 1, params)
            as_jwst = params.large_events_as_jwst
            edges = (shape[0], shape[0]) if as_jwst else shape
            wanted = near_edge(jumps.ellipses, params.edge_size, edges)
            wanted |= contain(jumps.ellipses, now.ellipses, exchanged=as_jwst)
            wanted |= contain(jumps.ellipses, following.ellipses, exchanged=as_jwst)
            large = now.ellipses["minor"] > params.min_sat_radius_extend
            for core in now.to_draw(large):
                cores.append(cover(core, core["major"], core["minor"], shape))
                widen_core(groupdq[group:], core, params)
            if large.any():
                following = None  # some of it may be saturated by now
        for snowball in jumps.to_draw(wanted):
            rows, columns, inside = cover_widened(
                snowball, params.expand_factor, params.max_extended_radius, shape
            )
            flags = groupdq[group, rows, columns]
            flags[inside & (flags & SATURATED == 0)] |= np.uint8(JUMP_DET)
        count += int(np.count_nonzero(wanted))
    return count, cores


def new_cores(groupdq: np.ndarray, group: int, params: JumpParams) -> Regions:
    """Find what is saturated first in this group; nothing is, after the last one."""
    last = min(group, len(groupdq) - 1)
    new = groupdq[last] & ~groupdq[group - 1] & np.uint8(SATURATED)
    return Regions(new, params.min_sat_area)


def near_edge(ellipses: np.ndarray, distance: float, shape: tuple[int, ...]) -> np.ndarray:
    """Say which ellipses have their centre close to an edge: their core may lie beyond it."""
    near = np.zeros(len(ellipses), bool)
    for axis, size in zip("yx", shape, strict=True):
        near |= (ellipses[axis] < distance) | (ellipses[axis] > max(0, size - distance))
    return near


def widen_core(groupdq: np.ndarray, core: np.void, params: JumpParams) -> None:
    """Saturate a core and a ring around it to the end of the ramp; no other flag matters there."""
    major, minor = (
        min(core[axis] + 2 * params.sat_expand, 2 * params.max_extended_radius)
        for axis in ("major", "minor")
    )
    rows, columns, inside = cover(core, major, minor, groupdq.shape[1:])
    groupdq[:, rows, columns][:, inside] = SATURATED


def mask_cores(groupdq: np.ndarray, cores: list[Cover], ngroups: int) -> None:
    """Flag the cores of an integration in the first `ngroups` groups of the next.

    The first group stays as it is: nothing is compared with it.
    """
    for rows, columns, inside in cores:
        groupdq[1:ngroups, rows, columns][:, inside] |= np.uint8(JUMP_DET)
