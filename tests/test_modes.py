"""Every mode that has a detector stage is simulated, calibrated, and held against its truth."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from heliodor.plugins import registry
from heliodor_simulate import read_figures, recovery, theory

MODES = sorted(
    name for name, mode in registry().modes.items() if mode.pipelines.get(1) == "calwebb_detector1"
)
SMALL = {"size": 128, "ngroups": 12, "sky": (0.3, 150.0)}
UNSEEN = ("1/f", "coupling", "snowballs")
"""Left out: noise that is in no error, what blurs the last column, halos that fade away."""

EDGES = (0.0, 1.0, 10.0, 100.0)


class Calibrated:
    """An exposure, calibrated, with its truth."""

    def __init__(self, case, **options):
        result = heliodor.run(case.exposure, folders=case.references, **options)
        self.truth = recovery.read_truth(case.truth)
        with result["rate"] as rate, result["rateints"] as rateints:
            self.slope, self.error, self.dq = (np.array(a) for a in (rate.data, rate.err, rate.dq))
            self.slopes, self.dq_ints = np.array(rateints.data), np.array(rateints.dq)
            self.steps = rate.meta.cal_step.instance

    def bins(self):
        """Pulls by signal, of ramps that do not saturate."""
        pulls = recovery.pulls(self.slope, self.error, self.dq, self.truth)
        full = (self.truth["first_saturated_group"] != 255).any(axis=0)
        return recovery.by_signal(np.where(full, np.nan, pulls), self.truth, EDGES, fewest=2000)

    def expected(self):
        """What theory expects in the same bins."""
        known = {each.low: each for each in theory.expected(self.truth, EDGES)}
        return [(found, known[found.low]) for found in self.bins()]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_recovers_its_truth(mode, simulated):
    """Widths are known to 2 %, and the noise of reference pixels widens them by up to 4 %."""
    # windows of MIRI have no correction of amplifiers, as its subarrays
    drifts = ("amplifiers", "odd-even") if mode.startswith("miri") else ()
    done = Calibrated(simulated(mode, without=(*UNSEEN, *drifts), **SMALL))
    pairs = done.expected()
    assert len(pairs) >= 2
    for found, expected in pairs:
        assert abs(found.median) < 0.1, found
        assert -0.05 < found.width - expected.width < 0.09, (found, expected)
    rays = recovery.jumps(done.dq_ints, done.truth)
    assert rays.number > 0
    assert rays.caught >= 0.99
    assert rays.false < 0.006
    full = recovery.saturation(done.dq_ints, done.truth)
    assert full.number == 0 or full.caught == 1
    assert full.false == 0


def test_interleaved_reference_pixels_take_away_most_of_the_flicker(simulated):
    """Pulls are nearly as narrow as without it; uncorrected, they were wider by a fifth."""
    shape = {"size": 160, "ngroups": 5, "sky": (0.1, 30.0), "readpatt": "NRSIRS2RAPID"}
    without = ("coupling", "snowballs")
    done = Calibrated(simulated("nirspec-ifu", without=without, **shape)).expected()
    still = Calibrated(simulated("nirspec-ifu", without=(*without, "1/f"), **shape)).expected()
    figures = read_figures(registry().modes["nirspec-ifu"])
    assert np.hypot(1, figures.noise.flicker / figures.pixels.read_noise) > 1.2
    for (found, expected), (quiet, _) in zip(done, still, strict=True):
        assert abs(found.median) < 0.05, found
        assert quiet.width - expected.width < 0.06, quiet
        assert found.width - quiet.width < 0.05, (found, quiet)


@pytest.mark.parametrize("pattern", ["NRSIRS2RAPID", "NRSIRS2"])
def test_bad_interleaved_reference_pixels_cost_little(pattern, simulated):
    """Without it they would shift whole stripes: what is found bad is replaced (R-19)."""
    arguments = {"size": 160, "ngroups": 4, "readpatt": pattern, "detector": "NRS2",
                 "sky": (0.1, 30.0), "without": ("coupling", "snowballs")}  # fmt: skip
    good, bad = (
        Calibrated(simulated("nirspec-ifu", also=also, **arguments)).bins()[0]
        for also in ((), ("bad-reference-pixels",))
    )
    assert abs(bad.median) < 0.1
    assert bad.width < 1.03 * good.width


@pytest.mark.parametrize("mode", ["miri-imaging", "miri-mrs"])
def test_midinfrared_effects_are_corrected(mode, simulated):
    """Full frame: reference pixels, settling, and the dark of the first integration."""
    done = Calibrated(
        simulated(mode, ngroups=8, nints=2, sky=(0.5, 60.0), without=("coupling", "snowballs"))
    )
    pulls = [
        recovery.by_signal(recovery.pulls(slope, 1.0, dq, done.truth), done.truth, EDGES)
        for slope, dq in zip(done.slopes, done.dq_ints, strict=True)
    ]
    for each in (bin for integration in pulls for bin in integration):
        assert abs(each.median) < 0.05, each  # DN/s
    assert done.steps["refpix"] == "COMPLETE"


def test_interference_is_taken_away_when_asked_for(simulated):
    # the wave comes a little later from group to group: it looks like a slope
    without = (*UNSEEN, "amplifiers", "odd-even")
    arguments = {"subarray": "SUB256", "ngroups": 24, "without": without, "sky": (0.5, 60.0)}
    case = simulated("miri-imaging", also=("interference",), **arguments)
    quiet = Calibrated(simulated("miri-imaging", **arguments)).bins()[0]
    left = Calibrated(case).bins()[0]
    taken = Calibrated(case, parameters={"emicorr.skip": False}).bins()[0]
    assert left.width > 1.08 * quiet.width
    assert taken.width < 1.03 * quiet.width


def test_snowballs_are_flagged_with_their_outskirts(simulated):
    figures = read_figures(registry().modes["nircam-imaging"])
    many = figures.cosmic_rays.model_copy(update={"snowballs": 3.0})
    figures = figures.model_copy(update={"cosmic_rays": many})
    case = simulated(figures, size=384, ngroups=10, without=("sources", "1/f"))
    asked = {"jump.expand_large_events": True}
    usual, wide = (Calibrated(case, parameters=parameters) for parameters in ({}, asked))
    before, after = (recovery.snowballs(each.dq_ints, each.truth) for each in (usual, wide))
    assert before.number > 5000
    assert before.caught < 0.9
    assert after.caught > 0.97
    # a flagged circle is wider than light reaches, but not twice as large
    assert after.false * after.clean < 1.5 * after.number
