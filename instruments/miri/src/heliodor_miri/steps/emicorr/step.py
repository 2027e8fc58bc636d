"""Remove electromagnetic interference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
from heliodor.data import Ramp
from heliodor.errors import NotYetError
from heliodor.references.files import Reference
from heliodor.step import Piece, References, Skipped, Step

from heliodor_miri.detector import SIZE
from heliodor_miri.steps.emicorr import sequential
from heliodor_miri.steps.emicorr.fit import Fitter
from heliodor_miri.steps.emicorr.kernel import measure_spread, subtract_wave, sum_by_phase
from heliodor_miri.steps.emicorr.params import EmiCorrParams
from heliodor_miri.steps.emicorr.phased import subtract_table
from heliodor_miri.steps.emicorr.waves import Clock, Wave, spline

READ_PATTERNS = ("FAST", "FASTR1", "SLOW", "SLOWR1")
FEWEST = 3
QUIET = 2
"""Pixels take part with less than this many times the median spread of all."""

BAD_COLUMNS = slice(1, 3)
"""Quartets of columns whose values are not to be trusted, at the left."""


LATE = 3
"""Samples by which the last pixels of a row are read later, if they are reference pixels."""

VERY_LATE = LATE + 2**32
"""The same in operations."""


class EmiCorr(Step[EmiCorrParams]):
    """Find waves of known frequency in all ramps, and subtract them one by one."""

    Params = EmiCorrParams

    def prepare(self, ramp: Ramp, refs: References) -> Skipped | None:
        """Look up the read-out and the waves that disturb it."""
        params, keywords = self.params, ramp.keywords
        from_data = params.onthefly_corr_freq is not None
        if from_data and params.save_intermediate_results:
            raise NotYetError("emicorr: waves found in the data cannot be saved yet")
        pattern = str(keywords.get("READPATT", "")).upper()
        if pattern not in READ_PATTERNS:
            return Skipped(f"READPATT {pattern} is not corrected")
        self.sequential = from_data or params.algorithm == "sequential"
        fewest = FEWEST + self.sequential
        if ramp.shape[1] < fewest:
            return Skipped(f"fewer than {fewest} groups")
        if params.onthefly_corr_freq is not None:
            clock = Clock.without_reference(params.onthefly_corr_freq, keywords)
        else:
            path, reference = params.user_supplied_reffile, refs.get("emicorr")
            if path is not None:
                reference = Reference("emicorr", path, keywords, ramp.shape[-2:])
            if reference is None:
                return Skipped("there is no emicorr reference file for this exposure")
            clock = Clock.of(reference.tree(), keywords)
        if clock is None:
            return Skipped("no waves are known for this read-out")
        self.clock = clock
        self.nsamples = int(keywords.get("NSAMPLES") or 1)
        # these patterns reset the detector once more between integrations
        self.pause = clock.frame if pattern.endswith("R1") else 0
        return None

    def clean(self, ramp: Ramp, piece: Piece) -> None:
        """Fit and subtract one wave after the other."""
        for wave in self.clock.waves:
            if self.sequential:
                self._clean_in_turn(ramp, wave)
            else:
                self._clean(ramp, wave)

    def _clean_in_turn(self, ramp: Ramp, wave: Wave) -> None:
        """Find the wave in what straight ramps leave."""
        nints, ngroups, ny, nx = ramp.shape
        params = self.params
        times = self.clock.times((ny, nx), self.nsamples)
        if int(ramp.keywords.get("SUBSTRT1") or 1) - 1 + nx == SIZE[1]:
            times[:, -1] += VERY_LATE if params.late_last_column else LATE
        frame = self.clock.frame_time(ny)
        starts = np.arange(nints)[:, np.newaxis] * (ngroups * frame + self.pause)
        starts = starts + np.arange(ngroups) * frame

        enough = params.nints_to_phase or nints
        if params.nints_to_phase is None and params.use_n_cycles is not None:
            enough = math.ceil(params.use_n_cycles * wave.period / (self.clock.frame * ngroups))
        rest = sequential.leave_out_ramps(ramp.data[:enough], self._each)
        nbins = params.nbins or int(wave.period / 2)
        nbins = nbins if nbins <= sequential.MOST_BINS else sequential.MOST_BINS - 1
        seen = sequential.wave_seen(rest, times, starts, wave.period, nbins, self._each)
        if not np.isfinite(seen).all():
            self.log.warning("%s: some phases are never read; it is not corrected", wave.name)
            return
        if wave.shape.size:
            table = sequential.matched(seen, wave.shape, wave.period, params.scale_reference)
        else:
            table = sequential.resampled(seen, wave.period)
        self._each(
            lambda i, g: subtract_table(ramp.data, times, starts[i, g], wave.period, table, i, g),
            product(range(nints), range(ngroups)),
        )

    def _clean(self, ramp: Ramp, wave: Wave) -> None:
        """Fit the wave together with the ramps."""
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

    def _each(self, function: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Call a function for each item, in threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda item: function(*item), items))
