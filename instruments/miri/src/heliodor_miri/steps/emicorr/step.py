"""Remove electromagnetic interference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
from heliodor.data import Ramp
from heliodor.errors import NotYetError
from heliodor.step import Piece, References, Skipped, Step

from heliodor_miri.steps.emicorr.fit import Fitter
from heliodor_miri.steps.emicorr.kernel import measure_spread, subtract_wave, sum_by_phase
from heliodor_miri.steps.emicorr.params import EmiCorrParams
from heliodor_miri.steps.emicorr.waves import Wave, read_clock, spline

READ_PATTERNS = ("FAST", "FASTR1", "SLOW", "SLOWR1")
FEWEST = 3
QUIET = 2
"""Pixels take part with less than this many times the median spread of all."""

BAD_COLUMNS = slice(1, 3)
"""Quartets of columns whose values are not to be trusted, at the left."""


class EmiCorr(Step[EmiCorrParams]):
    """Fit waves of known shape and frequency to all quiet ramps, and subtract them one by one."""

    Params = EmiCorrParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Look up the read-out and the waves that disturb it."""
        params, keywords = self.params, ramp.keywords
        if params.user_supplied_reffile is not None:
            raise NotYetError("emicorr: name user_supplied_reffile as the reference emicorr")
        if params.algorithm == "sequential" or params.onthefly_corr_freq is not None:
            raise NotYetError(
                "emicorr: the sequential algorithm is not there yet, and with it "
                "onthefly_corr_freq; set algorithm=joint and give a reference file"
            )
        pattern = str(keywords.get("READPATT", "")).upper()
        if pattern not in READ_PATTERNS:
            return Skipped(f"READPATT {pattern} is not corrected")
        if "emicorr" not in refs:
            return Skipped("there is no emicorr reference file for this exposure")
        if ramp.shape[1] < FEWEST:
            return Skipped(f"fewer than {FEWEST} groups")
        clock = read_clock(refs["emicorr"], keywords)
        if clock is None:
            return Skipped("the emicorr reference knows no waves for this read-out")
        self.clock = clock
        self.nsamples = int(keywords.get("NSAMPLES") or 1)
        # these patterns reset the detector once more between integrations
        self.pause = clock.frame if pattern.endswith("R1") else 0
        return None

    def clean(self, ramp: Ramp, piece: Piece) -> None:
        """Fit and subtract one wave after the other."""
        for wave in self.clock.waves:
            self._clean(ramp, wave)

    def _clean(self, ramp: Ramp, wave: Wave) -> None:
        nints, ngroups, ny, nx = ramp.shape
        phase = self.clock.times((ny, nx), self.nsamples) / wave.period % 1
        group_phase = self.clock.frame_time(ny) / wave.period % 1
        lag = group_phase * ngroups + self.pause / wave.period
        curve = spline(wave.shape)
        groups = list(product(range(nints), range(ngroups)))

        sums, counts = self._sums(ramp, (phase * wave.shape.size).astype(np.int32), wave, groups)
        fitter = Fitter.of(sums, counts, curve, group_phase, lag)
        everything = np.arange(nints)
        if self.params.fit_ints_separately:
            found = [fitter.best(everything[i : i + 1]) for i in range(nints)]
        else:
            found = [fitter.best(everything)] * nints
        for start, amplitude in dict.fromkeys(found):
            self.log.info("%s: amplitude %.4g, phase %.4f", wave.name, amplitude, start % 1)

        def subtract(integration: int, group: int) -> None:
            start, amplitude = found[integration]
            start = (start + integration * lag) % 1
            subtract_wave(
                ramp.data, curve, phase, group_phase, start, amplitude, integration, group
            )

        self._each(subtract, groups)

    def _sums(
        self, ramp: Ramp, bins: np.ndarray, wave: Wave, groups: list[tuple[int, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sum the quiet pixels of each group by phase."""
        nints, ngroups, ny, _ = ramp.shape
        spread = self.notes.spread
        strips = [(i, y, min(y + 64, ny)) for i in range(nints) for y in range(0, ny, 64)]
        self._each(lambda *rows: measure_spread(ramp.data, spread, *rows), strips)
        limit = QUIET * np.median(spread)
        bins[:, BAD_COLUMNS] = -1
        sums = np.zeros((nints, ngroups, wave.shape.size))
        counts = np.zeros((nints, wave.shape.size), np.int64)
        self._each(
            lambda *which: sum_by_phase(
                ramp.data, spread, limit, ramp.pixeldq, bins, sums, counts, *which
            ),
            groups,
        )
        return sums, counts

    def _each(self, function: Callable[..., Any], items: Iterable[tuple[int, ...]]) -> None:
        """Call a function for each item, in threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(lambda item: function(*item), items))
