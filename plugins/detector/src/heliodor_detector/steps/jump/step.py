"""Find jumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from heliodor.bits import DO_NOT_USE, NO_GAIN_VALUE
from heliodor.data import Keywords, Ramp
from heliodor.errors import ExposureError
from heliodor.step import Piece, References, Skipped, Step

from heliodor_detector.medians import sorting_network
from heliodor_detector.steps.jump.differences import list_pairs, usual_groups
from heliodor_detector.steps.jump.params import JumpParams
from heliodor_detector.steps.jump.spread import (
    count_jumps,
    drop_redundant,
    flag_after,
    flag_neighbours,
    note_medians,
)

if TYPE_CHECKING:
    from heliodor_detector.steps.jump.ellipses import Cover
    from heliodor_detector.steps.jump.showers import Showers


class Jump(Step[JumpParams]):
    """Flag jumps, their neighbours, groups after large ones, snowballs, and showers.

    Kernels of what is not asked for are not loaded: they would have to be compiled first.

    Attributes
    ----------
    method : ``clip``, ``single pass``, ``iterative`` or ``none``, chosen for the whole exposure
    """

    Params = JumpParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Read gain and read noise, choose the method, make its tables."""
        params = self.params
        nints, ngroups, _, _ = ramp.shape
        if ngroups <= 2:
            return Skipped("jumps cannot be detected when NGROUPS <= 2")

        self.gain = refs["gain"].plane("SCI")
        self.readnoise = refs["readnoise"].plane("SCI")
        self.nframes = number(ramp.keywords, "NFRAMES")
        self.group_time = number(ramp.keywords, "TGROUP")
        bad_gain = (self.gain <= 0.0) | np.isnan(self.gain)
        ramp.pixeldq[bad_gain] |= np.uint32(NO_GAIN_VALUE | DO_NOT_USE)

        usable = ~ramp.unusable_groups()
        self.usable_groups = int(usable.sum())
        self.method = choose_method(params, usable)
        if self.method == "none":
            self.log.warning("jumps are not looked for: fewer usable groups than minimum_groups")
        self.thresholds = np.array(
            [
                params.three_group_rejection_threshold,
                params.four_group_rejection_threshold,
                params.rejection_threshold,
            ]
        )
        self.pairs = list_pairs(usable)
        self.usual = usual_groups(ramp.groupdq)
        self.heights, self.lengths = self._after_jumps(ramp)
        self.cores: list[list[Cover]] = [[] for _ in range(nints)]
        self.shower_finder = self._showers(ramp) if params.find_showers else None
        self.idle = self._idle_phases()
        return None

    def _idle_phases(self) -> tuple[str, ...]:
        params = self.params
        needed = {
            "detect": self.method != "none",
            "prolong": self.heights.size > 0,
            "snowballs": params.expand_large_events,
            "repeat_cores": params.expand_large_events and params.mask_snowball_core_next_int,
            "measure": self.shower_finder is not None,
            "search": self.shower_finder is not None,
            "showers": self.shower_finder is not None,
        }
        return tuple(name for name, is_needed in needed.items() if not is_needed)

    def _showers(self, ramp: Ramp) -> Showers | None:
        """Make what finds showers, unless there is too little to find them in."""
        from heliodor_detector.steps.jump.showers import FEWEST_DIFFERENCES, Showers

        if self.usable_groups - len(ramp.data) < FEWEST_DIFFERENCES:
            self.log.warning("showers are not looked for: fewer than 10 usable differences")
            return None
        return Showers(ramp, self.params, self.gain, self.readnoise, self.nframes, self.group_time)

    def _after_jumps(self, ramp: Ramp) -> tuple[np.ndarray, np.ndarray]:
        """Smallest heights [e-] of jumps with flags after them, and their numbers of groups."""
        params = self.params
        times = (params.after_jump_flag_time1, params.after_jump_flag_time2)
        heights = (params.after_jump_flag_dn1, params.after_jump_flag_dn2)
        lengths = np.array([int(time // self.group_time) for time in times], np.int64)
        if self.method == "none" or not lengths.any():
            return np.empty(0), np.empty(0, np.int64)
        # of the whole array, and in its precision, so that rows do not matter
        known = self.gain[~np.isnan(self.gain)]
        gain = np.median(known) if known.size else np.float32(np.nan)
        return np.array([height * gain for height in heights], np.float64), lengths

    def detect(self, ramp: Ramp, piece: Piece) -> None:
        """Find the jumps of some rows."""
        ngroups = ramp.shape[1]
        rows = (piece.row_start, piece.row_stop)
        if self.method == "clip":
            from heliodor_detector.steps.jump.clipping import flag_clipped

            together = 1 if self.params.only_use_ints else ngroups - 1
            for first in range(1, ngroups, together):
                last = first + together
                groups = self.pairs[:, 1]
                pairs = self.pairs[(first <= groups) & (groups < last)]
                flag_clipped(
                    ramp.data,
                    ramp.groupdq,
                    self.gain,
                    self.params.rejection_threshold,
                    first,
                    last,
                    self.usual,
                    pairs,
                    sorting_network(len(pairs)),
                    *rows,
                )
        else:
            from heliodor_detector.steps.jump.outliers import flag_outliers

            flag_outliers(
                ramp.data,
                ramp.groupdq,
                self.gain,
                self.readnoise,
                self.nframes,
                self.thresholds,
                self.method == "iterative",
                self.usual,
                self.pairs,
                sorting_network(len(self.pairs)),
                *rows,
            )
        if self.params.flag_4_neighbors:
            self._note_medians(ramp, piece)

    def spread(self, ramp: Ramp, piece: Piece) -> None:
        """Count the jumps of one integration, flag their neighbours, put flags in order."""
        if self.method != "none":
            self.notes.jumps[piece.integration] = count_jumps(
                ramp.groupdq, self.method == "clip", piece.integration
            )
            if self.params.flag_4_neighbors:
                flag_neighbours(
                    ramp.data,
                    ramp.groupdq,
                    self.gain,
                    self.readnoise,
                    self.nframes,
                    self.notes.median,
                    self.params.min_jump_to_flag_neighbors,
                    self.params.max_jump_to_flag_neighbors,
                    piece.integration,
                )
        drop_redundant(ramp.groupdq, piece.integration)

    def prolong(self, ramp: Ramp, piece: Piece) -> None:
        """Flag groups after large jumps in some rows."""
        self._note_medians(ramp, piece)
        flag_after(
            ramp.data,
            ramp.groupdq,
            self.gain,
            self.notes.median,
            self.heights,
            self.lengths,
            piece.row_start,
            piece.row_stop,
        )

    def snowballs(self, ramp: Ramp, piece: Piece) -> None:
        """Flag the snowballs of one integration, and keep their cores."""
        from heliodor_detector.steps.jump.snowballs import flag_snowballs

        number, cores = flag_snowballs(ramp.groupdq[piece.integration], self.params)
        self.notes.snowballs[piece.integration] = number
        self.cores[piece.integration] = cores

    def repeat_cores(self, ramp: Ramp, piece: Piece) -> None:
        """Flag the cores of snowballs in the integration after theirs."""
        from heliodor_detector.steps.jump.snowballs import mask_cores

        if piece.integration > 0:
            ngroups = int(self.params.snowball_time_masked_next_int // self.group_time)
            mask_cores(ramp.groupdq[piece.integration], self.cores[piece.integration - 1], ngroups)

    def measure(self, ramp: Ramp, piece: Piece) -> None:
        """Measure what differences are like in some rows, to find showers by."""
        assert self.shower_finder is not None
        self.shower_finder.measure(ramp, piece)

    def search(self, ramp: Ramp, piece: Piece) -> None:
        """Find the showers of one group."""
        assert self.shower_finder is not None
        self.shower_finder.search(ramp, piece.integration, piece.group)

    def showers(self, ramp: Ramp, piece: Piece) -> None:
        """Flag the showers of one integration."""
        assert self.shower_finder is not None
        i = piece.integration
        self.shower_finder.flag(ramp.data[i], ramp.groupdq[i], i)

    def _note_medians(self, ramp: Ramp, piece: Piece) -> None:
        note_medians(
            ramp.data,
            ramp.groupdq,
            self.gain,
            self.notes.median,
            self.pairs,
            sorting_network(len(self.pairs)),
            piece.row_start,
            piece.row_stop,
        )

    def finish(self, ramp: Ramp) -> None:
        """Write the rates of jumps, and of snowballs or showers, into the header."""
        nints, _, ny, nx = ramp.shape
        intervals = self.usable_groups - nints
        if intervals < 1:
            return
        observed = self.group_time * intervals * ny * nx
        events = self.notes.snowballs.sum() if self.params.expand_large_events else 0
        if self.params.find_showers:
            events = self.shower_finder.count() if self.shower_finder else 0
        ramp.keywords["EXTNCRS"] = 1e6 * int(events) / observed
        if self.method != "none":
            ramp.keywords["PRIMECRS"] = 1e3 * int(self.notes.jumps.sum()) / observed


def choose_method(params: JumpParams, usable: np.ndarray) -> str:
    """Choose how jumps are found.

    Parameters
    ----------
    params : of the step
    usable : (nints, ngroups) bool, groups that are usable in at least one pixel

    Returns
    -------
    ``clip`` if there are enough integrations (or groups) for their scatter to be known, else
    ``single pass`` if there are enough differences, ``iterative`` if there are few of them, and
    ``none`` if there are too few
    """
    nints = usable.shape[0]
    compared = nints if params.only_use_ints else int(usable.sum())
    if compared >= params.minimum_sigclip_groups:
        return "clip"
    fewest = int(usable.sum(axis=1).min())
    if fewest < params.minimum_groups:
        return "none"
    return "single pass" if fewest - 1 >= params.min_diffs_single_pass else "iterative"


def number(keywords: Keywords, name: str) -> float:
    """Give a keyword that must be there and positive."""
    value = keywords.get(name)
    if not isinstance(value, int | float) or not value > 0:
        raise ExposureError(f"jump: the exposure needs a positive keyword {name}, not {value!r}.")
    return float(value)
